/* test_crc32c.c -- the values of RFC 3720 B.4, whole and in pieces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/crc32c.h"

static void fill(char bytes[32], unsigned char first, int step)
{
    for (int i = 0; i < 32; i++)
        bytes[i] = (char)(first + i * step);
}

static void known_values(void **state)
{
    static const struct {
        unsigned char first;
        int step;
        uint32_t crc;
    } rows[] = {
        { 0, 0, 0x8a9136aa },
        { 0xff, 0, 0x62a8ab43 },
        { 0, 1, 0x46dd794e },
        { 31, -1, 0x113fdb5c },
    };
    char bytes[32];
    (void)state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        fill(bytes, rows[i].first, rows[i].step);
        assert_int_equal(crc32c(0, span_of(bytes, 32)), rows[i].crc);
    }
    assert_int_equal(crc32c(0, SPAN("123456789")), 0xe3069283);
    assert_int_equal(crc32c(0, SPAN("")), 0);
}

static void in_pieces(void **state)
{
    const struct span all = SPAN("123456789");
    (void)state;

    for (size_t cut = 0; cut <= all.len; cut++)
        assert_int_equal(crc32c(crc32c(0, span_of(all.ptr, cut)), span_after(all, cut)),
                         0xe3069283);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_values),
        cmocka_unit_test(in_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
