/* test_soft_bound.c -- from which number on stickiness must not add to a target. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "alb/soft_bound.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void test_when_it_is_over(void **state)
{
    static const struct {
        const char *name;
        struct soft_bound bound;
        uint32_t outstanding, weight;
        bool want;
    } rows[] = {
        { "nothing anywhere", { 110, 0, 300 }, 0, 100, false },
        { "the only one", { 110, 5000, 100 }, 5000, 100, false },
        { "the only one with anything, within the slack", { 110, 11, 300 }, 11, 100, false },
        { "the same, over it", { 110, 12, 300 }, 12, 100, true },
        { "half of all of three", { 150, 299, 300 }, 149, 100, false },
        { "one more than half", { 150, 299, 300 }, 150, 100, true },
        { "a multiple with room", { 200, 299, 300 }, 150, 100, false },
        { "at a tenth above the mean", { 110, 2999, 300 }, 1099, 100, false },
        { "beyond a tenth", { 110, 2999, 300 }, 1100, 100, true },
        { "its weight is its part", { 150, 999, 1000 }, 749, 500, false },
        { "of a heavy one more", { 150, 999, 1000 }, 750, 500, true },
        { "a light one: its part and the slack", { 110, 999, 1000 }, 8, 1, false },
        { "a light one, over the slack", { 110, 999, 1000 }, 9, 1, true },
        { "without weight", { 110, 999, 1000 }, 999, 0, false },
        { "the widest", { 10000, 1000000, 999000 }, 1000000, 999, true },
        { "the widest, met", { 10000, 999999, 999000 }, 99999, 999, false },
        { "ten million", { 110, 10000000, 999000 }, 9999999, 999, true },
    };
    (void)state;

    for (size_t i = 0; i < COUNT(rows); i++) {
        if (soft_bound_is_over(&rows[i].bound, rows[i].outstanding, rows[i].weight) != rows[i].want)
            fail_msg("%s", rows[i].name);
    }
}

/* Never all of them: whoever is over has others below the mean. */
static void test_somebody_is_not(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 2000; round++) {
        uint32_t has[6], weights[6];
        struct soft_bound b = { .percent = SOFT_BOUND_PERCENT_LEAST };
        unsigned over = 0;
        for (size_t i = 0; i < COUNT(has); i++) {
            has[i] = (uint32_t)rand() % 3000;
            weights[i] = 1 + (uint32_t)rand() % 999;
            b.outstanding += has[i];
            b.weights += weights[i];
        }
        for (size_t i = 0; i < COUNT(has); i++) {
            const bool is = soft_bound_is_over(&b, has[i], weights[i]);
            over += is;
            assert_false(is && soft_bound_is_far(has[i]));
        }
        assert_true(over < COUNT(has));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_when_it_is_over),
        cmocka_unit_test(test_somebody_is_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
