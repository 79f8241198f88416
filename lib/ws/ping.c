/* ping.c -- see ping.h. */
#include "ws/ping.h"

#include <string.h>

enum { PONG_FIRST = 0x80 | WS_OP_PONG, MASKED = 0x80 };

static size_t header_len(bool is_masked)
{
    return is_masked ? 6 : 2;
}

size_t ws_ping_held(const struct ws_tracker *tracker, const uint8_t tag[WS_PING_TAG],
                    uint8_t out[WS_PONG_MAX])
{
    const struct span header = ws_tracker_header(tracker);
    const uint8_t *mask = ws_tracker_mask(tracker);
    size_t n = header.len;

    memcpy(out, header.ptr, n);
    if (tracker->have > 0) /* which is not whole */
        return n;
    for (size_t i = 0; i < WS_PING_TAG - (size_t)tracker->left; i++)
        out[n++] = tag[i] ^ mask[i % 4];
    return n;
}

/* Is this the byte that the pong has behind those `n`? */
static bool fits(const struct ws_ping_filter *f, const uint8_t *seen, size_t n, uint8_t byte)
{
    const size_t header = header_len(f->is_masked);

    if (n == 0)
        return byte == PONG_FIRST;
    if (n == 1)
        return byte == (WS_PING_TAG | (f->is_masked ? MASKED : 0));
    if (n < header)
        return true; /* any mask */
    const uint8_t mask = f->is_masked ? seen[2 + (n - header) % 4] : 0;
    return byte == (f->tag[n - header] ^ mask);
}

static void pass_followed(struct ws_ping_filter *f)
{
    if (f->followed > 0)
        f->pass(f->user, span_of(f->rest.ptr, f->followed));
    f->rest = span_after(f->rest, f->followed);
    f->followed = 0;
}

static void offer_boundary(struct ws_ping_filter *f)
{
    if (!f->wants_boundary || !ws_tracker_at_boundary(f->tracker))
        return;
    pass_followed(f);
    f->wants_boundary = false;
    f->at_boundary(f->user);
}

/* They belong to the pong, or may: they do not go on now. */
static void hold(struct ws_ping_filter *f, size_t n, bool is_whole)
{
    struct ws_counts uncounted = { 0 };

    pass_followed(f);
    ws_tracker_feed(f->tracker, span_of(f->rest.ptr, n), &uncounted);
    f->rest = span_after(f->rest, n);
    f->is_holding = !is_whole;
    if (is_whole)
        f->tag = NULL;
}

/* Does what comes go on to be the pong, as far as it goes? Then it is held. */
static bool match(struct ws_ping_filter *f)
{
    const struct span in = span_after(f->rest, f->followed);
    const size_t whole = header_len(f->is_masked) + WS_PING_TAG;
    uint8_t seen[WS_PONG_MAX];
    const size_t held = f->is_holding ? ws_ping_held(f->tracker, f->tag, seen) : 0;
    size_t n = 0;

    while (n < in.len && held + n < whole && fits(f, seen, held + n, (uint8_t)in.ptr[n])) {
        seen[held + n] = (uint8_t)in.ptr[n];
        n++;
    }
    if (n == in.len || held + n == whole) {
        hold(f, n, held + n == whole);
        return true;
    }
    if (f->is_holding)
        f->pass(f->user, span_of(seen, held));
    f->is_holding = false;
    return false;
}

static void follow(struct ws_ping_filter *f)
{
    enum ws_step step;

    f->followed += ws_tracker_step(f->tracker, span_after(f->rest, f->followed), &step);
    if (step == WS_STEP_FRAME_END)
        f->counts->frames[ws_kind_of(ws_tracker_opcode(f->tracker))]++;
}

bool ws_ping_feed(struct ws_ping_filter *f, struct span bytes)
{
    const bool was_looked_for = f->tag != NULL;

    f->rest = bytes;
    f->followed = 0;
    while (f->followed < f->rest.len) {
        offer_boundary(f);
        const bool may_be = f->is_holding || ws_tracker_at_boundary(f->tracker);
        if (f->tag == NULL || !may_be || !match(f))
            follow(f);
    }
    offer_boundary(f);
    pass_followed(f);
    return was_looked_for && f->tag == NULL;
}
