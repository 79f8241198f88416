/* The timer wheel: never early, at most a tick late, and safe to change from its callbacks. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/clock.h"
#include "net/wheel.h"

enum { TIMERS = 300 };

static struct ev_loop *loop;
static struct wheel wheel;
static uint64_t now_ms;

struct probe {
    struct wheel_timer timer;
    uint64_t due_ms;
    int fired;
    uint64_t fired_ms;
    struct probe *other; /* what its callback acts upon */
    uint64_t again_ms;
};

/* The clock stands; the wheel's own timer is invoked by hand at each step. */
static void go_to(uint64_t ms)
{
    now_ms = ms;
    clock_fix(now_ms, 0);
    if (ev_is_active(&wheel.tick)) {
        ev_timer_stop(loop, &wheel.tick);
        ev_invoke(loop, &wheel.tick, EV_TIMER);
    }
}

static void on_fire(struct wheel_timer *timer)
{
    struct probe *p = (struct probe *)timer;
    assert_false(wheel_is_set(timer));
    p->fired++;
    p->fired_ms = now_ms;
    if (p->other != NULL)
        wheel_stop(&wheel, &p->other->timer);
    if (p->again_ms > 0)
        wheel_set(&wheel, timer, p->again_ms);
}

static void set(struct probe *p, uint64_t ms)
{
    p->due_ms = now_ms + ms;
    wheel_set(&wheel, &p->timer, ms);
    assert_true(wheel_is_set(&p->timer));
}

static int setup(void **state)
{
    (void)state;
    loop = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
    wheel_init(&wheel, loop);
    now_ms = 12345;
    clock_fix(now_ms, 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    wheel_done(&wheel);
    ev_loop_destroy(loop);
    clock_run();
    return 0;
}

static const struct {
    const char *name;
    uint64_t ms;
} delays[] = {
    { "at once", 0 },      { "one millisecond", 1 },        { "less than a tick", 99 },
    { "a tick", 100 },     { "more than a tick", 101 },     { "a round less a tick", 102300 },
    { "a round", 102400 }, { "more than a round", 102500 }, { "an hour", 3600000 },
};

static void test_delays(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(delays) / sizeof(delays[0]); i++) {
        struct probe p = { .fired = 0 };
        wheel_timer_init(&p.timer, on_fire);
        set(&p, delays[i].ms);
        while (p.fired == 0 && now_ms < p.due_ms + 1000)
            go_to(now_ms + 1);
        if (p.fired_ms < p.due_ms || p.fired_ms > p.due_ms + WHEEL_TICK_MS)
            fail_msg("%s: due %lu fired %lu", delays[i].name, p.due_ms, p.fired_ms);
        assert_false(ev_is_active(&wheel.tick));
    }
}

/* Random sets and stops, in uneven steps, against what each timer should do. */
static void test_random_operations(void **state)
{
    (void)state;
    static struct probe probes[TIMERS];
    uint32_t seed = 3;

    for (size_t i = 0; i < TIMERS; i++)
        wheel_timer_init(&probes[i].timer, on_fire);
    for (int step = 0; step < 20000; step++) {
        seed = seed * 1664525 + 1013904223;
        struct probe *p = &probes[(seed >> 8) % TIMERS];
        if (seed % 4 == 0) {
            wheel_stop(&wheel, &p->timer);
        } else {
            p->fired = 0;
            set(p, (seed >> 4) % 250000);
        }
        go_to(now_ms + (seed >> 16) % 70);

        size_t count = 0;
        for (size_t i = 0; i < TIMERS; i++) {
            count += wheel_is_set(&probes[i].timer);
            /* Steps are at most 69 ms, so "late" may be seen that much later. */
            if (wheel_is_set(&probes[i].timer))
                assert_true(now_ms <= probes[i].due_ms + WHEEL_TICK_MS);
            if (probes[i].fired > 0)
                assert_true(probes[i].fired == 1 && probes[i].fired_ms >= probes[i].due_ms);
        }
        assert_int_equal(count, wheel.count);
    }
    for (size_t i = 0; i < TIMERS; i++)
        wheel_stop(&wheel, &probes[i].timer);
    assert_int_equal(wheel.count, 0);
}

/* An earlier time is taken, a later one is not: the timer then fires and looks. */
static void test_hasten(void **state)
{
    struct probe p = { .fired = 0 };
    (void)state;

    wheel_timer_init(&p.timer, on_fire);
    wheel_hasten(&wheel, &p.timer, now_ms + 5000);
    const uint64_t due = p.timer.due;
    wheel_hasten(&wheel, &p.timer, now_ms + 9000);
    assert_int_equal(p.timer.due, due);
    wheel_hasten(&wheel, &p.timer, now_ms + 1000);
    assert_true(p.timer.due < due);
    wheel_hasten(&wheel, &p.timer, 0); /* long ago: at once */
    go_to(now_ms + WHEEL_TICK_MS);
    assert_int_equal(p.fired, 1);
}

/* The first of a slot stops the second, which then does not fire. */
static void test_callback_stops_another_of_its_slot(void **state)
{
    (void)state;
    struct probe a = { .fired = 0 }, b = { .fired = 0 }, c = { .fired = 0 };
    wheel_timer_init(&a.timer, on_fire);
    wheel_timer_init(&b.timer, on_fire);
    wheel_timer_init(&c.timer, on_fire);
    a.other = &b;
    c.other = &a; /* already fired: harmless */
    set(&a, 500);
    set(&b, 500);
    set(&c, 500);
    go_to(now_ms + 2000);
    assert_int_equal(a.fired, 1);
    assert_int_equal(b.fired, 0);
    assert_int_equal(c.fired, 1);
    assert_int_equal(wheel.count, 0);
}

static void test_callback_sets_itself_again(void **state)
{
    (void)state;
    struct probe a = { .again_ms = 250 }, round = { .again_ms = WHEEL_SLOTS * WHEEL_TICK_MS };
    wheel_timer_init(&a.timer, on_fire);
    wheel_timer_init(&round.timer, on_fire);
    set(&a, 250);
    set(&round, 250);
    for (int i = 0; i < 100; i++)
        go_to(now_ms + 100);
    assert_in_range(a.fired, 28, 40);
    assert_int_equal(round.fired, 1); /* the same slot, a round later */
    wheel_stop(&wheel, &a.timer);
    wheel_stop(&wheel, &round.timer);
}

/* A loop that was held up catches up, each timer once. */
static void test_long_stall(void **state)
{
    (void)state;
    struct probe probes[50] = { { .fired = 0 } };
    for (size_t i = 0; i < 50; i++) {
        wheel_timer_init(&probes[i].timer, on_fire);
        set(&probes[i], i * 10000);
    }
    go_to(now_ms + 10000000);
    for (size_t i = 0; i < 50; i++)
        assert_int_equal(probes[i].fired, 1);
}

/* With the real clock and a real loop. */
static void test_real_time(void **state)
{
    (void)state;
    struct probe a = { .fired = 0 };
    clock_run();
    wheel_timer_init(&a.timer, on_fire);
    uint64_t before = clock_mono_ms();
    wheel_set(&wheel, &a.timer, 150);
    ev_run(loop, 0); /* until no watcher is left */
    uint64_t took = clock_mono_ms() - before;
    assert_int_equal(a.fired, 1);
    assert_true(took >= 150);
    assert_true(took < 5000); /* it does end; how soon is the machine's affair */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_delays, setup, teardown),
        cmocka_unit_test_setup_teardown(test_random_operations, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hasten, setup, teardown),
        cmocka_unit_test_setup_teardown(test_callback_stops_another_of_its_slot, setup, teardown),
        cmocka_unit_test_setup_teardown(test_callback_sets_itself_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_long_stall, setup, teardown),
        cmocka_unit_test_setup_teardown(test_real_time, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
