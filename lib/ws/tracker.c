/*
 * tracker.c -- following frames without looking at what they carry.
 *
 * Two fields say where we are: `left` over 0 is inside a payload, `have` over 0
 * is inside a header, both 0 is between frames. Whether a header can be
 * followed depends on its bytes alone, never on how they were cut: it is asked
 * when there are two of them, and when it is whole.
 */
#include "ws/tracker.h"

#include "ws/close.h"

enum { OPAQUE = 1, CLOSE_SEEN = 2, IN_MESSAGE = 4 };

void ws_tracker_init(struct ws_tracker *t)
{
    *t = (struct ws_tracker){ 0 };
}

static size_t length_bytes(const struct ws_tracker *t)
{
    uint8_t length = t->head[1] & 0x7F;
    return length == 127 ? 8 : length == 126 ? 2 : 0;
}

static bool is_masked(const struct ws_tracker *t)
{
    return (t->head[1] & 0x80) != 0;
}

static size_t header_len(const struct ws_tracker *t)
{
    return 2 + length_bytes(t) + (is_masked(t) ? 4 : 0);
}

uint64_t ws_tracker_payload_len(const struct ws_tracker *t)
{
    size_t n = length_bytes(t);
    if (n == 0)
        return t->head[1] & 0x7F;
    uint64_t length = 0;
    for (size_t i = 0; i < n; i++)
        length = length << 8 | t->head[2 + i];
    return length;
}

/* Can what begins with these two bytes be followed? */
static bool can_follow(const struct ws_tracker *t)
{
    uint8_t opcode = ws_tracker_opcode(t);
    if ((t->head[0] & 0x30) != 0 || !ws_opcode_is_known(opcode))
        return false;
    bool is_small = (t->head[0] & 0x80) != 0 && length_bytes(t) == 0;
    return is_small || !ws_opcode_is_control(opcode);
}

static size_t go_opaque(struct ws_tracker *t, struct span bytes, enum ws_step *step)
{
    t->flags |= OPAQUE;
    t->left = t->have = 0;
    *step = WS_STEP_OPAQUE;
    return bytes.len;
}

static void end_frame(struct ws_tracker *t, enum ws_step *step)
{
    *step = WS_STEP_FRAME_END;
    uint8_t opcode = ws_tracker_opcode(t);
    if (opcode == WS_OP_CLOSE) {
        t->flags |= CLOSE_SEEN;
        if (ws_tracker_payload_len(t) < 2)
            t->close_code = WS_CLOSE_NO_STATUS;
    } else if (!ws_opcode_is_control(opcode)) {
        bool fin = (t->head[0] & 0x80) != 0;
        t->flags = (uint8_t)((t->flags & ~IN_MESSAGE) | (fin ? 0 : IN_MESSAGE));
    }
}

/* Fill the header's memory from `bytes`, with what may follow the header too. */
static void gather(struct ws_tracker *t, struct span bytes)
{
    size_t room = sizeof t->head - t->have;
    size_t n = bytes.len < room ? bytes.len : room;
    if (n == sizeof t->head)
        memcpy(t->head, bytes.ptr, sizeof t->head); /* nearly always; this one needs no call */
    else
        memcpy(t->head + t->have, bytes.ptr, n);
    t->have = (uint8_t)(t->have + n);
}

static size_t step_header(struct ws_tracker *t, struct span bytes, enum ws_step *step)
{
    size_t had = t->have;
    gather(t, bytes);
    if (t->have >= 2 && !can_follow(t))
        return go_opaque(t, bytes, step);
    if (t->have < 2 || t->have < header_len(t)) {
        *step = WS_STEP_HEADER_PART;
        return bytes.len;
    }
    uint64_t length = ws_tracker_payload_len(t);
    if (length >> 63 != 0)
        return go_opaque(t, bytes, step);
    t->have = 0;
    t->left = length;
    *step = WS_STEP_HEADER;
    if (length == 0)
        end_frame(t, step);
    return header_len(t) - had;
}

/* The first two bytes of a Close payload. */
static void note_code(struct ws_tracker *t, struct span bytes)
{
    uint64_t offset = ws_tracker_payload_len(t) - t->left;
    const uint8_t *mask = ws_tracker_mask(t);
    for (size_t i = 0; i < bytes.len && offset < 2; i++, offset++) {
        unsigned byte = (uint8_t)bytes.ptr[i] ^ mask[offset];
        t->close_code = (uint16_t)(t->close_code | (offset == 0 ? byte << 8 : byte));
    }
}

static size_t step_payload(struct ws_tracker *t, struct span bytes, enum ws_step *step)
{
    size_t n = bytes.len < t->left ? bytes.len : (size_t)t->left;
    if (ws_tracker_opcode(t) == WS_OP_CLOSE)
        note_code(t, span_of(bytes.ptr, n));
    t->left -= n;
    *step = WS_STEP_PAYLOAD;
    if (t->left == 0)
        end_frame(t, step);
    return n;
}

size_t ws_tracker_step(struct ws_tracker *t, struct span bytes, enum ws_step *step)
{
    if ((t->flags & (OPAQUE | CLOSE_SEEN)) != 0)
        return go_opaque(t, bytes, step);
    return t->left > 0 ? step_payload(t, bytes, step) : step_header(t, bytes, step);
}

void ws_tracker_feed(struct ws_tracker *t, struct span bytes, struct ws_counts *counts)
{
    while (bytes.len > 0) {
        enum ws_step step;
        bytes = span_after(bytes, ws_tracker_step(t, bytes, &step));
        if (step == WS_STEP_FRAME_END)
            counts->frames[ws_kind_of(ws_tracker_opcode(t))]++;
    }
}

bool ws_tracker_at_boundary(const struct ws_tracker *t)
{
    return t->left == 0 && t->have == 0 && (t->flags & (OPAQUE | CLOSE_SEEN)) == 0;
}

bool ws_tracker_is_opaque(const struct ws_tracker *t)
{
    return (t->flags & OPAQUE) != 0;
}

bool ws_tracker_in_message(const struct ws_tracker *t)
{
    return (t->flags & IN_MESSAGE) != 0;
}

bool ws_tracker_close_seen(const struct ws_tracker *t)
{
    return (t->flags & CLOSE_SEEN) != 0;
}

uint16_t ws_tracker_close_code(const struct ws_tracker *t)
{
    return ws_tracker_close_seen(t) ? t->close_code : 0;
}

struct span ws_tracker_header(const struct ws_tracker *t)
{
    return span_of(t->head, t->have > 0 ? t->have : header_len(t));
}

const uint8_t *ws_tracker_mask(const struct ws_tracker *t)
{
    static const uint8_t none[4];
    return is_masked(t) ? t->head + header_len(t) - 4 : none;
}

const char *ws_kind_name(enum ws_kind kind)
{
    static const char *const names[] = {
        [WS_KIND_CONTINUATION] = "continuation",
        [WS_KIND_TEXT] = "text",
        [WS_KIND_BINARY] = "binary",
        [WS_KIND_CLOSE] = "close",
        [WS_KIND_PING] = "ping",
        [WS_KIND_PONG] = "pong",
    };
    return names[kind];
}

/* --- saving ------------------------------------------------------------------------------- */

void ws_tracker_save(const struct ws_tracker *t, uint8_t out[WS_TRACKER_SAVED])
{
    memcpy(out, &t->left, 8);
    memcpy(out + 8, t->head, WS_HEADER_MAX);
    out[8 + WS_HEADER_MAX] = t->have;
    out[9 + WS_HEADER_MAX] = t->flags;
    memcpy(out + 10 + WS_HEADER_MAX, &t->close_code, 2);
}

/* Inside a payload there is no header begun, and a header that is begun is not whole. */
static bool makes_sense(const struct ws_tracker *t)
{
    if ((t->flags & ~(OPAQUE | CLOSE_SEEN | IN_MESSAGE)) != 0 || t->left >> 63 != 0)
        return false;
    if ((t->flags & OPAQUE) != 0)
        return t->left == 0 && t->have == 0;
    return t->have == 0 || (t->left == 0 && (t->have < 2 || t->have < header_len(t)));
}

bool ws_tracker_load(struct ws_tracker *t, struct span saved)
{
    ws_tracker_init(t);
    if (saved.len != WS_TRACKER_SAVED)
        return false;
    memcpy(&t->left, saved.ptr, 8);
    memcpy(t->head, saved.ptr + 8, WS_HEADER_MAX);
    t->have = (uint8_t)saved.ptr[8 + WS_HEADER_MAX];
    t->flags = (uint8_t)saved.ptr[9 + WS_HEADER_MAX];
    memcpy(&t->close_code, saved.ptr + 10 + WS_HEADER_MAX, 2);
    if (makes_sense(t))
        return true;
    ws_tracker_init(t);
    return false;
}
