/* Loops: posting from other threads, order, refusal when full, stopping. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <sched.h>
#include <signal.h>

#include "base/clock.h"
#include "net/loop.h"

enum { POSTERS = 4, JOBS = 20000 };

struct tally {
    size_t next[POSTERS];
    size_t total, wrong;
};

static void count_job(struct loop *l, void *arg)
{
    struct tally *t = l->user;
    size_t n = (uintptr_t)arg;
    t->wrong += n % JOBS != t->next[n / JOBS]++;
    t->wrong += !pthread_equal(pthread_self(), l->thread);
    t->total++;
}

struct poster {
    struct loop *to;
    size_t id;
    pthread_t thread;
};

static void *post_all(void *arg)
{
    struct poster *p = arg;
    for (size_t i = 0; i < JOBS; i++) {
        while (!loop_post(p->to, count_job, (void *)(uintptr_t)(p->id * JOBS + i)))
            sched_yield();
    }
    return NULL;
}

/* What was posted before loop_stop() runs before the loop ends. */
static void test_many_posters(void **state)
{
    (void)state;
    struct loop loop;
    struct tally tally = { .total = 0 };
    struct poster posters[POSTERS];

    loop_init(&loop, 3, 64, &tally);
    assert_int_equal(loop.index, 3);
    loop_start(&loop, "a name of more than fifteen");
    for (size_t i = 0; i < POSTERS; i++) {
        posters[i] = (struct poster){ .to = &loop, .id = i };
        assert_int_equal(pthread_create(&posters[i].thread, NULL, post_all, &posters[i]), 0);
    }
    for (size_t i = 0; i < POSTERS; i++)
        pthread_join(posters[i].thread, NULL);
    loop_stop(&loop);
    loop_join(&loop);
    assert_int_equal(tally.total, POSTERS * JOBS);
    assert_int_equal(tally.wrong, 0);
    loop_done(&loop);
}

static void count_one(struct loop *l, void *arg)
{
    (void)l;
    ++*(int *)arg;
}

static void test_full_inbox_refuses(void **state)
{
    (void)state;
    struct loop loop;
    int ran = 0;

    loop_init(&loop, 0, 4, NULL);
    for (int i = 0; i < 4; i++)
        assert_true(loop_post(&loop, count_one, &ran));
    assert_false(loop_post(&loop, count_one, &ran));
    ev_run(loop.ev, EVRUN_NOWAIT);
    assert_int_equal(ran, 4);
    assert_true(loop_post(&loop, count_one, &ran));
    ev_run(loop.ev, EVRUN_ONCE);
    assert_int_equal(ran, 5);
    loop_done(&loop);
}

/* Before a thread, after it, or without one. */
static void test_jobs_that_are_left(void **state)
{
    (void)state;
    struct loop loop;
    int ran = 0;

    loop_init(&loop, 0, 4, NULL);
    assert_true(loop_post(&loop, count_one, &ran));
    loop_run_left(&loop);
    assert_int_equal(ran, 1);
    loop_start(&loop, "t");
    loop_stop(&loop);
    loop_join(&loop);
    assert_true(loop_post(&loop, count_one, &ran));
    loop_run_left(&loop);
    loop_run_left(&loop);
    assert_int_equal(ran, 2);
    loop_done(&loop);
}

static void post_again(struct loop *l, void *arg)
{
    ++*(int *)arg;
    assert_true(loop_post(l, post_again, arg));
}

/* A job that posts itself has one run a turn, and does not shut the sockets out. */
static void test_job_that_posts(void **state)
{
    (void)state;
    struct loop loop;
    int ran = 0;

    loop_init(&loop, 0, 4, NULL);
    assert_true(loop_post(&loop, post_again, &ran));
    for (int turn = 1; turn <= 10; turn++) {
        ev_run(loop.ev, EVRUN_ONCE);
        assert_int_equal(ran, turn);
    }
    loop_done(&loop);
}

static void read_mask(struct loop *l, void *arg)
{
    pthread_sigmask(SIG_BLOCK, NULL, arg);
    loop_stop(l);
}

static void test_thread_blocks_signals(void **state)
{
    (void)state;
    struct loop loop;
    sigset_t mask;

    sigemptyset(&mask);
    loop_init(&loop, 0, 4, NULL);
    assert_true(loop_post(&loop, read_mask, &mask)); /* before it runs */
    loop_start(&loop, "t");
    loop_join(&loop);
    assert_true(sigismember(&mask, SIGTERM) == 1 && sigismember(&mask, SIGCHLD) == 1);
    pthread_sigmask(SIG_BLOCK, NULL, &mask);
    assert_int_equal(sigismember(&mask, SIGTERM), 0);
    loop_done(&loop);
}

static void test_now_is_monotonic_and_taken_each_turn(void **state)
{
    (void)state;
    struct loop loop;
    int ran = 0;

    clock_fix(5000, 1);
    loop_init(&loop, 0, 4, NULL);
    assert_int_equal(loop_now_ms(&loop), 5000);
    clock_fix(UINT64_C(0x100000000) + 7, 1); /* wraps */
    assert_int_equal(loop_now_ms(&loop), 5000);
    assert_true(loop_post(&loop, count_one, &ran));
    ev_run(loop.ev, EVRUN_ONCE);
    assert_int_equal(loop_now_ms(&loop), 7);
    clock_run();
    loop_done(&loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_posters),
        cmocka_unit_test(test_full_inbox_refuses),
        cmocka_unit_test(test_jobs_that_are_left),
        cmocka_unit_test(test_job_that_posts),
        cmocka_unit_test(test_thread_blocks_signals),
        cmocka_unit_test(test_now_is_monotonic_and_taken_each_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
