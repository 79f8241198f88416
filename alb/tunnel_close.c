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

void tunnel_close_now(struct tunnel *t, uint16_t code, const char *reason)
{
    if (t->close < CLOSE_SENT && ws_tracker_at_boundary(&t->target_leg.tracker))
        send_close(t, &t->client, code, reason);
    if (t->close < CLOSE_DONE && ws_tracker_at_boundary(&t->client.tracker))
        send_close(t, &t->target_leg, TARGET_CODE, "");
    t->close = CLOSE_DONE;
}

/* The next step of an orderly close, when the bytes before it are on their way. */
void tunnel_close_advance(struct tunnel *t)
{
    char reason[40];

    if (t->close == CLOSE_WANTED && ws_tracker_at_boundary(&t->target_leg.tracker)) {
        snprintf(reason, sizeof(reason), "restart;after=%u", t->after_ms);
        send_close(t, &t->client, WS_CLOSE_RESTART, reason);
        t->close = CLOSE_SENT;
    } else if (t->close == CLOSE_WANTED && ws_tracker_is_opaque(&t->target_leg.tracker)) {
        tunnel_end(t, TUNNEL_MID_FRAME);
    } else if (t->close == CLOSE_ANSWERED) {
        send_close(t, &t->target_leg, TARGET_CODE, "");
        t->close = CLOSE_DONE;
    }
    /* Both know: nothing more is read, and each gets its FIN after what waits. */
    if (t->close == CLOSE_DONE)
        t->client.eof = t->target_leg.eof = true;
}

/* Follow up to the end of a frame; what comes behind it is dropped. */
static struct span until_boundary(struct tunnel *t, struct span bytes)
{
    struct ws_tracker *tracker = &t->target_leg.tracker;
    struct span rest = bytes;

    while (rest.len > 0) {
        enum ws_step step;
        rest = span_after(rest, ws_tracker_step(tracker, rest, &step));
        if (step == WS_STEP_FRAME_END && ws_tracker_at_boundary(tracker))
            break;
    }
    return span_of(bytes.ptr, bytes.len - rest.len);
}

/* Follow up to the client's Close, which is not passed on when all of it is
 * here. One that was cut by the network goes on as it is. */
static struct span until_close(struct tunnel *t, struct span bytes)
{
    struct ws_tracker *tracker = &t->client.tracker;
    struct span rest = bytes;

    while (rest.len > 0) {
        const bool at_boundary = ws_tracker_at_boundary(tracker);
        const struct span before = rest;
        enum ws_step step;
        rest = span_after(rest, ws_tracker_step(tracker, rest, &step));
        if (step != WS_STEP_HEADER && step != WS_STEP_FRAME_END)
            continue;
        if (ws_tracker_opcode(tracker) == WS_OP_CLOSE) {
            t->close = at_boundary ? CLOSE_ANSWERED : CLOSE_DONE;
            return at_boundary ? span_of(bytes.ptr, bytes.len - before.len) : bytes;
        }
    }
    return bytes;
}

static struct span from_target(struct tunnel *t, struct span bytes)
{
    if (t->close != CLOSE_WANTED)
        return span_of(bytes.ptr, 0);
    return until_boundary(t, bytes);
}

struct span tunnel_close_filter(struct tunnel *t, struct leg *from, struct span bytes)
{
    if (from == &t->target_leg)
        return from_target(t, bytes);
    if (t->close != CLOSE_SENT) {
        ws_tracker_feed(&from->tracker, bytes, &from->counts);
        return bytes;
    }
    return until_close(t, bytes);
}
