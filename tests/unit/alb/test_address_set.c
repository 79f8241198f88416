/* test_address_set.c -- sets of addresses, and how long one is good. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "alb/address_set.h"

#include "base/text.h"

#include "alb/names.h"

enum { MAX = 16 };

/* "1 2 ::1" is what fills the array; a digit alone is 10.0.0.N. */
static size_t read_set(const char *words, struct ip ips[MAX])
{
    struct span rest = span_text(words), word;
    char text[64];
    size_t n = 0;

    while (rest.len > 0 && span_next(&rest, ' ', &word)) {
        const bool is_short = memchr(word.ptr, ':', word.len) == NULL;
        snprintf(text, sizeof(text), "%s%.*s", is_short ? "10.0.0." : "", SPAN_ARGS(word));
        assert_true(n < MAX && ip_parse(span_text(text), &ips[n]));
        n++;
    }
    return address_set_make(ips, n);
}

static void assert_set(const struct ip *set, size_t count, const char *words)
{
    struct ip want[MAX];

    assert_int_equal(count, read_set(words, want));
    if (count > 0)
        assert_memory_equal(set, want, count * sizeof(want[0]));
}

static void test_doubles_are_one(void **state)
{
    struct ip a[MAX], b[MAX];
    const size_t n = read_set("3 1 ::2 3 2 ::2 1", a);
    (void)state;

    assert_int_equal(n, 4);
    assert_set(a, n, "::2 1 2 3");
    assert_int_equal(read_set("", b), 0);
    assert_true(address_set_has(a, n, &a[3]));
    assert_false(address_set_has(b, 0, &a[0]));
}

static const struct {
    const char *set, *other;
    size_t missing, back;
} differences[] = {
    { "", "", 0, 0 },
    { "1 2", "", 2, 0 },
    { "1 2", "2 1", 0, 0 },
    { "1 2 3", "2 3 4 5", 1, 2 },
    { "1 ::1", "::1 ::2", 1, 1 },
    { "1", "2", 1, 1 },
};

static void test_differences(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(differences) / sizeof(differences[0]); i++) {
        struct ip a[MAX], b[MAX];
        const size_t n = read_set(differences[i].set, a), m = read_set(differences[i].other, b);
        assert_int_equal(address_set_missing(a, n, b, m), differences[i].missing);
        assert_int_equal(address_set_missing(b, m, a, n), differences[i].back);
    }
}

static const struct {
    const char *set, *kept;
    size_t max;
    const char *want;
} cuts[] = {
    { "1 2 3", "", 3, "1 2 3" },        { "1 2 3", "", 2, "1 2" }, { "1 2 3 4", "3 4", 2, "3 4" },
    { "1 2 3 4", "3 4 5", 3, "1 3 4" }, { "1 2", "1 2", 0, "" },   { "", "1", 2, "" },
};

static void test_those_that_are_kept_come_first(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
        struct ip a[MAX], kept[MAX];
        const size_t n = read_set(cuts[i].set, a), m = read_set(cuts[i].kept, kept);
        assert_set(a, address_set_cut(a, n, cuts[i].max, kept, m), cuts[i].want);
    }
}

static const struct {
    uint32_t ttl_s, want_ms;
} waits[] = {
    { 0, 5000 },
    { 4, 5000 },
    { 5, 5000 },
    { 6, 6000 },
    { 300, 300000 },
    { 301, 300000 },
    /* no overflow: 4294968 s are 704 ms modulo 2^32 */
    { 4294968, 300000 },
    { UINT32_MAX, 300000 },
};

static void test_the_time_to_live_has_bounds(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++)
        assert_int_equal(names_wait_ms(waits[i].ttl_s, 5000, 300000), waits[i].want_ms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_doubles_are_one),
        cmocka_unit_test(test_differences),
        cmocka_unit_test(test_those_that_are_kept_come_first),
        cmocka_unit_test(test_the_time_to_live_has_bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
