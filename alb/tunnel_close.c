/*
 * tunnel_close.c -- ending a tunnel in the protocol's own words.
 *
 * Our Close to the client goes between two frames of the target, never inside
 * one; from then on the target's data is dropped. The client's data still goes
 * to the target until the client's own Close, in whose place the target gets a
 * masked Close 1001. A direction that the tracker cannot follow gets none: it
 * is simply cut.
 */
#include "alb/tunnel_private.h"

#include <stdio.h>

#include "base/random.h"
#include "net/loop.h"
#include "ws/close.h"
#include "ws/frame.h"

#include "alb/closer.h"
#include "alb/worker.h"

enum { TARGET_CODE = 1001 };

static void send_close(struct tunnel *t, struct leg *to, uint16_t code, const char *reason)
{
    uint8_t payload[WS_CONTROL_MAX], frame[WS_HEADER_MAX + WS_CONTROL_MAX], mask[4];
    const size_t n = ws_close_write(payload, code, span_text(reason));

    random_bytes(mask, sizeof(mask));
    const size_t len = ws_control_write(frame, WS_OP_CLOSE, span_of(payload, n),
                                        to == &t->target_leg ? mask : NULL);
    tunnel_send(t, to, span_of(frame, len));
}

/* Its own Close, when that is already on the way, is not passed on. */
static bool may_close_target(const struct tunnel *t)
{
    return t->close == CLOSE_ANSWERING || ws_tracker_at_boundary(&t->client.tracker);
}

void tunnel_close_now(struct tunnel *t, uint16_t code, const char *reason)
{
    tunnel_ping_stop(t);
    if (t->close < CLOSE_SENT && ws_tracker_at_boundary(&t->target_leg.tracker))
        send_close(t, &t->client, code, reason);
    if (t->close < CLOSE_DONE && may_close_target(t))
        send_close(t, &t->target_leg, TARGET_CODE, "");
    t->close = CLOSE_DONE;
}

static void close_client(struct tunnel *t)
{
    char reason[40];

    snprintf(reason, sizeof(reason), "%s;after=%u", t->is_leaver ? "left the edge set" : "restart",
             t->after_ms);
    send_close(t, &t->client, tunnel_code_of_drain(t), reason);
    tunnel_blame(t, tunnel_end_of_drain(t));
    t->close = CLOSE_SENT;
    wheel_set(&worker_here->loop.wheel, &t->timer, tunnel_policy_get(t)->close_ms);
}

/* Nothing more comes from it that the target should have. */
static bool client_is_done(const struct tunnel *t)
{
    return t->client.eof || ws_tracker_close_seen(&t->client.tracker) ||
           (t->close == CLOSE_ANSWERING && ws_tracker_is_opaque(&t->client.tracker));
}

/* The next step of an orderly close, when the bytes before it are on their way. */
void tunnel_close_advance(struct tunnel *t)
{
    const struct ws_tracker *target = &t->target_leg.tracker;

    if (t->close == CLOSE_WANTED && ws_tracker_at_boundary(target))
        close_client(t);
    if (t->close == CLOSE_WANTED && ws_tracker_is_opaque(target)) {
        tunnel_close_now(t, tunnel_code_of_drain(t), "");
        tunnel_end(t, tunnel_end_of_drain(t));
    }
    if (t->close >= CLOSE_SENT && client_is_done(t))
        tunnel_close_now(t, tunnel_code_of_drain(t), "");
}

/* One step of the tracker; what it took. */
static size_t follow(struct leg *from, struct span bytes)
{
    enum ws_step step;
    const size_t n = ws_tracker_step(&from->tracker, bytes, &step);

    if (step == WS_STEP_FRAME_END)
        from->counts.frames[ws_kind_of(ws_tracker_opcode(&from->tracker))]++;
    return n;
}

/* Up to the end of a frame; what comes behind it is dropped. */
static struct span until_boundary(struct leg *target, struct span bytes)
{
    size_t n = 0;

    while (n < bytes.len && (n == 0 || !ws_tracker_at_boundary(&target->tracker)))
        n += follow(target, span_after(bytes, n));
    return span_of(bytes.ptr, n);
}

/* Up to the end of a frame at which a drain's rate has room for its close; all, if there is
 * none. */
static struct span until_turn(struct tunnel *t, struct span bytes)
{
    struct leg *target = &t->target_leg;
    uint32_t after_ms;
    size_t n = 0;

    while (n < bytes.len) {
        n += follow(target, span_after(bytes, n));
        if (!ws_tracker_at_boundary(&target->tracker) || !closer_grants(t, &after_ms))
            continue;
        tunnel_tell(t, after_ms);
        break;
    }
    return span_of(bytes.ptr, n);
}

static bool begins_close(const struct leg *from, struct span bytes)
{
    return ws_tracker_at_boundary(&from->tracker) && (bytes.ptr[0] & 15) == WS_OP_CLOSE;
}

/* Up to the client's Close. One whose first bytes have gone is passed on. */
static struct span until_close(struct tunnel *t, struct span bytes)
{
    struct leg *client = &t->client;
    size_t n = 0;

    while (n < bytes.len && !begins_close(client, span_after(bytes, n)))
        n += follow(client, span_after(bytes, n));
    if (n < bytes.len)
        t->close = CLOSE_ANSWERING;
    ws_tracker_feed(&client->tracker, span_after(bytes, n), &client->counts);
    return span_of(bytes.ptr, n);
}

struct span tunnel_close_filter(struct tunnel *t, struct leg *from, struct span bytes)
{
    const bool is_target = from == &t->target_leg;

    if (is_target && t->close == CLOSE_DUE)
        return until_turn(t, bytes);
    if (is_target && t->close == CLOSE_WANTED)
        return until_boundary(from, bytes);
    if (!is_target && t->close == CLOSE_SENT)
        return until_close(t, bytes);
    ws_tracker_feed(&from->tracker, bytes, &from->counts);
    return span_of(bytes.ptr, t->close <= CLOSE_WANTED ? bytes.len : 0);
}
