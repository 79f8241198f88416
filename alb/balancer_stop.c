/*
 * balancer_stop.c -- the way out: stop accepting, let things end, then cut.
 *
 * The first SIGTERM or SIGINT drains for at most shutdown_timeout; a second one
 * cuts at once. The control loop is left when no connection remains.
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
#include "alb/worker.h"

static const double LOOK_S = 0.02;
enum { CUT_MS = 500 }; /* the loops get so long to carry out a cut */

static uint64_t draining_for_ms(const struct balancer *b)
{
    return clock_mono_ms() - b->drain_began_ms;
}

static void cut(struct balancer *b)
{
    log_info("shutdown cut connections=%u", atomic_load(&b->connections));
    b->state = RUN_CUTTING;
    b->drain_began_ms = clock_mono_ms();
    balancer_tell_workers(b, worker_cut, NULL);
}

static void on_look(struct ev_loop *loop, ev_timer *timer, int revents)
{
    struct balancer *b = timer->data;
    (void)revents;

    if ((atomic_load(&b->connections) == 0 && upgrade_is_told(b)) ||
        (b->state == RUN_CUTTING && draining_for_ms(b) >= CUT_MS)) {
        ev_timer_stop(loop, timer);
        ev_break(loop, EVBREAK_ALL);
    } else if (b->state == RUN_DRAINING &&
               draining_for_ms(b) >= b->config->alb.shutdown_timeout_ms) {
        cut(b);
    }
}

static void drain(struct balancer *b)
{
    const uint32_t window_ms = b->config->alb.shutdown_timeout_ms;

    log_info("shutdown draining connections=%u at_most_ms=%u", atomic_load(&b->connections),
             window_ms);
    service_notify("STOPPING=1");
    b->state = RUN_DRAINING;
    b->drain_began_ms = clock_mono_ms();
    balancer_tell_greeters(b, greeter_drain, NULL);
    balancer_tell_workers(b, worker_drain, NULL);
    balancer_drain_all(b, window_ms);
    ev_timer_init(&b->drain_timer, on_look, LOOK_S, LOOK_S);
    b->drain_timer.data = b;
    ev_timer_start(b->control.ev, &b->drain_timer);
}

/* --- another process has taken over ------------------------------------------------------- */

static void on_leaving(struct ev_loop *loop, ev_timer *timer, int revents)
{
    struct balancer *b = timer->data;
    (void)revents;

    if (atomic_load(&b->connections) > 0 || !admin_is_idle(b->admin) ||
        inherit_goes_on(b->inherit) || !upgrade_is_told(b))
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
    names_free(&b->names);
    health_free(&b->health);
    balancer_tell_greeters(b, greeter_unlisten, NULL);
    balancer_tell_workers(b, worker_close_listeners, NULL);
    ev_timer_init(&b->drain_timer, on_leaving, LOOK_S, LOOK_S);
    b->drain_timer.data = b;
    ev_timer_start(b->control.ev, &b->drain_timer);
}

void balancer_stop(struct balancer *b)
{
    if (b->state == RUN_LEAVING)
        ev_timer_stop(b->control.ev, &b->drain_timer);
    if (b->state == RUN_SERVING || b->state == RUN_LEAVING)
        drain(b);
    else if (b->state == RUN_DRAINING)
        cut(b);
}
