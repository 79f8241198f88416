/* cutter.c -- see cutter.h. */
#include "alb/cutter.h"

#include <ev.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/mem.h"

#include "alb/balancer.h"
#include "alb/drain.h"
#include "alb/leavers.h"
#include "alb/target.h"
#include "alb/tunnel.h"
#include "alb/tunnel_walk.h"
#include "alb/worker.h"

struct cutter {
    struct list link; /* in worker->cutters */
    struct worker *worker;
    enum tunnel_end why;   /* TUNNEL_SHUTDOWN: all */
    struct target *target; /* a reference: of TUNNEL_DEREGISTERED, else NULL */
    struct drain *drain;   /* a reference, or NULL */
    uint32_t began_ms;
    struct tunnel_walk walk;
    ev_timer timer;
};

static void free_cutter(struct cutter *c)
{
    ev_timer_stop(c->worker->loop.ev, &c->timer);
    tunnel_walk_end(&c->walk);
    list_remove(&c->link);
    if (c->target != NULL)
        target_unref(&c->target);
    if (c->drain != NULL)
        drain_left(&c->drain);
    if (c->why == TUNNEL_SHUTDOWN)
        atomic_fetch_sub(&c->worker->balancer->cutting, 1);
    free(c);
}

static bool is_ours(const struct cutter *c, const struct tunnel *t)
{
    const int32_t later_ms = (int32_t)(tunnel_started_ms(t) - c->began_ms);

    if (c->why == TUNNEL_LEFT)
        return leaver_is_tunnel(c->worker, t);
    return c->target == NULL || (tunnel_target(t) == c->target && later_ms <= 0);
}

static void cut_one(const struct cutter *c, struct tunnel *t)
{
    if (is_ours(c, t) && tunnel_cut(t, c->why) && c->drain != NULL)
        drain_count_cut(c->drain, c->worker, 1);
}

/* True when it is done. */
static bool cut_slice(struct cutter *c)
{
    struct tunnel *t;

    atomic_fetch_add(&c->worker->balancer->cut_slices, 1);
    for (int i = 0; i < CUTTER_SLICE; i++) {
        if ((t = tunnel_walk_next(c->worker, &c->walk)) == NULL)
            return true;
        cut_one(c, t);
    }
    return false;
}

static void on_turn(struct ev_loop *loop, ev_timer *timer, int revents)
{
    struct cutter *c = timer->data;
    (void)loop;
    (void)revents;

    if (cut_slice(c))
        free_cutter(c);
}

static void start(struct worker *w, enum tunnel_end why, struct target *target, struct drain *drain)
{
    struct cutter *c = mem_new(struct cutter);

    c->worker = w;
    c->why = why;
    c->target = target;
    c->drain = drain == NULL ? NULL : drain_stay(drain);
    c->began_ms = loop_now_ms(&w->loop);
    list_append(&w->cutters, &c->link);
    tunnel_walk_begin(w, &c->walk);
    /* A repeat this short is due in every turn. */
    ev_timer_init(&c->timer, on_turn, 0, 1e-6);
    c->timer.data = c;
    ev_timer_start(w->loop.ev, &c->timer);
    if (cut_slice(c))
        free_cutter(c);
}

void cutter_start(struct worker *w, struct target *target, struct drain *drain)
{
    start(w, target == NULL ? TUNNEL_SHUTDOWN : TUNNEL_DEREGISTERED, target, drain);
}

void cutter_start_leavers(struct worker *w, struct drain *drain)
{
    start(w, TUNNEL_LEFT, NULL, drain);
}

void cutter_finish(struct worker *w)
{
    list_each_safe (at, after, &w->cutters) {
        struct cutter *c = list_entry(at, struct cutter, link);
        while (!cut_slice(c))
            ;
        free_cutter(c);
    }
}
