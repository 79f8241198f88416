/* Both clocks, and time as text. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"

static void test_fixed_and_running(void **state)
{
    (void)state;

    clock_fix(5, 7001);
    assert_int_equal(clock_mono_ms(), 5);
    assert_int_equal(clock_wall_us(), 7001);
    assert_int_equal(clock_wall_ms(), 7);
    clock_run();
    uint64_t before = clock_mono_ms();
    assert_true(clock_mono_ms() >= before);
    assert_true(clock_wall_ms() > 1700000000000);
}

static void test_as_text(void **state)
{
    static const struct {
        uint64_t us;
        const char *iso, *http;
    } cases[] = {
        { 0, "1970-01-01T00:00:00.000000Z", "Thu, 01 Jan 1970 00:00:00 GMT" },
        { 784111777000001, "1994-11-06T08:49:37.000001Z", "Sun, 06 Nov 1994 08:49:37 GMT" },
        { 1709164799999999, "2024-02-28T23:59:59.999999Z", "Wed, 28 Feb 2024 23:59:59 GMT" },
        { 1709251199123456, "2024-02-29T23:59:59.123456Z", "Thu, 29 Feb 2024 23:59:59 GMT" },
        { 4102444800000000, "2100-01-01T00:00:00.000000Z", "Fri, 01 Jan 2100 00:00:00 GMT" },
    };
    char out[CLOCK_TEXT_MAX];
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_string_equal(clock_iso_us(cases[i].us, out), cases[i].iso);
        assert_string_equal(clock_http_date(cases[i].us, out), cases[i].http);
    }
    clock_iso_us(UINT64_MAX, out); /* fits, whatever it is */
}

static void test_read_iso(void **state)
{
    static const struct {
        const char *text;
        bool ok;
        uint64_t us;
    } cases[] = {
        { "1970-01-01T00:00:00Z", true, 0 },
        { "1994-11-06T08:49:37.000001Z", true, 784111777000001 },
        { "1994-11-06T08:49:37.5Z", true, 784111777500000 },
        { "2024-02-29T23:59:59.123456Z", true, 1709251199123456 },
        { "9999-12-31T23:59:59Z", true, 253402300799000000 },
        { "2023-02-29T00:00:00Z", false, 0 },
        { "2024-13-01T00:00:00Z", false, 0 },
        { "2024-00-01T00:00:00Z", false, 0 },
        { "2024-01-01T24:00:00Z", false, 0 },
        { "2024-01-01T00:60:00Z", false, 0 },
        { "2024-01-01T00:00:60Z", false, 0 },
        { "1969-12-31T23:59:59Z", false, 0 },
        { "2024-01-01T00:00:00", false, 0 },
        { "2024-01-01T00:00:00+01:00", false, 0 },
        { "2024-01-01 00:00:00Z", false, 0 },
        { "2024-01-01T00:00:00.Z", false, 0 },
        { "2024-01-01T00:00:00.1234567Z", false, 0 },
        { "2024-01-01T00:00:00.-1Z", false, 0 },
        { "2024-01-01T00:00:00ZZ", false, 0 },
        { "+024-01-01T00:00:00Z", false, 0 },
        { "", false, 0 },
    };
    uint64_t us;
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        us = 1;
        assert_int_equal(clock_read_iso(cases[i].text, strlen(cases[i].text), &us), cases[i].ok);
        if (cases[i].ok)
            assert_int_equal(us, cases[i].us);
    }
}

/* What was written is read, and no part of it but the end of the fraction. */
static void test_iso_both_ways(void **state)
{
    uint64_t us, all = 1709251199123456;
    char out[CLOCK_TEXT_MAX];
    (void)state;

    for (int i = 0; i < 2000; i++, all += 86399999999) {
        const size_t n = strlen(clock_iso_us(all, out));
        assert_true(clock_read_iso(out, n, &us));
        assert_int_equal(us, all);
        for (size_t cut = 0; cut < n; cut++)
            assert_false(clock_read_iso(out, cut, &us));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fixed_and_running),
        cmocka_unit_test(test_as_text),
        cmocka_unit_test(test_read_iso),
        cmocka_unit_test(test_iso_both_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
