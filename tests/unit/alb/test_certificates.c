/* test_certificates.c -- whole days until a certificate ends. Which there are:
 * tests/system/test_alb_certificate_ends.py. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "alb/certificates.h"

static const struct {
    uint64_t ends_s, now_s;
    long days;
} rows[] = {
    { 86400, 0, 1 },
    { 86399, 0, 0 },
    { 5, 5, 0 },
    { 5, 6, -1 },
    { 0, 86400, -1 },
    { 0, 86401, -2 },
    { 21 * 86400, 0, 21 },
    { 21 * 86400, 1, 20 },
    { 0, 1800000000, -20834 },
    { 253402300799, 0, 2932896 }, /* the end of 9999 */
};

static void test_days_left(void **state)
{
    (void)state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct certificate_use c = { .ends_s = rows[i].ends_s };
        if (certificate_days_left(&c, rows[i].now_s) != rows[i].days)
            fail_msg("row %zu: %ld", i, certificate_days_left(&c, rows[i].now_s));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_days_left) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
