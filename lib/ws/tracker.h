/*
 * tracker.h -- where in its frames one direction of a tunnel stands.
 *
 * A tracker sees bytes that others forward; it copies no payload, changes
 * nothing and never judges. It exists so that a balancer can count frames and
 * knows where a frame of its own may go in between.
 *
 * What it cannot follow makes it opaque, for good: from there on nothing may be
 * put in or taken out, since nobody can say where frames begin. It cannot
 * follow what RFC 6455 gives no layout for:
 *   - a reserved opcode, RSV2 or RSV3: an extension that we do not know, which
 *     may put anything between the header and the payload (5.2, 9.2);
 *   - a control frame over 125 bytes or without FIN, a length of 2^63 or more:
 *     5.2 and 5.5 rule them out, so the other end either fails there or reads
 *     something that is not RFC 6455;
 *   - any byte after a Close frame, which ends what is framed (5.5.1).
 * Everything else it follows, right or wrong, because the end of the frame is
 * plain all the same: RSV1 (compressed), masked or not, lengths that are not
 * minimal, fragments out of order, any close code, any UTF-8.
 */
#ifndef WS_TRACKER_H
#define WS_TRACKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "ws/frame.h"

/* Rows of the frame counters. */
enum ws_kind {
    WS_KIND_CONTINUATION,
    WS_KIND_TEXT,
    WS_KIND_BINARY,
    WS_KIND_CLOSE,
    WS_KIND_PING,
    WS_KIND_PONG,
    WS_KINDS,
};

/* Frames that went by whole, by kind. */
struct ws_counts {
    uint32_t frames[WS_KINDS];
};

/* So that a tracker is as small as its parts: it may stand at any even address. */
typedef uint64_t ws_tracker_length __attribute__((aligned(2)));

/* One direction. All zero is a fresh one. */
struct ws_tracker {
    ws_tracker_length left;      /* bytes of the payload still to come */
    uint8_t head[WS_HEADER_MAX]; /* of this frame, or of the last one between frames */
    uint8_t have;                /* bytes of an unfinished header; 0 otherwise */
    uint8_t flags;               /* private */
    uint16_t close_code;         /* private; see ws_tracker_close_code() */
};

_Static_assert(sizeof(struct ws_tracker) == 26, "two of these are in every tunnel");

void ws_tracker_init(struct ws_tracker *t);

/* Follow `bytes`, adding each frame that ends in them to `counts`. The time
 * depends on the number of frames, not of bytes. */
void ws_tracker_feed(struct ws_tracker *t, struct span bytes, struct ws_counts *counts);

/* What one step came upon. */
enum ws_step {
    WS_STEP_HEADER_PART, /* took all bytes; the header is not whole yet */
    WS_STEP_HEADER,      /* took the rest of a header; a payload follows */
    WS_STEP_PAYLOAD,     /* took all bytes; more payload follows */
    WS_STEP_FRAME_END,   /* took the rest of a payload, or of the header of an empty frame */
    WS_STEP_OPAQUE,      /* took all bytes; they mean nothing to us */
};

/* The same in steps, for who must look at single frames: takes from the front
 * of `bytes` (at least one) up to the end of the header or of the payload, and
 * returns how many. The accessors below tell of this frame from WS_STEP_HEADER
 * to WS_STEP_FRAME_END. The header bytes that were gathered before the tracker
 * went opaque stay readable in `head`. */
size_t ws_tracker_step(struct ws_tracker *t, struct span bytes, enum ws_step *step);

/* Between frames, not opaque, and no Close went by: a frame may go in here. */
bool ws_tracker_at_boundary(const struct ws_tracker *t);

bool ws_tracker_is_opaque(const struct ws_tracker *t);

/* A message has begun that is not finished: its next fragment is to come. */
bool ws_tracker_in_message(const struct ws_tracker *t);

/* The code of the Close frame that went by; 1005 when it had none, 0 when none
 * went by. */
uint16_t ws_tracker_close_code(const struct ws_tracker *t);
bool ws_tracker_close_seen(const struct ws_tracker *t);

/* Of the current frame. */
static inline uint8_t ws_tracker_opcode(const struct ws_tracker *t)
{
    return t->head[0] & 15;
}

uint64_t ws_tracker_payload_len(const struct ws_tracker *t);

/* The header as it was on the wire, inside the tracker. */
struct span ws_tracker_header(const struct ws_tracker *t);

/* The mask; four zeros, which change nothing, when the frame is not masked. */
const uint8_t *ws_tracker_mask(const struct ws_tracker *t);

/* All that a tracker knows, to go on elsewhere (in a process that takes a tunnel over). */
enum { WS_TRACKER_SAVED = 8 + WS_HEADER_MAX + 2 + 2 };
void ws_tracker_save(const struct ws_tracker *t, uint8_t out[WS_TRACKER_SAVED]);

/* False, and a fresh one, for what no tracker saved. */
bool ws_tracker_load(struct ws_tracker *t, struct span saved);

static inline enum ws_kind ws_kind_of(uint8_t opcode)
{
    return (enum ws_kind)(opcode < WS_OP_CLOSE ? opcode : opcode - WS_OP_CLOSE + WS_KIND_CLOSE);
}

/* "continuation", "text", ... */
const char *ws_kind_name(enum ws_kind kind);

#endif
