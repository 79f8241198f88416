/*
 * balancer_stop.c -- the way out: stop accepting, let things end, then cut.
 *
 * The first SIGTERM or SIGINT waits for shutdown_delay (balancer_delay.c), then drains for at most
 * shutdown_timeout; another one ends the wait, or cuts at once. The control loop is left when no
 * connection remains. A process before this one that still has some is ordered to do the same, and
 * waited for.
 */
#include "base/clock.h"
#include "base/log.h"

#include "alb/admin.h"
#include "alb/balancer_private.h"
#include "alb/config.h"
#include "alb/greeter.h"
#include "alb/health.h"
#include "alb/inherit.h"
#include "alb/names.h"
#include "alb/upgrade.h"
#include "alb/doors.h"
#include "alb/worker.h"

static const double LOOK_S = 0.02;

/* So many looks in a row a cut may not get on: while a loop has some to cut, which takes it many
 * turns, and when all are cut, and have to take their last bytes. By looks, for these stand still
 * when the machine does. */
enum { STUCK_LOOKS = 250, LAST_BYTES_LOOKS = 25 };

static uint64_t draining_for_ms(const struct balancer *b)
{
    return clock_mono_ms() - b->drain_began_ms;
}

static void cut(struct balancer *b)
{
    log_info("shutdown cut connections=%u", atomic_load(&b->connections));
    b->state = RUN_CUTTING;
    atomic_store(&b->cutting, (unsigned)b->worker_count);
    inherit_order_cut(b->inherit);
    balancer_tell_workers(b, worker_cut, NULL);
}

static bool cut_stands(struct balancer *b)
{
    const uint32_t slices = atomic_load(&b->cut_slices);

    if (slices != b->cut_seen)
        b->cut_stands = 0;
    b->cut_seen = slices;
    return ++b->cut_stands > (atomic_load(&b->cutting) > 0 ? STUCK_LOOKS : LAST_BYTES_LOOKS);
}

static bool is_over(const struct balancer *b)
{
    return !balancer_is_closing_listeners(b) && atomic_load(&b->connections) == 0 &&
           upgrade_is_told(b) && !inherit_obeys(b->inherit);
}

static void on_look(struct ev_loop *loop, ev_timer *timer, int revents)
{
    struct balancer *b = timer->data;
    (void)revents;

    if (is_over(b) || (b->state == RUN_CUTTING && cut_stands(b))) {
        ev_timer_stop(loop, timer);
        ev_break(loop, EVBREAK_ALL);
    } else if (b->state == RUN_DRAINING && draining_for_ms(b) >= b->drain_window_ms) {
        cut(b);
    }
}

/* The service goes on when another process has taken over. */
static void drain(struct balancer *b, uint32_t window_ms)
{
    if (b->state == RUN_LEAVING)
        ev_timer_stop(b->control.ev, &b->drain_timer);
    balancer_delay_cancel(b);
    log_info("shutdown draining connections=%u at_most_ms=%u", atomic_load(&b->connections),
             window_ms);
    if (!upgrade_is_leaving(b))
        service_notify("STOPPING=1");
    b->state = RUN_DRAINING;
    b->drain_began_ms = clock_mono_ms();
    b->drain_window_ms = window_ms;
    inherit_order_stop(b->inherit, window_ms);
    balancer_tell_greeters(b, greeter_drain, NULL);
    balancer_tell_workers(b, worker_drain, NULL);
    balancer_drain_all(b, window_ms);
    ev_timer_init(&b->drain_timer, on_look, LOOK_S, LOOK_S);
    b->drain_timer.data = b;
    ev_timer_start(b->control.ev, &b->drain_timer);
}

static void drain_now(struct balancer *b)
{
    drain(b, b->config->alb.shutdown_timeout_ms);
}

static void wait_and_drain(struct balancer *b)
{
    if (!balancer_delay_begin(b, "shutdown", drain_now)) {
        drain_now(b);
        return;
    }
    service_notify("STOPPING=1");
    b->state = RUN_WAITING;
}

/* --- another process has taken over ------------------------------------------------------- */

static void on_leaving(struct ev_loop *loop, ev_timer *timer, int revents)
{
    struct balancer *b = timer->data;
    (void)revents;

    if (balancer_is_closing_listeners(b) || atomic_load(&b->connections) > 0 ||
        !admin_is_idle(b->admin) || !doors_are_idle(b->doors) || inherit_goes_on(b->inherit) ||
        !upgrade_is_told(b))
        return;
    log_info("the last connection has ended; process %ld has the others",
             (long)upgrade_successor(b));
    ev_timer_stop(loop, timer);
    ev_break(loop, EVBREAK_ALL);
}

void balancer_leave(struct balancer *b)
{
    b->state = RUN_LEAVING;
    admin_leave(b->admin);
    doors_close(b->doors, NULL);
    names_free(&b->names);
    health_free(&b->health);
    balancer_close_unwanted(b);
    balancer_tell_greeters(b, greeter_close_listeners, NULL);
    balancer_tell_workers(b, worker_close_listeners, NULL);
    ev_timer_init(&b->drain_timer, on_leaving, LOOK_S, LOOK_S);
    b->drain_timer.data = b;
    ev_timer_start(b->control.ev, &b->drain_timer);
}

static bool may_drain(const struct balancer *b)
{
    return balancer_serves(b) || b->state == RUN_LEAVING;
}

/* One that was ordered to stop, and gets the signal as well (each process of a service may),
 * does not cut for that. */
void balancer_stop(struct balancer *b)
{
    const bool is_again = b->stops++ > 0;

    if (upgrade_takes_stop(b))
        return;
    if (b->state == RUN_SERVING)
        wait_and_drain(b);
    else if (may_drain(b)) /* nobody new comes any more, or the wait is to end */
        drain_now(b);
    else if (b->state == RUN_DRAINING && is_again)
        cut(b);
}

void balancer_stop_with(struct balancer *b, uint32_t window_ms)
{
    if (may_drain(b))
        drain(b, window_ms);
}

void balancer_cut_with(struct balancer *b)
{
    if (may_drain(b))
        drain(b, 0);
    if (b->state == RUN_DRAINING)
        cut(b);
}
