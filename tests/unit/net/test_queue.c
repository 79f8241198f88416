/* The inbox queue: nothing is lost, doubled or put out of order, and full means full. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <pthread.h>
#include <sched.h>

#include "net/queue.h"

enum { PRODUCERS = 4, JOBS = 100000 };

static struct queue_job numbered(size_t n)
{
    return (struct queue_job){ .run = NULL, .arg = (void *)(uintptr_t)n };
}

static void test_fifo_and_bound(void **state)
{
    (void)state;
    struct queue q;
    struct queue_job job;

    queue_init(&q, 5); /* rounded up to 8 */
    for (size_t round = 0; round < 100; round++) {
        for (size_t i = 0; i < 8; i++)
            assert_true(queue_push(&q, numbered(round * 8 + i)));
        assert_false(queue_push(&q, numbered(0)));
        assert_int_equal(queue_claimed(&q), 8);
        for (size_t i = 0; i < 8; i++) {
            assert_true(queue_pop(&q, &job));
            assert_int_equal((uintptr_t)job.arg, round * 8 + i);
        }
        assert_false(queue_pop(&q, &job));
        assert_int_equal(queue_claimed(&q), 0);
    }
    queue_done(&q);
}

/* Random pushes and pops against two counters. */
static void test_random_operations(void **state)
{
    (void)state;
    struct queue q;
    struct queue_job job;
    size_t pushed = 0, popped = 0;
    uint32_t seed = 7;

    queue_init(&q, 16);
    for (int i = 0; i < 100000; i++) {
        seed = seed * 1664525 + 1013904223;
        if (seed >> 31) {
            bool ok = queue_push(&q, numbered(pushed));
            assert_int_equal(ok, pushed - popped < 16);
            pushed += ok;
        } else {
            bool ok = queue_pop(&q, &job);
            assert_int_equal(ok, pushed > popped);
            if (ok)
                assert_int_equal((uintptr_t)job.arg, popped);
            popped += ok;
        }
    }
    queue_done(&q);
}

struct producer {
    struct queue *q;
    size_t id;
    pthread_t thread;
};

static void *produce(void *arg)
{
    struct producer *p = arg;
    for (size_t i = 0; i < JOBS; i++) {
        while (!queue_push(p->q, numbered(p->id * JOBS + i)))
            sched_yield();
    }
    return NULL;
}

static void test_many_producers(void **state)
{
    (void)state;
    struct queue q;
    struct producer producers[PRODUCERS];
    size_t next[PRODUCERS] = { 0 }, wrong = 0;

    queue_init(&q, 256);
    for (size_t i = 0; i < PRODUCERS; i++) {
        producers[i] = (struct producer){ .q = &q, .id = i };
        assert_int_equal(pthread_create(&producers[i].thread, NULL, produce, &producers[i]), 0);
    }
    for (size_t got = 0; got < PRODUCERS * (size_t)JOBS;) {
        struct queue_job job;
        if (!queue_pop(&q, &job)) {
            sched_yield();
            continue;
        }
        size_t n = (uintptr_t)job.arg;
        wrong += n % JOBS != next[n / JOBS]++;
        got++;
    }
    for (size_t i = 0; i < PRODUCERS; i++)
        pthread_join(producers[i].thread, NULL);
    assert_int_equal(wrong, 0);
    assert_int_equal(queue_claimed(&q), 0);
    queue_done(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fifo_and_bound),
        cmocka_unit_test(test_random_operations),
        cmocka_unit_test(test_many_producers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
