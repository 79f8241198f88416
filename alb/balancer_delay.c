/*
 * balancer_delay.c -- shutdown_delay: the time between the 503 of /ready and the first client that
 * is told to come again.
 *
 * Whatever stands in front needs a few checks until it sends no new connections here; whoever is
 * told to go before that is sent to the same machine again. So a stop, and a drain of all, begin
 * with this time, in which everybody is served as before. A second word of the same kind ends it.
 */
#include "base/log.h"

#include "alb/balancer_private.h"
#include "alb/config.h"
#include "alb/group_health.h"

bool balancer_is_drained(const struct balancer *b)
{
    size_t drained = 0;

    for (size_t i = 0; i < b->members->group_count; i++) {
        const struct group *g = &b->members->groups[i];
        if (!g->config->is_used)
            continue;
        if (group_drained_count(g) < g->count)
            return false;
        drained += g->count;
    }
    return drained > 0;
}

bool balancer_delays(const struct balancer *b)
{
    return b->delay_over != NULL;
}

void balancer_delay_cancel(struct balancer *b)
{
    if (balancer_delays(b))
        ev_timer_stop(b->control.ev, &b->delay_timer);
    b->delay_over = NULL;
}

void balancer_delay_end(struct balancer *b)
{
    balancer_order_fn *over = b->delay_over;

    balancer_delay_cancel(b);
    if (over != NULL)
        over(b);
}

static void on_over(struct ev_loop *loop, ev_timer *timer, int revents)
{
    (void)loop;
    (void)revents;

    balancer_delay_end(timer->data);
}

bool balancer_delay_begin(struct balancer *b, const char *what, balancer_order_fn *over)
{
    const uint32_t delay_ms = b->config->alb.shutdown_delay_ms;
    const bool has_begun = balancer_delays(b);

    if (!has_begun && (delay_ms == 0 || balancer_is_drained(b)))
        return false;
    b->delay_over = over;
    if (!has_begun) {
        ev_timer_init(&b->delay_timer, on_over, delay_ms / 1000.0, 0);
        b->delay_timer.data = b;
        ev_timer_start(b->control.ev, &b->delay_timer);
    }
    log_info("%s waits delay_ms=%.0f reason=\"/ready is 503, and new connections go on until it is "
             "seen\"",
             what, 1000 * ev_timer_remaining(b->control.ev, &b->delay_timer));
    return true;
}
