/*
 * tunnel_end.c -- what becomes of a tunnel that is over: the first reason stays, the
 * counters and the log are told, the memory goes.
 */
#include "alb/tunnel_private.h"

#include <inttypes.h>

#include "base/log.h"
#include "base/mem.h"

#include "alb/access_log.h"
#include "alb/balancer.h"
#include "alb/closer.h"
#include "alb/doctor_watch.h"
#include "alb/target.h"
#include "alb/tunnel_walk.h"
#include "alb/worker.h"

void tunnel_blame(struct tunnel *t, enum tunnel_end why)
{
    if (t->end == TUNNEL_ALIVE)
        t->end = (uint8_t)why;
}

void tunnel_end(struct tunnel *t, enum tunnel_end why)
{
    tunnel_blame(t, why);
    t->is_over = true;
}

static void count_end(struct tunnel *t)
{
    struct counters *n = &worker_here->counters;
    struct target_counters *tc = &t->target->counters;

    atomic_fetch_sub_explicit(&t->target->tunnels, 1, memory_order_relaxed);
    if (!t->is_told)
        atomic_fetch_sub_explicit(&t->target->untold, 1, memory_order_relaxed);
    metric_sub(&n->tunnels_open, 1);
    metric_sub(&tc->connections_open, 1);
    metric_add(&n->tunnels_ended, 1);
    if (t->end == TUNNEL_IDLE_CLIENT || t->end == TUNNEL_IDLE_TARGET)
        metric_add(&n->tunnels_idle, 1);
    if (ws_tracker_is_opaque(&t->client.tracker) || ws_tracker_is_opaque(&t->target_leg.tracker))
        metric_add(&n->tunnels_opaque, 1);
    metric_add(&tc->frames_from_client, tunnel_frames(&t->client));
    metric_add(&tc->frames_from_target, tunnel_frames(&t->target_leg));
}

/* A reset that ends it is its end, and nothing before that. */
static bool was_half(const struct tunnel *t, const struct leg *leg)
{
    return leg->eof && !(leg->gone && t->is_over);
}

/* Its Close went out in the turn that ended it. */
static bool was_cut_at_once(const struct tunnel *t)
{
    return t->is_over && (t->end == TUNNEL_IDLE_CLIENT || t->end == TUNNEL_IDLE_TARGET ||
                          t->end == TUNNEL_PONG_CLIENT || t->end == TUNNEL_PONG_TARGET);
}

static enum tunnel_state state_of(const struct tunnel *t)
{
    if (t->close > CLOSE_DUE && !was_cut_at_once(t))
        return TUNNEL_CLOSING;
    if (was_half(t, &t->client) || was_half(t, &t->target_leg))
        return TUNNEL_HALF_CLOSED;
    return target_state_of(t->target) == TARGET_DRAINING ? TUNNEL_DRAINING : TUNNEL_OPEN;
}

static void view_leg(const struct leg *leg, struct tunnel_side *out)
{
    *out = (struct tunnel_side){
        .bytes = leg->bytes,
        .idle_ms = loop_now_ms(&worker_here->loop) - leg->last_ms,
        .rtt_ms = leg->rtt_ms,
        .rtt_most_ms = leg->rtt_most_ms,
        .close_code = ws_tracker_close_code(&leg->tracker),
        .is_opaque = ws_tracker_is_opaque(&leg->tracker),
    };
    memcpy(out->frames, leg->counts.frames, sizeof(out->frames));
}

void tunnel_view(const struct tunnel *t, struct tunnel_view *out)
{
    const struct loop *loop = &worker_here->loop;

    out->facts = tunnel_facts(t);
    out->target = t->target->key;
    out->peer.family = 0;
    out->seen_us = loop_wall_us(loop);
    out->age_ms = loop_mono_ms(loop) - out->facts.from_ms;
    out->state = (uint8_t)state_of(t);
    out->end = t->end;
    out->is_over = false;
    view_leg(&t->client, &out->from[FROM_CLIENT]);
    view_leg(&t->target_leg, &out->from[FROM_TARGET]);
}

/* A line for each tunnel that its peers end would be most of the log, and cost more than its
 * record, which has it as well. */
static void log_our_end(const struct tunnel_view *v)
{
    const struct tunnel_facts *f = &v->facts;
    char client[IP_TEXT_MAX];

    if (tunnel_end_party((enum tunnel_end)v->end) != PARTY_US)
        return;
    log_info("tunnel end reason=\"%s\" id=TID_%016" PRIx64 "%016" PRIx64
             " client=%s port=%u group=%s target=%s age_ms=%" PRIu64,
             tunnel_end_name((enum tunnel_end)v->end), f->id[0], f->id[1],
             ip_format(&f->client, client), f->port, v->target->group, v->target->text, v->age_ms);
}

static void keep_record(const struct tunnel *t)
{
    struct tunnel_view view;

    tunnel_view(t, &view);
    view.is_over = true;
    tunnel_ring_add(&worker_here->balancer->closed, &view);
    log_our_end(&view);
}

static void write_row(struct tunnel *t)
{
    struct access_entry *e = t->entry;
    const struct leg *legs[2] = { &t->client, &t->target_leg };

    if (e == NULL)
        return;
    e->is_websocket = true;
    e->end = tunnel_end_name((enum tunnel_end)t->end);
    e->received += t->client.bytes;
    if (t->client.pending != NULL)
        e->sent -= buf_len(t->client.pending);
    for (int i = 0; i < 2; i++) {
        e->close_code[i] = ws_tracker_close_code(&legs[i]->tracker);
        e->frames[i] = tunnel_frames(legs[i]);
    }
    access_log_row(worker_here, &t->entry);
}

static void free_leg(struct leg *leg)
{
    ev_io_stop(worker_here->loop.ev, &leg->io);
    stream_close(&leg->stream);
    if (leg->pending != NULL)
        buf_done(leg->pending);
    free(leg->pending);
}

void tunnel_free(struct tunnel *t)
{
    struct worker *w = worker_here;
    struct tunnel_policy *policy = t->client.io.data;

    keep_record(t);
    closer_forget(w, t);
    doctor_watch_end(w, &t->target_leg.io.data, (enum tunnel_end)t->end);
    write_row(t);
    count_end(t); /* whoever sees it counted finds what is kept of it */
    tunnel_walk_forget(w, t);
    wheel_stop(&w->loop.wheel, &t->timer);
    free_leg(&t->client);
    free_leg(&t->target_leg);
    tunnel_policy_unref(&policy);
    target_release(t->target);
    target_unref(&t->target);
    balancer_connection_closed(w->balancer, w);
    tunnel_give(w, t);
}
