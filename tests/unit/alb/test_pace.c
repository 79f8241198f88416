/* test_pace.c -- no second ever has more than its rate; a window is kept whatever happens. */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"

#include "alb/pace.h"

enum { SECOND = 1000000, CLAIMS_MAX = 200000 };

static uint64_t claims[CLAIMS_MAX];
static size_t claimed;

/* A generator of our own, so that a failure comes again. */
static uint64_t chance(void)
{
    static uint64_t state = 1;

    state = state * 6364136223846793005u + 1442695040888963407u;
    return state >> 33;
}

/* Ask at `step` distances from `from` to `to`. */
static void run(struct pace *p, uint64_t from, uint64_t to, uint64_t step, uint32_t *left)
{
    for (uint64_t now = from; now<to && * left> 0; now += step) {
        while (*left > 0 && pace_claim(p, now, *left, chance())) {
            assert_true(claimed < CLAIMS_MAX);
            claims[claimed++] = now;
            --*left;
        }
    }
}

static void expect_rate(uint32_t rate)
{
    for (size_t i = rate; i < claimed; i++) {
        if (claims[i] - claims[i - rate] < SECOND + PACE_ALLOWANCE_US)
            fail_msg("%u and one more within %lu us", rate,
                     (unsigned long)(claims[i] - claims[i - rate]));
    }
}

static void test_no_second_has_more_than_its_rate(void **state)
{
    static const uint32_t rates[] = { 1, 2, 3, 7, 10, 50, 333, 1000, 5000, 100000 };

    (void)state;
    for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        struct pace *p = pace_new_rate(-1, 777, rates[i]);
        uint32_t left = rates[i] * 10 < CLAIMS_MAX ? rates[i] * 10 : CLAIMS_MAX;
        const uint32_t all = left;
        claimed = 0;
        run(p, 777, 777 + 20 * (uint64_t)SECOND, rates[i] < 1000 ? 1000 : 100, &left);
        expect_rate(rates[i]);
        /* And it is nearly reached. */
        const double seconds = (double)(claims[claimed - 1] - claims[0]) / SECOND;
        assert_int_equal(claimed, all);
        assert_true(rates[i] == 100000 || (double)(all - 1) / seconds > 0.93 * rates[i] - 0.1);
        pace_unref(&p);
    }
}

static void test_a_stall_is_not_made_up_for(void **state)
{
    struct pace *p = pace_new_rate(-1, 0, 20);
    uint32_t left = 1000;
    (void)state;

    claimed = 0;
    run(p, 0, 2 * SECOND, 1000, &left);
    run(p, 9 * (uint64_t)SECOND, 12 * (uint64_t)SECOND, 1000, &left);
    run(p, 12 * (uint64_t)SECOND + 333333, 15 * (uint64_t)SECOND, 1000, &left);
    expect_rate(20);
    pace_unref(&p);
}

static void test_loops_that_stall_at_random_keep_the_rate_together(void **state)
{
    struct pace *p = pace_new_rate(-1, 0, 100);
    uint32_t left = 2000;
    uint64_t now = 0;
    (void)state;

    claimed = 0;
    while (left > 0) {
        run(p, now, now + 1, 1, &left);
        now += chance() % 50 == 0 ? chance() % 400000 : chance() % 3000;
    }
    expect_rate(100);
    pace_unref(&p);
}

static void test_a_window_closes_all_evenly(void **state)
{
    static const uint32_t counts[] = { 1, 2, 10, 100, 9000 };

    (void)state;
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        const uint32_t n = counts[i];
        struct pace *p = pace_new_within(500, 9 * (uint64_t)SECOND, n, chance());
        uint32_t left = n;
        claimed = 0;
        run(p, 500, 9 * (uint64_t)SECOND + 501, 500, &left);
        assert_int_equal(left, 0);
        for (size_t j = 0; n >= 100 && j < n; j += n / 10) {
            const double want = 9.0 * (double)j / n, got = (double)claims[j] / SECOND;
            if (got < want - 1.3 || got > want + 1.3)
                fail_msg("%zu of %u at %.2f s instead of %.2f s", j, n, got, want);
        }
        pace_unref(&p);
    }
}

static void test_after_a_stall_a_window_spreads_what_is_left(void **state)
{
    struct pace *p = pace_new_within(0, 10 * (uint64_t)SECOND, 100, chance());
    uint32_t left = 100;
    (void)state;

    claimed = 0;
    run(p, 0, 2 * SECOND, 1000, &left);
    const size_t before = claimed;
    run(p, 6 * (uint64_t)SECOND, 10 * (uint64_t)SECOND + 1, 1000, &left);
    assert_int_equal(left, 0);
    size_t at_once = 0;
    while (claims[before + at_once] < 6 * (uint64_t)SECOND + 50000)
        at_once++;
    assert_true(at_once <= 6);
    pace_unref(&p);
}

static void test_after_its_window_nobody_waits(void **state)
{
    struct pace *p = pace_new_within(0, SECOND, 5, 0);
    uint32_t left = 1000;
    (void)state;

    claimed = 0;
    run(p, SECOND, SECOND + 1, 1, &left);
    assert_int_equal(left, 0);
    pace_unref(&p);
}

static void test_an_empty_window_has_everybody_at_once(void **state)
{
    struct pace *p = pace_new_within(0, 0, 3, chance());
    uint32_t left = 3;
    (void)state;

    claimed = 0;
    run(p, 0, 1, 1, &left);
    assert_int_equal(left, 0);
    pace_unref(&p);
}

static void test_what_a_rate_can_do_is_not_overrated(void **state)
{
    (void)state;
    for (uint32_t rate = 1; rate < 300; rate += 13) {
        struct pace *p = pace_new_rate(-1, 0, rate);
        uint32_t left = UINT32_MAX;
        const uint64_t capacity = pace_capacity(p, 10 * (uint64_t)SECOND);
        claimed = 0;
        run(p, 0, 10 * (uint64_t)SECOND, 1000, &left);
        assert_true(claimed >= capacity && claimed <= capacity + capacity / 20 + 2);
        pace_unref(&p);
    }
}

/* --- loops, for real --------------------------------------------------------------------- */

enum { LOOPS = 4, OF_A_LOOP = 400 };

struct loop_run {
    struct pace *pace;
    uint64_t end_us, at[OF_A_LOOP];
    size_t count;
};

static void *run_loop(void *arg)
{
    struct loop_run *r = arg;
    uint64_t now;

    while ((now = clock_mono_us()) < r->end_us && r->count < OF_A_LOOP) {
        if (pace_claim(r->pace, now, 1, now))
            r->at[r->count++] = now;
    }
    return NULL;
}

static int earlier(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static void test_loops_that_claim_at_the_same_time_keep_the_rate(void **state)
{
    static struct loop_run runs[LOOPS];
    const uint64_t now = clock_mono_us();
    struct pace *p = pace_new_rate(-1, now, 100);
    pthread_t threads[LOOPS];
    (void)state;

    for (int i = 0; i < LOOPS; i++) {
        runs[i] = (struct loop_run){ .pace = p, .end_us = now + 1500000 };
        assert_int_equal(pthread_create(&threads[i], NULL, run_loop, &runs[i]), 0);
    }
    claimed = 0;
    for (int i = 0; i < LOOPS; i++) {
        pthread_join(threads[i], NULL);
        for (size_t j = 0; j < runs[i].count; j++)
            claims[claimed++] = runs[i].at[j];
    }
    qsort(claims, claimed, sizeof(claims[0]), earlier);
    assert_true(claimed > 100);
    expect_rate(100);
    pace_unref(&p);
}

/* --- processes ---------------------------------------------------------------------------- */

/* Each a pace of its own, on one page, as if each were a process's. */
static void test_paces_on_one_page_keep_the_rate_together(void **state)
{
    const int page = pace_page();
    struct pace *paces[3];
    uint32_t left = 500;
    (void)state;

    assert_int_not_equal(page, -1);
    for (int i = 0; i < 3; i++)
        paces[i] = pace_new_rate(page, 777, 50);
    close(page); /* each has its own */
    claimed = 0;
    for (uint64_t now = 777; left > 0 && now < 60 * (uint64_t)SECOND; now += 1000) {
        for (int i = 0; i < 3; i++)
            run(paces[i], now, now + 1, 1, &left);
    }
    expect_rate(50);
    assert_true((double)499 * SECOND / (double)(claims[499] - claims[0]) > 0.93 * 50);
    for (int i = 0; i < 3; i++)
        pace_unref(&paces[i]);
}

static void test_a_page_outlives_its_paces(void **state)
{
    const int page = pace_page();
    struct pace *one = pace_new_rate(page, 1000, 1);
    (void)state;

    assert_true(pace_claim(one, 1000, 1, 0));
    pace_unref(&one);
    one = pace_new_rate(page, 2000, 1);
    assert_false(pace_claim(one, 2000, 1, 0));
    assert_true(pace_claim(one, 2000 + 2 * SECOND, 1, 0));
    pace_unref(&one);
    close(page);
}

/* A child's claims count for its parent. */
static void test_processes_share_a_page(void **state)
{
    const int page = pace_page();
    struct pace *p = pace_new_rate(page, 1000, 1);
    (void)state;

    const pid_t child = fork();
    if (child == 0)
        _exit(pace_claim(p, 5000, 1, 0) ? 0 : 1);
    int status = 1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_false(pace_claim(p, 5001, 1, 0));
    assert_true(pace_claim(p, 5000 + 2 * SECOND, 1, 0));
    pace_unref(&p);
    close(page);
}

static void test_what_is_no_page_is_not_used(void **state)
{
    int small = memfd_create("small", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    int shrinking = memfd_create("shrinking", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    int pipes[2];
    (void)state;

    assert_int_equal(pipe(pipes), 0);
    assert_int_equal(ftruncate(small, 100), 0);
    assert_int_equal(fcntl(small, F_ADD_SEALS, F_SEAL_SHRINK), 0);
    assert_int_equal(ftruncate(shrinking, 8192), 0);
    const int none[] = { small, shrinking, pipes[0], -1, 12345 };
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        struct pace *p = pace_new_rate(none[i], 1000, 1);
        assert_ptr_equal(p->due_us, &p->own_us);
        assert_true(pace_claim(p, 1000, 1, 0));
        assert_false(pace_claim(p, 2000, 1, 0));
        pace_unref(&p);
    }
    close(small);
    close(shrinking);
    close(pipes[0]);
    close(pipes[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_second_has_more_than_its_rate),
        cmocka_unit_test(test_a_stall_is_not_made_up_for),
        cmocka_unit_test(test_loops_that_stall_at_random_keep_the_rate_together),
        cmocka_unit_test(test_a_window_closes_all_evenly),
        cmocka_unit_test(test_after_a_stall_a_window_spreads_what_is_left),
        cmocka_unit_test(test_after_its_window_nobody_waits),
        cmocka_unit_test(test_an_empty_window_has_everybody_at_once),
        cmocka_unit_test(test_what_a_rate_can_do_is_not_overrated),
        cmocka_unit_test(test_loops_that_claim_at_the_same_time_keep_the_rate),
        cmocka_unit_test(test_paces_on_one_page_keep_the_rate_together),
        cmocka_unit_test(test_a_page_outlives_its_paces),
        cmocka_unit_test(test_processes_share_a_page),
        cmocka_unit_test(test_what_is_no_page_is_not_used),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
