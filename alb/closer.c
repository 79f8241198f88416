/* closer.c -- see closer.h. */
#include "alb/closer.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"

#include "alb/drain.h"
#include "alb/leavers.h"
#include "alb/target.h"
#include "alb/tunnel.h"
#include "alb/worker.h"

/* Clients come back within this time, each at a moment of its own. */
enum { RETURN_MS = 5000 };

/* What a loop says of whom it would close next: nobody, or that it does not know yet. */
static const uint64_t NOBODY = UINT64_MAX, UNKNOWN = 0;

/* --- who is next ------------------------------------------------------------------------- */

static uint64_t key_of(const struct closer_share *s, const struct tunnel *t)
{
    const struct loop *loop = &s->worker->loop;
    const uint32_t at = s->drain->order == DRAIN_OLDEST ? tunnel_started_ms(t) : tunnel_last_ms(t);

    return loop_mono_ms(loop) - (uint32_t)(loop_now_ms(loop) - at);
}

static bool is_ours(const struct closer_share *s, const struct tunnel *t)
{
    const bool is_part = s->drain->cause == DRAIN_LEAVERS ? leaver_is_tunnel(s->worker, t)
                                                          : drain_has(s->drain, tunnel_target(t));

    return is_part && tunnel_can_be_shut(t);
}

static void drop(struct closer_share *s, size_t at)
{
    s->count--;
    memmove(&s->batch[at], &s->batch[at + 1], (s->count - at) * sizeof(s->batch[0]));
}

/* In order; the last falls out of a full batch. */
static void insert(struct closer_share *s, struct tunnel *t, uint64_t key)
{
    size_t at = s->count;

    if (at == CLOSER_BATCH) {
        if (s->batch[at - 1].key <= key)
            return;
        at = --s->count;
    }
    for (; at > 0 && s->batch[at - 1].key > key; at--)
        s->batch[at] = s->batch[at - 1];
    s->batch[at] = (struct closer_candidate){ t, key };
    s->count++;
}

/* With a rate, nobody is told who could not close at once. */
static bool must_wait(const struct closer_share *s, const struct tunnel *t)
{
    return pace_is_rate(s->drain->pace) && !tunnel_is_at_boundary(t);
}

static void await(struct closer_share *s, struct tunnel *t, uint64_t key)
{
    tunnel_await(t, true);
    if (tunnel_is_moving(t) && key < s->due_key)
        s->due_key = key;
}

static void consider(struct closer_share *s, struct tunnel *t)
{
    if (!is_ours(s, t))
        return;
    if (must_wait(s, t))
        await(s, t, key_of(s, t));
    else
        insert(s, t, key_of(s, t));
}

static void look(struct closer_share *s)
{
    s->count = 0;
    s->is_looking = true;
    s->due_key = NOBODY;
    tunnel_walk_begin(s->worker, &s->walk);
}

static void end_look(struct closer_share *s)
{
    if (s->is_looking)
        tunnel_walk_end(&s->walk);
    s->is_looking = false;
}

static void look_on(struct closer_share *s)
{
    for (int i = 0; i < CLOSER_SLICE; i++) {
        struct tunnel *t = tunnel_walk_next(s->worker, &s->walk);
        if (t == NULL) {
            end_look(s);
            return;
        }
        consider(s, t);
    }
}

/* NULL when nobody is left in the batch. What has become of them since they were found? */
static struct tunnel *next(struct closer_share *s)
{
    while (s->count > 0) {
        struct closer_candidate *c = &s->batch[0];
        if (!is_ours(s, c->tunnel) || key_of(s, c->tunnel) != c->key) {
            drop(s, 0);
        } else if (must_wait(s, c->tunnel)) {
            await(s, c->tunnel, c->key);
            drop(s, 0);
        } else {
            return c->tunnel;
        }
    }
    return NULL;
}

/* --- whose turn it is ---------------------------------------------------------------------- */

static void tell_front(struct closer_share *s)
{
    uint64_t key = s->count > 0 ? s->batch[0].key : NOBODY;

    if (s->is_looking)
        key = UNKNOWN;
    else if (s->due_key < key)
        key = s->due_key;
    atomic_store_explicit(&s->drain->fronts[s->worker->loop.index], key, memory_order_relaxed);
}

static bool is_first(const struct closer_share *s)
{
    const struct drain *d = s->drain;

    if (s->due_key < s->batch[0].key)
        return false;
    for (size_t i = 0; i < d->loop_count; i++) {
        if (atomic_load_explicit(&d->fronts[i], memory_order_relaxed) < s->batch[0].key)
            return false;
    }
    return true;
}

/* Half a space of a rate at most; but for the very first, all loops have to have looked. */
static uint64_t grace_us(const struct drain *d)
{
    const struct pace *p = d->pace;

    if (atomic_load_explicit(&d->closed, memory_order_relaxed) == 0)
        return CLOSER_START_US;
    if (pace_is_rate(p) && p->spacing_us / 2 < CLOSER_GRACE_US)
        return p->spacing_us / 2;
    return CLOSER_GRACE_US;
}

static bool claim(struct drain *d, uint64_t now_us)
{
    if (!pace_claim(d->pace, now_us, drain_untold(d), random_jitter()))
        return false;
    atomic_fetch_add_explicit(&d->closed, 1, memory_order_relaxed);
    metric_add(&worker_here->counters.drain_closed, 1);
    return true;
}

static uint32_t return_ms(void)
{
    return (uint32_t)(random_jitter() % RETURN_MS);
}

/* --- a turn -------------------------------------------------------------------------------- */

static void wait_us(struct closer_share *s, uint64_t us)
{
    struct ev_loop *loop = s->worker->loop.ev;

    ev_timer_stop(loop, &s->timer);
    ev_timer_set(&s->timer, (double)us / 1e6, 0);
    ev_timer_start(loop, &s->timer);
}

/* How long until the next may be closed; 0: one was, or may have been. */
static uint64_t close_one(struct closer_share *s, struct tunnel *t)
{
    struct drain *d = s->drain;
    const uint64_t now_us = clock_mono_us(), due_us = pace_due_us(d->pace);
    const uint64_t grace = is_first(s) ? 0 : grace_us(d);

    if (now_us < due_us)
        return due_us - now_us;
    if (now_us < due_us + grace)
        return grace < CLOSER_STEP_US ? grace : CLOSER_STEP_US;
    if (!claim(d, now_us))
        return 0;
    if (d->cause == DRAIN_LEAVERS)
        tunnel_shut_leaver(t, return_ms());
    else
        tunnel_shut(t, return_ms()); /* which may free it: closer_forget() */
    return 0;
}

/* Microseconds until the next turn. */
static uint64_t turn(struct closer_share *s)
{
    if (s->is_looking) {
        look_on(s);
        tell_front(s);
        if (s->is_looking)
            return 0;
        if (s->count == 0) {
            look(s);
            return CLOSER_LOOK_MS * 1000;
        }
    }
    for (int i = 0; i < CLOSER_TURN; i++) {
        struct tunnel *t = next(s);
        if (t == NULL)
            look(s);
        tell_front(s);
        const uint64_t wait = t == NULL ? 0 : close_one(s, t);
        if (t == NULL || wait > 0)
            return wait;
    }
    return 0;
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int revents)
{
    struct closer_share *s = timer->data;
    (void)loop;
    (void)revents;

    wait_us(s, turn(s));
}

/* --- coming and going ------------------------------------------------------------------------ */

void closer_join(struct loop *loop, void *arg)
{
    struct worker *w = loop->user;
    struct closer_share *s = mem_new(struct closer_share);

    s->worker = w;
    s->drain = arg;
    list_append(&w->shares, &s->link);
    ev_timer_init(&s->timer, on_timer, 0, 0);
    s->timer.data = s;
    look(s);
    wait_us(s, 0);
}

static struct closer_share *share_of(struct worker *w, uint64_t id)
{
    list_each (at, &w->shares) {
        struct closer_share *s = list_entry(at, struct closer_share, link);
        if (s->drain->id == id)
            return s;
    }
    return NULL;
}

static void leave(struct closer_share *s)
{
    struct drain *d = s->drain;

    atomic_store(&d->fronts[s->worker->loop.index], NOBODY);
    ev_timer_stop(s->worker->loop.ev, &s->timer);
    end_look(s);
    list_remove(&s->link);
    free(s);
    drain_left(&d);
}

void closer_leave(struct loop *loop, void *arg)
{
    struct drain *d = arg;
    struct closer_share *s = share_of(loop->user, d->id);

    if (s != NULL)
        leave(s);
    drain_unref(&d);
}

/* The last one of this cause. */
static struct drain *drain_for(struct worker *w, enum drain_cause cause)
{
    struct drain *found = NULL;

    list_each (at, &w->shares) {
        struct closer_share *s = list_entry(at, struct closer_share, link);
        if (s->drain->cause == cause)
            found = s->drain;
    }
    return found;
}

struct drain *closer_shutdown(struct worker *w)
{
    return drain_for(w, DRAIN_SHUTDOWN);
}

struct drain *closer_leavers(struct worker *w)
{
    return drain_for(w, DRAIN_LEAVERS);
}

void closer_stop(struct worker *w, uint32_t cut)
{
    list_each_safe (at, after, &w->shares) {
        struct closer_share *s = list_entry(at, struct closer_share, link);
        if (s->drain->cause == DRAIN_SHUTDOWN)
            drain_count_cut(s->drain, w, cut);
        leave(s);
    }
}

void closer_forget(struct worker *w, const struct tunnel *t)
{
    list_each (at, &w->shares) {
        struct closer_share *s = list_entry(at, struct closer_share, link);
        for (size_t i = 0; i < s->count; i++) {
            if (s->batch[i].tunnel == t) {
                drop(s, i);
                break;
            }
        }
    }
}

/* The drain that it waits for: its target's, or that of leavers; NULL: it was called off. */
static struct drain *awaited(const struct tunnel *t)
{
    const struct closer_share *s = share_of(worker_here, target_drain_id(tunnel_target(t)));

    if (!tunnel_can_be_shut(t))
        return NULL;
    if (s != NULL)
        return s->drain;
    return leaver_is_tunnel(worker_here, t) ? closer_leavers(worker_here) : NULL;
}

bool closer_grants(struct tunnel *t, uint32_t *after_ms)
{
    struct drain *d = awaited(t);

    if (d == NULL) {
        tunnel_await(t, false);
        return false;
    }
    if (!claim(d, clock_mono_us()))
        return false;
    if (d->cause == DRAIN_LEAVERS)
        tunnel_mark_leaver(t);
    *after_ms = return_ms();
    return true;
}

struct drain *closer_drain_of(struct worker *w, const struct target *target)
{
    const struct closer_share *s = share_of(w, target_drain_id(target));

    return s == NULL ? NULL : s->drain;
}
