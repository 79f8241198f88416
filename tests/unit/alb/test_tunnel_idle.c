/* Idle is exact to within a second for every time-out that can be set, also when a reload changes
 * it under live tunnels: the logic and the timer wheel, on a clock that is set by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "net/wheel.h"

#include "alb/tunnel_idle.h"
#include "alb/tunnel_policy.h"

enum { STEP_MS = 10, LATE_MS = 1000, CLOSE_MS = 5000 };

static const uint32_t limits_s[] = { 1, 2, 59, 60, 61, 3600, 4000 };
enum { LIMITS = sizeof(limits_s) / sizeof(limits_s[0]) };

/* Stamps wrap half a minute later. */
static const uint64_t start_ms = UINT32_MAX - 30000;

static struct ev_loop *loop;
static struct wheel wheel;
static uint64_t now_ms;

/* As much of a tunnel as idle concerns. */
struct quiet {
    struct wheel_timer timer;
    struct tunnel_policy policy;
    struct tunnel_clock clock;
    uint64_t last_ms, ended_ms;
    /* What happens to it: */
    uint64_t speaks_ms;  /* every so often, */
    int times;           /* so many times; by turns from either side */
    uint64_t reload_ms;  /* after so long, */
    uint32_t becomes_ms; /* the time-out is this */
};

static void look(struct wheel_timer *timer)
{
    struct quiet *q = (struct quiet *)timer;

    q->clock.now_ms = (uint32_t)now_ms;
    const uint32_t left = tunnel_idle_left(&q->policy, &q->clock);
    if (left == 0)
        q->ended_ms = now_ms;
    else
        wheel_set(&wheel, timer, left);
}

static void begin(struct quiet *q, uint32_t idle_ms)
{
    *q = (struct quiet){ .policy = { .idle_ms = idle_ms, .close_ms = CLOSE_MS },
                         .clock = { .client_ms = (uint32_t)now_ms, .target_ms = (uint32_t)now_ms },
                         .last_ms = now_ms };
    wheel_timer_init(&q->timer, look);
    wheel_set(&wheel, &q->timer, idle_ms);
}

static void speak(struct quiet *q)
{
    *(q->times-- % 2 == 0 ? &q->clock.client_ms : &q->clock.target_ms) = (uint32_t)now_ms;
    q->last_ms = now_ms;
}

static void happen(struct quiet *q)
{
    if (q->ended_ms == 0 && q->times > 0 && now_ms - q->last_ms >= q->speaks_ms)
        speak(q);
    if (q->reload_ms > 0 && now_ms - start_ms >= q->reload_ms) {
        q->reload_ms = 0;
        q->policy.idle_ms = q->becomes_ms;
        if (q->ended_ms == 0)
            wheel_set(&wheel, &q->timer, 0);
    }
}

static void turn(void)
{
    now_ms += STEP_MS;
    clock_fix(now_ms, 0);
    if (ev_is_active(&wheel.tick)) {
        ev_timer_stop(loop, &wheel.tick);
        ev_invoke(loop, &wheel.tick, EV_TIMER);
    }
}

/* Until all have ended. */
static void run(struct quiet *all, size_t count)
{
    while (wheel.count > 0) {
        for (size_t i = 0; i < count; i++)
            happen(&all[i]);
        turn();
    }
}

static void assert_ended(const struct quiet *q, uint64_t due_ms)
{
    assert_in_range(q->ended_ms - start_ms, due_ms - start_ms, due_ms - start_ms + LATE_MS - 1);
}

static int setup(void **state)
{
    (void)state;
    now_ms = start_ms;
    clock_fix(now_ms, 0);
    loop = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
    wheel_init(&wheel, loop);
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

static void test_nobody_speaks(void **state)
{
    struct quiet all[LIMITS];

    (void)state;
    for (size_t i = 0; i < LIMITS; i++)
        begin(&all[i], limits_s[i] * 1000);
    run(all, LIMITS);
    for (size_t i = 0; i < LIMITS; i++)
        assert_ended(&all[i], start_ms + limits_s[i] * 1000);
}

static void test_it_counts_from_the_last_byte_of_either_side(void **state)
{
    struct quiet all[LIMITS * 3];
    struct quiet *q = all;

    (void)state;
    for (size_t i = 0; i < LIMITS; i++) {
        const uint32_t limit = limits_s[i] * 1000;
        const uint64_t often[] = { limit - STEP_MS, limit / 2 + 123, limit / 9 };
        for (int n = 0; n < 3; n++, q++) {
            begin(q, limit);
            q->speaks_ms = often[n];
            q->times = 4 + n;
        }
    }
    run(all, LIMITS * 3);
    for (q = all; q < all + LIMITS * 3; q++) {
        assert_int_equal(q->times, 0);
        assert_ended(q, q->last_ms + q->policy.idle_ms);
    }
}

/* At once, half way, and in the last moment. */
static uint64_t moment(int n, uint32_t limit_ms)
{
    return n == 0 ? STEP_MS : n == 1 ? limit_ms / 2 : limit_ms - STEP_MS;
}

/* Up and down. */
static void test_a_reload_changes_it_for_live_tunnels(void **state)
{
    static struct quiet all[LIMITS * LIMITS * 3];
    struct quiet *q = all;

    (void)state;
    for (size_t i = 0; i < LIMITS * LIMITS; i++) {
        const uint32_t before = limits_s[i / LIMITS] * 1000, after = limits_s[i % LIMITS] * 1000;
        for (int n = 0; n < 3; n++, q++) {
            begin(q, before);
            q->becomes_ms = after;
            q->reload_ms = moment(n, before);
        }
    }
    run(all, (size_t)(q - all));
    for (size_t i = 0; i < LIMITS * LIMITS; i++) {
        const uint32_t before = limits_s[i / LIMITS] * 1000, after = limits_s[i % LIMITS] * 1000;
        for (int n = 0; n < 3; n++) {
            const uint64_t at = moment(n, before);
            assert_ended(&all[i * 3 + (size_t)n], start_ms + (after > at ? after : at));
        }
    }
}

static void test_one_that_was_lengthened_in_time_and_spoke_again(void **state)
{
    struct quiet q;

    (void)state;
    begin(&q, 60000);
    q.reload_ms = 59000;
    q.becomes_ms = 3600000;
    q.speaks_ms = 3000000;
    q.times = 2;
    run(&q, 1);
    assert_int_equal(q.times, 0);
    assert_ended(&q, start_ms + 6000000 + 3600000);
}

static void test_when_one_side_has_finished(void **state)
{
    struct quiet all[LIMITS];

    (void)state;
    for (size_t i = 0; i < LIMITS; i++) {
        begin(&all[i], limits_s[i] * 1000);
        all[i].clock.is_half = true;
        wheel_set(&wheel, &all[i].timer, tunnel_idle_limit(&all[i].policy, true));
    }
    run(all, LIMITS);
    for (size_t i = 0; i < LIMITS; i++)
        assert_ended(&all[i], start_ms + (limits_s[i] < 5 ? limits_s[i] * 1000 : CLOSE_MS));
}

static void test_the_side_that_was_silent_longer_is_named(void **state)
{
    static const struct {
        uint32_t now, client, target;
        enum tunnel_end who;
    } cases[] = {
        { 1000, 0, 1, TUNNEL_IDLE_CLIENT },
        { 1000, 1, 0, TUNNEL_IDLE_TARGET },
        { 1000, 0, 0, TUNNEL_IDLE_TARGET },
        { 500, UINT32_MAX - 10, 3, TUNNEL_IDLE_CLIENT },
        { 500, 3, UINT32_MAX - 10, TUNNEL_IDLE_TARGET },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct tunnel_clock c = { cases[i].now, cases[i].client, cases[i].target, false };
        assert_int_equal(tunnel_idle_end(&c), cases[i].who);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_nobody_speaks, setup, teardown),
        cmocka_unit_test_setup_teardown(test_it_counts_from_the_last_byte_of_either_side, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_reload_changes_it_for_live_tunnels, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_that_was_lengthened_in_time_and_spoke_again, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_when_one_side_has_finished, setup, teardown),
        cmocka_unit_test(test_the_side_that_was_silent_longer_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
