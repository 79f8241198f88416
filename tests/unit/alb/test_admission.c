/* test_admission.c -- so many a second and no more, and when the others come again. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "alb/admission.h"

#define SECOND UINT64_C(1000000000)

static unsigned take(struct admission *a, uint64_t rate, uint64_t now_ns, unsigned tries)
{
    unsigned got = 0;

    for (unsigned i = 0; i < tries; i++)
        got += admission_take(a, SECOND / rate, SECOND, now_ns);
    return got;
}

static void test_without_a_limit(void **state)
{
    struct admission a = { 0 };

    (void)state;
    for (int i = 0; i < 1000; i++)
        assert_true(admission_take(&a, 0, 0, 5));
    assert_int_equal(atomic_load(&a.full_ns), 0);
}

static void test_a_full_bucket_then_the_rate(void **state)
{
    static const unsigned rates[] = { 1, 2, 3, 10, 250, 30000, 1000000 };

    (void)state;
    for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        struct admission a = { 0 };
        const unsigned rate = rates[i];
        uint64_t now = 1000 * SECOND;
        assert_in_range(take(&a, rate, now, 2 * rate), rate, rate + rate / 1000);
        unsigned got = 0;
        for (int step = 0; step < 40; step++) { /* four seconds of a storm */
            now += SECOND / 10;
            got += take(&a, rate, now, rate + 1);
        }
        assert_in_range(got, 4 * rate - rate / 1000, 4 * rate + rate / 500);
        now += 100 * SECOND; /* what is not used is not saved up beyond one second's */
        assert_in_range(take(&a, rate, now, 2 * rate), rate, rate + rate / 1000);
    }
}

static void test_a_new_rate_holds_at_once(void **state)
{
    struct admission a = { 0 };
    const uint64_t now = 1000 * SECOND;

    (void)state;
    assert_int_equal(take(&a, 1, now, 10), 1);
    assert_int_equal(take(&a, 1000, now + SECOND, 5000), 1000);
    assert_int_equal(take(&a, 10, now + SECOND + SECOND / 2, 10), 5);
}

/* Each gets a moment of its own, at the rate; nobody waits longer than the most. */
static void test_places_in_the_queue(void **state)
{
    struct admission a = { 0 };
    unsigned per_second[ADMISSION_WAIT_MAX_S + 2] = { 0 };
    const uint64_t now = 1000 * SECOND;

    (void)state;
    for (int i = 0; i < 3000; i++) {
        const uint32_t s = admission_wait_s(&a, SECOND / 100, now, 0);
        assert_in_range(s, 1, ADMISSION_WAIT_MAX_S);
        per_second[s]++;
    }
    assert_int_equal(per_second[1], 1);
    for (int s = 2; s <= 30; s++)
        assert_int_equal(per_second[s], 100);
    for (int i = 0; i < 10000; i++)
        admission_wait_s(&a, SECOND / 100, now, 0);
    assert_int_equal(admission_wait_s(&a, SECOND / 100, now, 0), ADMISSION_WAIT_MAX_S);
    assert_int_equal(admission_wait_s(&a, SECOND / 100, now + 59 * SECOND, 0), 1);
    assert_int_equal(admission_wait_s(&a, SECOND / 100, now + 100 * SECOND, 0), 1);
}

/* Time goes on while they come, much faster than there is room for. */
static void test_places_while_time_goes_on(void **state)
{
    struct admission a = { 0 };
    unsigned at[ADMISSION_WAIT_MAX_S + 2] = { 0 };

    (void)state;
    for (uint64_t ms = 0; ms < 1000; ms++) {
        const uint64_t now = 1000 * SECOND + ms * 1000000;
        at[(ms * 1000000 + admission_wait_s(&a, SECOND / 50, now, 0) * SECOND) / SECOND]++;
    }
    for (int s = 3; s <= 19; s++)
        assert_in_range(at[s], 45, 55);
}

/* Those who wait for so long are spread over a quarter of it, each second for as many. */
static void test_jitter(void **state)
{
    static const struct {
        uint64_t place_s;
        uint32_t least, most;
    } cases[] = { { 0, 1, 2 }, { 3, 4, 5 }, { 20, 21, 27 }, { 59, 60, 75 }, { 500, 60, 75 } };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const uint32_t seconds = cases[i].most - cases[i].least + 1;
        unsigned at[100] = { 0 };
        for (uint64_t random = 0; random < 20 * seconds; random++) {
            struct admission a = { .queue_ns = (1000 + cases[i].place_s) * SECOND };
            at[admission_wait_s(&a, SECOND, 1000 * SECOND, random)]++;
        }
        for (uint32_t s = 0; s < 100; s++)
            assert_int_equal(at[s], s >= cases[i].least && s <= cases[i].most ? 20 : 0);
    }
}

/* --- threads ---------------------------------------------------------------------------- */

static struct admission shared;

static void *storm(void *got)
{
    for (int i = 0; i < 100000; i++)
        *(unsigned *)got += admission_take(&shared, SECOND / 5000, SECOND, 1000 * SECOND);
    return NULL;
}

static void test_threads_share_it(void **state)
{
    pthread_t threads[4];
    unsigned got[4] = { 0 };

    (void)state;
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, storm, &got[i]);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(got[0] + got[1] + got[2] + got[3], 5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_a_limit),
        cmocka_unit_test(test_a_full_bucket_then_the_rate),
        cmocka_unit_test(test_a_new_rate_holds_at_once),
        cmocka_unit_test(test_places_in_the_queue),
        cmocka_unit_test(test_places_while_time_goes_on),
        cmocka_unit_test(test_jitter),
        cmocka_unit_test(test_threads_share_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
