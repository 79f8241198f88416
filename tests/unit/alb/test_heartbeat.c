/* Quiet spells of WebSockets: what 99 of 100 are below, and when that is worth a warning. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "alb/heartbeat.h"

enum { HOUR = HEARTBEAT_HOUR_MS, NOW = 1000 };

static void note(struct heartbeat *h, uint32_t ms, int times)
{
    for (int i = 0; i < times; i++)
        heartbeat_note(h, ms);
}

static void test_every_length_is_told_within_a_thirtieth(void **state)
{
    (void)state;
    for (uint32_t ms = 1024; ms < 4000 * 1000; ms += ms / 50) {
        struct heartbeat h = { 0 };
        note(&h, ms, 100);
        const uint32_t p99 = heartbeat_p99_ms(&h);
        assert_true(p99 > ms - ms / 30 && p99 < ms + ms / 30);
    }
}

static void test_the_ends(void **state)
{
    struct heartbeat h = { 0 };

    (void)state;
    note(&h, 1000, 100);
    assert_in_range(heartbeat_p99_ms(&h), 1000, 1100);
    note(&h, UINT32_MAX, 100);
    assert_in_range(heartbeat_p99_ms(&h), 3900 * 1000, 4300 * 1000);
}

static void test_one_in_a_hundred_may_be_longer(void **state)
{
    struct heartbeat h = { 0 };

    (void)state;
    note(&h, 10000, 99);
    note(&h, 58000, 1);
    assert_in_range(heartbeat_p99_ms(&h), 9600, 10400);
    note(&h, 58000, 1);
    assert_in_range(heartbeat_p99_ms(&h), 56000, 60000);
}

static void test_a_few_say_nothing(void **state)
{
    struct heartbeat h = { 0 };
    uint32_t p99;

    (void)state;
    note(&h, 58000, HEARTBEAT_ENOUGH - 1);
    assert_false(heartbeat_is_close(&h, 60000, NOW, &p99));
    note(&h, 58000, 1);
    assert_true(heartbeat_is_close(&h, 60000, NOW, &p99));
    assert_in_range(p99, 57000, 59400);
}

static void test_close_is_within_a_fifth(void **state)
{
    struct heartbeat h = { 0 };
    uint32_t p99;

    (void)state;
    note(&h, 45000, 100);
    assert_false(heartbeat_is_close(&h, 60000, NOW, &p99));
    note(&h, 50000, 100);
    assert_true(heartbeat_is_close(&h, 60000, NOW, &p99));
}

static void test_it_is_said_once(void **state)
{
    struct heartbeat h = { 0 };
    uint32_t p99;

    (void)state;
    for (uint64_t hour = 0; hour < 5; hour++) {
        note(&h, 58000, 100);
        assert_int_equal(heartbeat_is_close(&h, 60000, NOW + hour * HOUR, &p99), hour == 0);
        assert_in_range(p99, 57000, 59400);
        assert_false(heartbeat_is_close(&h, 60000, NOW + hour * HOUR + HOUR / 2, &p99));
    }
}

static void test_another_time_out_is_another_matter(void **state)
{
    struct heartbeat h = { 0 };
    uint32_t p99;

    (void)state;
    note(&h, 58000, 100);
    assert_true(heartbeat_is_close(&h, 60000, NOW, &p99));
    assert_false(heartbeat_is_close(&h, 300000, NOW + 1, &p99));
    assert_true(heartbeat_is_close(&h, 65000, NOW + 2, &p99));
    assert_false(heartbeat_is_close(&h, 65000, NOW + 3, &p99));
}

/* What was an hour ago is forgotten; if it comes back, that is news. */
static void test_after_an_hour_without_it_is_said_again(void **state)
{
    struct heartbeat h = { 0 };
    uint32_t p99;

    (void)state;
    note(&h, 58000, 100);
    assert_true(heartbeat_is_close(&h, 60000, NOW, &p99));
    assert_false(heartbeat_is_close(&h, 60000, NOW + HOUR, &p99));
    assert_false(heartbeat_is_close(&h, 60000, NOW + HOUR + 1, &p99));
    assert_int_equal(p99, 0);
    note(&h, 10000, 100);
    assert_false(heartbeat_is_close(&h, 60000, NOW + 2 * HOUR, &p99));
    note(&h, 58000, 100);
    assert_true(heartbeat_is_close(&h, 60000, NOW + 2 * HOUR + 1, &p99));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_length_is_told_within_a_thirtieth),
        cmocka_unit_test(test_the_ends),
        cmocka_unit_test(test_one_in_a_hundred_may_be_longer),
        cmocka_unit_test(test_a_few_say_nothing),
        cmocka_unit_test(test_close_is_within_a_fifth),
        cmocka_unit_test(test_it_is_said_once),
        cmocka_unit_test(test_another_time_out_is_another_matter),
        cmocka_unit_test(test_after_an_hour_without_it_is_said_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
