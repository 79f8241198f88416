/*
 * tunnel.c -- see tunnel.h.
 *
 *     relaying ---> (a close of ours: tunnel_close.c) ---> ended
 *         |                                                  ^
 *         +--- one side sent FIN: the other side gets it too +
 *         +--- reset, idle, cut -----------------------------+
 *
 * Here a tunnel begins, is timed and is told to end; tunnel_relay.c carries its bytes,
 * and tunnel_end() in tunnel_end.c is the only way to finish.
 */
#include "alb/tunnel.h"

#include "base/mem.h"
#include "net/addr.h"
#include "net/loop.h"
#include "net/watch.h"
#include "ws/close.h"

#include "alb/access_log.h"
#include "alb/config.h"
#include "alb/doctor_watch.h"
#include "alb/exchange.h"
#include "alb/leavers.h"
#include "alb/target.h"
#include "alb/tunnel_idle.h"
#include "alb/tunnel_private.h"
#include "alb/worker.h"

/* --- time ---------------------------------------------------------------------------- */

/* When it ended; or, while the last of it waits in the kernel, when that moved. */
static uint32_t ended_ms(const struct leg *leg, const struct leg *other, uint32_t now)
{
    const uint32_t moved = now - stream_since_data(&other->stream);

    return stream_waits(&other->stream) && (int32_t)(moved - leg->pinged_ms) > 0 ? moved
                                                                                 : leg->pinged_ms;
}

/* When it delivered a byte, or its end. What comes when the other side takes nothing more is for
 * nobody. */
static uint32_t heard_ms(const struct leg *leg, const struct leg *other, uint32_t now)
{
    if (leg->eof)
        return ended_ms(leg, other, now);
    return other->finished ? other->last_ms : leg->last_ms;
}

static struct tunnel_clock clock_of(const struct tunnel *t)
{
    const uint32_t now = loop_now_ms(&worker_here->loop);

    return (struct tunnel_clock){ now, heard_ms(&t->client, &t->target_leg, now),
                                  heard_ms(&t->target_leg, &t->client, now), tunnel_is_half(t) };
}

/* At once: what the client still gets of a frame of the target is a torn one. */
static void cut(struct tunnel *t, enum tunnel_end why, const char *reason)
{
    const struct ws_tracker *target = &t->target_leg.tracker;

    if (tunnel_policy_get(t)->cut_on_drain) {
        tunnel_end(t, why);
        return;
    }
    if (t->close < CLOSE_SENT && !ws_tracker_at_boundary(target) && !ws_tracker_is_opaque(target))
        why = TUNNEL_MID_FRAME;
    tunnel_close_now(t, tunnel_code_of_drain(t), reason);
    tunnel_end(t, why);
}

/* Until a Close of ours has its end: the timer is its time-out, but when all is said it looks
 * whether it has arrived. */
static uint32_t close_left_of(const struct tunnel *t)
{
    const uint32_t now = loop_now_ms(&worker_here->loop), limit = tunnel_policy_get(t)->close_ms;
    const uint32_t client = now - t->client.pinged_ms, target = now - t->target_leg.pinged_ms;
    const uint32_t passed = client < target ? client : target;

    return tunnel_is_finished(t) && passed < limit ? limit - passed : 0;
}

static void on_timer(struct wheel_timer *timer)
{
    struct tunnel *t = list_entry(timer, struct tunnel, timer);
    const struct tunnel_clock clock = clock_of(t);
    const uint32_t left = tunnel_idle_left(tunnel_policy_get(t), &clock);
    const uint32_t close_left = t->close > CLOSE_DUE ? close_left_of(t) : 0;

    if (close_left > 0) {
        wheel_set(&worker_here->loop.wheel, &t->timer, close_left);
    } else if (t->close > CLOSE_DUE) { /* it had no boundary, or no answer, in time */
        cut(t, tunnel_end_of_drain(t), t->is_leaver ? "left the edge set" : "restart");
    } else if (left == 0) {
        if (!tunnel_policy_get(t)->cut_on_idle)
            tunnel_close_now(t, WS_CLOSE_GOING_AWAY, "idle");
        tunnel_end(t, tunnel_idle_end(&clock));
    } else {
        const uint32_t ping = tunnel_ping_turn(t);
        wheel_set(&worker_here->loop.wheel, &t->timer, left < ping ? left : ping);
    }
    tunnel_settle(t);
}

/* --- starting and stopping ------------------------------------------------------------- */

void tunnel_enlist(struct worker *w, struct tunnel *t)
{
    if (w->tunnel_count == w->tunnel_size) {
        w->tunnel_size = w->tunnel_size == 0 ? 64 : w->tunnel_size * 2;
        w->tunnels = mem_resize(w->tunnels, w->tunnel_size * sizeof(struct tunnel *));
    }
    t->index = w->tunnel_count;
    w->tunnels[w->tunnel_count++] = t;
}

/* With a stream and its watcher, whose owner is done with them. */
static void init_leg(struct leg *leg, const struct stream *stream, ev_io *io)
{
    leg->stream = *stream;
    watch_hand_on(worker_here->loop.ev, io, &leg->io);
    leg->last_ms = leg->pinged_ms = loop_now_ms(&worker_here->loop);
    ws_tracker_init(&leg->tracker);
}

void tunnel_take_events(struct tunnel *t)
{
    ev_set_cb(&t->client.io, tunnel_on_client);
    ev_set_cb(&t->target_leg.io, tunnel_on_target);
    wheel_timer_init(&t->timer, on_timer);
}

/* Of a group that was removed while the target still made its 101, what [alb] says. */
static struct tunnel_policy *first_policy(const struct worker *w, const struct target *target)
{
    struct tunnel_policy *p = tunnel_policy_of(w->config, target->group);

    return tunnel_policy_ref(p != NULL ? p : w->config->policy);
}

static uint32_t first_look(const struct tunnel_policy *p)
{
    return p->ping_ms > 0 && p->ping_ms < p->idle_ms ? p->ping_ms : p->idle_ms;
}

void tunnel_take_policy(const struct worker *w, struct tunnel *t)
{
    t->client.io.data = first_policy(w, t->target);
}

void tunnel_count_in(const struct tunnel *t)
{
    atomic_fetch_add_explicit(&t->target->tunnels, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&t->target->untold, 1, memory_order_relaxed);
}

void tunnel_start(struct worker *w, const struct stream *client, ev_io *client_io,
                  struct buf *to_client, struct span early, struct exchange_tunnel *parts)
{
    struct tunnel *t = tunnel_new(w, &parts->facts);

    t->target = parts->target;
    t->entry = parts->entry;
    init_leg(&t->client, client, client_io);
    init_leg(&t->target_leg, &parts->stream, &parts->io);
    tunnel_take_events(t);
    tunnel_take_policy(w, t);
    doctor_watch_begin(w, &parts->upgrade, &t->target_leg.io.data);
    wheel_hasten(&w->loop.wheel, &t->timer,
                 loop_mono_ms(&w->loop) + first_look(tunnel_policy_get(t)));
    tunnel_enlist(w, t);
    tunnel_count_in(t);
    metric_add(&w->counters.upgrades, 1);
    metric_add(&w->counters.tunnels_open, 1);
    metric_add(&t->target->counters.tunnels, 1);

    /* The 101 first, which is counted already; then what each side said too early. */
    if (t->entry != NULL)
        t->entry->sent -= buf_len(to_client);
    tunnel_send(t, &t->client, buf_data(to_client));
    if (early.len > 0)
        tunnel_relay(t, &t->client, early);
    if (buf_len(&parts->from_target) > 0)
        tunnel_relay(t, &t->target_leg, buf_data(&parts->from_target));
    buf_done(&parts->from_target);
    leavers_check(w, t);
    tunnel_settle(t);
}

bool tunnel_can_be_shut(const struct tunnel *t)
{
    return t->close <= CLOSE_DUE && t->end == TUNNEL_ALIVE && !tunnel_policy_get(t)->cut_on_drain;
}

bool tunnel_is_at_boundary(const struct tunnel *t)
{
    const struct ws_tracker *target = &t->target_leg.tracker;

    return ws_tracker_at_boundary(target) || ws_tracker_is_opaque(target);
}

bool tunnel_is_moving(const struct tunnel *t)
{
    return loop_now_ms(&worker_here->loop) - t->target_leg.last_ms < 1000;
}

uint32_t tunnel_started_ms(const struct tunnel *t)
{
    return t->started_ms;
}

uint32_t tunnel_last_ms(const struct tunnel *t)
{
    const uint32_t client = t->client.last_ms, target = t->target_leg.last_ms;

    return (int32_t)(client - target) > 0 ? client : target;
}

const struct target *tunnel_target(const struct tunnel *t)
{
    return t->target;
}

bool tunnel_peer(const struct tunnel *t, struct ip *peer)
{
    struct addr addr;

    return addr_peer(t->client.stream.fd, &addr) && addr_ip(&addr, peer);
}

enum tunnel_end tunnel_end_of_drain(const struct tunnel *t)
{
    if (t->is_leaver)
        return TUNNEL_LEFT;
    return worker_here->is_draining ? TUNNEL_SHUTDOWN : TUNNEL_DRAINED;
}

uint16_t tunnel_code_of_drain(const struct tunnel *t)
{
    return t->is_leaver ? WS_CLOSE_GOING_AWAY : WS_CLOSE_RESTART;
}

void tunnel_await(struct tunnel *t, bool is_due)
{
    if (t->close > CLOSE_DUE)
        return;
    if (is_due)
        tunnel_ping_stop(t);
    t->close = is_due ? CLOSE_DUE : CLOSE_NONE;
}

void tunnel_tell(struct tunnel *t, uint32_t after_ms)
{
    tunnel_ping_stop(t);
    t->close = CLOSE_WANTED;
    t->after_ms = (uint16_t)(after_ms < UINT16_MAX ? after_ms : UINT16_MAX);
    t->is_told = true;
    atomic_fetch_sub_explicit(&t->target->untold, 1, memory_order_relaxed);
    wheel_set(&worker_here->loop.wheel, &t->timer, tunnel_policy_get(t)->close_ms);
}

void tunnel_shut(struct tunnel *t, uint32_t after_ms)
{
    if (!tunnel_can_be_shut(t))
        return;
    tunnel_tell(t, after_ms);
    tunnel_settle(t);
}

void tunnel_mark_leaver(struct tunnel *t)
{
    t->is_leaver = true;
}

void tunnel_shut_leaver(struct tunnel *t, uint32_t after_ms)
{
    if (!tunnel_can_be_shut(t))
        return;
    tunnel_mark_leaver(t);
    tunnel_shut(t, after_ms);
}

bool tunnel_cut(struct tunnel *t, enum tunnel_end why)
{
    const bool is_untold = !t->is_told;

    t->is_leaver = why == TUNNEL_LEFT;
    if (why == TUNNEL_SHUTDOWN)
        cut(t, why, "restart");
    else
        cut(t, why, why == TUNNEL_LEFT ? "left the edge set" : "target removed");
    tunnel_settle(t);
    return is_untold;
}

uint32_t tunnels_cut(struct worker *w)
{
    uint32_t count = 0;

    for (uint32_t i = w->tunnel_count; i-- > 0;)
        count += tunnel_cut(w->tunnels[i], TUNNEL_SHUTDOWN);
    return count;
}

static void take_policy(struct tunnel *t, struct tunnel_policy *p)
{
    struct tunnel_policy *old = t->client.io.data;

    t->client.io.data = tunnel_policy_ref(p);
    tunnel_policy_unref(&old);
    if (t->close <= CLOSE_DUE)
        wheel_set(&worker_here->loop.wheel, &t->timer, 0); /* look again at once */
}

void tunnels_adopt(struct worker *w, const struct config *before, const struct config *now)
{
    if (!tunnel_policies_differ(before, now))
        return;
    for (uint32_t i = 0; i < w->tunnel_count; i++) {
        struct tunnel *t = w->tunnels[i];
        struct tunnel_policy *p = tunnel_policy_of(now, t->target->group);
        if (p != NULL && !tunnel_policy_equal(p, tunnel_policy_get(t)))
            take_policy(t, p);
    }
}
