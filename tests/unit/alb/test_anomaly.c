/* test_anomaly.c -- who is an outlier, and how its share falls and comes back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "alb/anomaly.h"
#include "alb/balance.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct {
    const char *name;
    struct anomaly_sample samples[4];
    size_t count;
    bool want; /* of the first */
} cases[] = {
    { "all well", { { 100, 0 }, { 100, 0 }, { 100, 0 } }, 3, false },
    { "one fails", { { 100, 30 }, { 100, 0 }, { 100, 1 } }, 3, true },
    { "two are too few", { { 100, 100 }, { 100, 0 } }, 2, false },
    { "all fail alike", { { 100, 50 }, { 100, 45 }, { 100, 55 } }, 3, false },
    { "a few errors", { { 100, 4 }, { 100, 0 }, { 100, 0 } }, 3, false },
    { "few requests", { { 19, 19 }, { 100, 0 }, { 100, 0 } }, 3, false },
    { "a little more than the others", { { 1000, 60 }, { 1000, 40 }, { 1000, 40 } }, 3, false },
    { "nobody to compare with", { { 100, 50 }, { 0, 0 }, { 0, 0 } }, 3, false },
    { "less often than the others", { { 100, 0 }, { 100, 40 }, { 100, 40 } }, 3, false },
    { "all of its requests", { { 20, 20 }, { 500, 0 }, { 500, 0 }, { 500, 0 } }, 4, true },
    { "one of two bad ones", { { 200, 150 }, { 200, 150 }, { 800, 0 }, { 800, 0 } }, 4, true },
};

static void test_outliers(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        if (anomaly_is_outlier(cases[i].samples, cases[i].count, 0) != cases[i].want)
            fail_msg("%s", cases[i].name);
    }
}

static void test_the_window_slides(void **state)
{
    struct anomaly_window w = { .looks = 0 };
    (void)state;

    assert_int_equal(anomaly_sample_of(&w).requests, 0);
    anomaly_look(&w, 1000, 500);
    assert_int_equal(anomaly_sample_of(&w).requests, 0); /* what was before is not of it */
    for (unsigned i = 1; i <= 3 * ANOMALY_SLOTS; i++) {
        anomaly_look(&w, 1000 + 10 * i, 500 + (i <= ANOMALY_SLOTS ? i : ANOMALY_SLOTS));
        const struct anomaly_sample s = anomaly_sample_of(&w);
        assert_int_equal(s.requests, 10 * (i < ANOMALY_SLOTS ? i : ANOMALY_SLOTS));
        const unsigned left = i >= 2 * ANOMALY_SLOTS ? 0 : 2 * ANOMALY_SLOTS - i;
        assert_int_equal(s.errors, i < ANOMALY_SLOTS ? i : left);
    }
}

static void test_shares(void **state)
{
    uint32_t share = SHARE_WHOLE;
    unsigned looks = 0;
    (void)state;

    assert_int_equal(anomaly_next_share(share, false), SHARE_WHOLE);
    for (int i = 0; i < 10; i++)
        share = anomaly_next_share(share, true);
    assert_int_equal(share, SHARE_WHOLE / 16);
    for (; share < SHARE_WHOLE; looks++)
        share = anomaly_next_share(share, false);
    assert_int_equal(share, SHARE_WHOLE);
    assert_int_equal(looks, 15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_outliers),
        cmocka_unit_test(test_the_window_slides),
        cmocka_unit_test(test_shares),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
