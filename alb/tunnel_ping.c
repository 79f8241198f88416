/*
 * tunnel_ping.c -- keep-alive pings of ours, and what becomes of their pongs.
 *
 *        ping_interval without a byte to or from a leg
 *            -> wanted -> (the end of a frame on the way to it) -> out -> its pong, withheld
 *                                                                   -> silence: pong timeout
 *
 * A leg is pinged when its quiet lasts, whoever is quiet: what stands between us and a client
 * may count one direction only. The pong is told from others' by a tag that no other one has by
 * chance, made again from the tunnel's id and when the ping went out: nothing is stored. All that
 * costs anything happens only while a ping is out or wanted; lib/ws/ping.h does the taking out.
 */
#include "alb/tunnel_private.h"

#include "base/random.h"
#include "net/loop.h"
#include "ws/close.h"
#include "ws/frame.h"
#include "ws/ping.h"

#include "alb/worker.h"

static const uint32_t NEVER = UINT32_MAX;

enum { AGAIN_MS = 1000 }; /* to the next look when something is in the way */

/* --- the tag ----------------------------------------------------------------------- */

/* The finaliser of splitmix64. */
static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

/* Of the last ping to this leg. Of what moves with the tunnel when another process takes over:
 * the pong may come there. */
static void make_tag(const struct tunnel *t, const struct leg *leg, uint8_t tag[WS_PING_TAG])
{
    const struct tunnel_facts facts = tunnel_facts(t);
    const uint64_t side = mix(facts.id[0] + (uint64_t)tunnel_side(t, leg));
    const uint64_t x = mix(side ^ facts.id[1]) + leg->pinged_ms;

    memcpy(tag, &(uint64_t){ mix(x) }, WS_PING_TAG);
}

/* --- time ---------------------------------------------------------------------------- */

static uint32_t left_of(uint32_t limit_ms, uint32_t since_ms)
{
    const uint32_t gone = loop_now_ms(&worker_here->loop) - since_ms;

    return gone >= limit_ms ? 0 : limit_ms - gone;
}

static uint32_t later(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) > 0 ? a : b;
}

static uint32_t sooner(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* Until nothing was sent to it, or nothing came from it, for the interval. */
static uint32_t ping_left(struct tunnel *t, const struct leg *leg)
{
    const uint32_t limit = tunnel_policy_get(t)->ping_ms;
    const uint32_t sent = later(tunnel_other_leg(t, leg)->last_ms, leg->pinged_ms);
    const uint32_t heard = later(leg->last_ms, leg->pinged_ms + leg->rtt_ms);

    return sooner(left_of(limit, sent), left_of(limit, heard));
}

/* --- sending ------------------------------------------------------------------------ */

static bool is_followed(const struct leg *leg)
{
    return !leg->eof && !ws_tracker_is_opaque(&leg->tracker) &&
           !ws_tracker_close_seen(&leg->tracker);
}

/* Can this tunnel be pinged at all, now and later? */
static bool has_pings(const struct tunnel *t)
{
    return tunnel_policy_get(t)->ping_ms > 0 && t->close == CLOSE_NONE && !t->is_over &&
           is_followed(&t->client) && is_followed(&t->target_leg);
}

/* An end may answer only the latest ping: ours must not hide the other side's. */
static bool may_ping(const struct tunnel *t, const struct leg *leg)
{
    return has_pings(t) && !(leg->ping & (PING_OUT | PING_FOREIGN));
}

static void send_ping(struct tunnel *t, struct leg *leg)
{
    uint8_t tag[WS_PING_TAG], frame[WS_HEADER_MAX + WS_CONTROL_MAX], mask[4];

    leg->pinged_ms = loop_now_ms(&worker_here->loop);
    leg->ping = (uint8_t)((leg->ping & PING_FOREIGN) | PING_OUT);
    make_tag(t, leg, tag);
    random_bytes(mask, sizeof(mask));
    const size_t n = ws_control_write(frame, WS_OP_PING, span_of(tag, WS_PING_TAG),
                                      tunnel_is_client(t, leg) ? NULL : mask);
    tunnel_send(t, leg, span_of(frame, n));
    metric_add(&worker_here->counters.pings[tunnel_side(t, leg)], 1);
}

/* What goes to it ends with a frame, and none of it waits. */
static bool can_ping_now(struct tunnel *t, const struct leg *leg)
{
    return leg->pending == NULL && ws_tracker_at_boundary(&tunnel_other_leg(t, leg)->tracker);
}

void tunnel_ping_flushed(struct tunnel *t, struct leg *leg)
{
    if (may_ping(t, leg) && can_ping_now(t, leg))
        send_ping(t, leg);
}

/* --- relaying while one is out or wanted ---------------------------------------------- */

struct passage {
    struct tunnel *t;
    struct leg *from, *to;
    uint32_t pings; /* of others, before these bytes */
    bool has_passed;
};

static void on_pass(void *user, struct span bytes)
{
    struct passage *p = user;

    p->has_passed = true;
    tunnel_send(p->t, p->to, bytes);
}

static void on_boundary(void *user)
{
    struct passage *p = user;

    if (p->from->counts.frames[WS_KIND_PING] != p->pings)
        p->to->ping |= PING_FOREIGN;
    p->to->ping &= (uint8_t)~PING_WANTED;
    if (may_ping(p->t, p->to))
        send_ping(p->t, p->to);
}

/* The next one may be due long before the look that was to find this one unanswered. */
static void note_answer(struct tunnel *t, struct leg *leg)
{
    struct loop *loop = &worker_here->loop;
    const uint32_t ms = loop_now_ms(loop) - leg->pinged_ms;
    const uint16_t rtt = (uint16_t)(ms == 0 ? 1 : ms < UINT16_MAX ? ms : UINT16_MAX);
    const int side = tunnel_side(t, leg);

    leg->ping &= PING_WANTED | PING_FOREIGN;
    leg->rtt_ms = rtt;
    leg->rtt_most_ms = rtt > leg->rtt_most_ms ? rtt : leg->rtt_most_ms;
    metric_add(&worker_here->counters.pongs[side], 1);
    metric_observe_us(&worker_here->counters.ping_time[side], (uint64_t)ms * 1000);
    if (has_pings(t))
        wheel_hasten(&loop->wheel, &t->timer, loop_mono_ms(loop) + ping_left(t, leg));
}

void tunnel_ping_relay(struct tunnel *t, struct leg *from, struct span bytes)
{
    struct passage p = { t, from, tunnel_other_leg(t, from), from->counts.frames[WS_KIND_PING],
                         false };
    uint8_t tag[WS_PING_TAG];
    struct ws_ping_filter f = {
        .tracker = &from->tracker,
        .counts = &from->counts,
        .tag = from->ping & PING_OUT ? tag : NULL,
        .is_masked = tunnel_is_client(t, from),
        .is_holding = from->ping & PING_HOLDING,
        .wants_boundary = p.to->ping & PING_WANTED,
        .pass = on_pass,
        .at_boundary = on_boundary,
        .user = &p,
    };

    make_tag(t, from, tag);
    const bool is_answered = ws_ping_feed(&f, bytes);
    from->ping = (uint8_t)((from->ping & ~PING_HOLDING) | (f.is_holding ? PING_HOLDING : 0));
    if (is_answered)
        note_answer(t, from);
    if (p.has_passed)
        from->ping |= from->ping & PING_OUT ? PING_HEARD : 0;
    if (!p.has_passed && !(is_answered && tunnel_policy_get(t)->idle_counts_pings))
        return;
    const uint32_t now = loop_now_ms(&worker_here->loop);
    tunnel_note_quiet(t, from, now);
    from->last_ms = now;
}

void tunnel_ping_note(struct tunnel *t, struct leg *from, bool has_ping, bool has_pong)
{
    if (has_ping)
        tunnel_other_leg(t, from)->ping |= PING_FOREIGN;
    if (has_pong)
        from->ping &= (uint8_t)~PING_FOREIGN;
}

/* --- giving up ------------------------------------------------------------------------ */

/* A pong that comes later is passed on, as anybody may send one unasked (RFC 6455 5.5.3). */
static void forget(struct tunnel *t, struct leg *leg)
{
    uint8_t tag[WS_PING_TAG], held[WS_PONG_MAX];

    if (leg->ping & PING_HOLDING) {
        make_tag(t, leg, tag);
        const size_t n = ws_ping_held(&leg->tracker, tag, held);
        tunnel_send(t, tunnel_other_leg(t, leg), span_of(held, n));
    }
    leg->ping &= PING_FOREIGN;
}

void tunnel_ping_stop(struct tunnel *t)
{
    forget(t, &t->client);
    forget(t, &t->target_leg);
}

void tunnel_ping_finished(struct tunnel *t, struct leg *leg)
{
    forget(t, leg);
    tunnel_other_leg(t, leg)->ping &= (uint8_t)~PING_WANTED;
}

static void end_silent(struct tunnel *t, const struct leg *leg)
{
    metric_add(&worker_here->counters.pong_timeouts[tunnel_side(t, leg)], 1);
    if (!tunnel_policy_get(t)->cut_on_idle)
        tunnel_close_now(t, WS_CLOSE_GOING_AWAY, "pong timeout");
    tunnel_end(t, tunnel_is_client(t, leg) ? TUNNEL_PONG_CLIENT : TUNNEL_PONG_TARGET);
}

/* --- turns --------------------------------------------------------------------------- */

/* Any byte proves it; also one that had to wait, and for which the leg was not read. */
static bool has_answered(const struct leg *leg)
{
    return leg->ping & (PING_HOLDING | PING_HEARD) || (int32_t)(leg->last_ms - leg->pinged_ms) > 0;
}

/* A ping is out: how long it may stay so; 0 when it is given up. Nobody can say while the leg
 * is not read, because the other side takes nothing; nor while our ping waits behind bytes that
 * the leg's kernel still takes: then the time counts from its last ACK. */
static uint32_t wait_for_pong(struct tunnel *t, struct leg *leg)
{
    const struct tunnel_policy *p = tunnel_policy_get(t);
    const uint32_t left = left_of(p->pong_ms, leg->pinged_ms);

    if (left > 0)
        return left;
    if (tunnel_other_leg(t, leg)->pending != NULL)
        return AGAIN_MS;
    if (has_answered(leg)) {
        forget(t, leg);
        return 0;
    }
    if (stream_waits(&leg->stream))
        leg->ping |= PING_LATE;
    if (leg->ping & PING_LATE && stream_since_ack(&leg->stream) < p->pong_ms)
        return AGAIN_MS;
    end_silent(t, leg);
    return NEVER;
}

static uint32_t turn_of(struct tunnel *t, struct leg *leg)
{
    const struct tunnel_policy *p = tunnel_policy_get(t);

    if (leg->ping & PING_OUT && !tunnel_other_leg(t, leg)->eof) {
        const uint32_t left = wait_for_pong(t, leg);
        if (left > 0)
            return left;
    }
    if (!has_pings(t))
        return t->close == CLOSE_DUE ? AGAIN_MS : NEVER;
    const uint32_t left = ping_left(t, leg);
    if (left > 0)
        return left;
    if (!may_ping(t, leg))
        return AGAIN_MS;
    if (!can_ping_now(t, leg)) {
        leg->ping |= PING_WANTED;
        return AGAIN_MS;
    }
    send_ping(t, leg);
    return sooner(p->ping_ms, p->pong_ms);
}

uint32_t tunnel_ping_turn(struct tunnel *t)
{
    const uint32_t client = turn_of(t, &t->client);
    const uint32_t target = turn_of(t, &t->target_leg);

    return sooner(client, target);
}
