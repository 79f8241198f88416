/*
 * fuzz_ws_tracker.c -- how a stream is cut changes nothing, and a stream of
 * good frames never becomes opaque.
 *
 * The first byte is the seed of the cuts.
 */
#include <stdlib.h>

#include "ws/tracker.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
    struct ws_tracker t;
    struct ws_counts counts;
};

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void check_same(const struct seen *a, const struct seen *b)
{
    check(memcmp(&a->counts, &b->counts, sizeof a->counts) == 0);
    check(ws_tracker_at_boundary(&a->t) == ws_tracker_at_boundary(&b->t));
    check(ws_tracker_is_opaque(&a->t) == ws_tracker_is_opaque(&b->t));
    check(ws_tracker_in_message(&a->t) == ws_tracker_in_message(&b->t));
    check(ws_tracker_close_code(&a->t) == ws_tracker_close_code(&b->t));
    check(a->t.left == b->t.left && a->t.have == b->t.have);
}

/* `step` 0 is all at once; else pieces of up to that length. */
static struct seen follow(struct span bytes, uint8_t seed, size_t step)
{
    struct seen s = { 0 };
    uint32_t random = seed;
    while (bytes.len > 0) {
        random = random * 1103515245 + 12345;
        size_t n = step == 0 ? bytes.len : 1 + (random >> 16) % step;
        n = n < bytes.len ? n : bytes.len;
        ws_tracker_feed(&s.t, span_of(bytes.ptr, n), &s.counts);
        bytes = span_after(bytes, n);
    }
    return s;
}

/* What the strict reader makes of the same bytes, as far as it goes. */
static void check_good_frames(struct span bytes)
{
    struct seen s = { 0 };
    struct ws_header h;
    uint32_t frames = 0;
    while (ws_header_parse(bytes, true, &h) == WS_PARSE_DONE) {
        if (h.payload_len > bytes.len - h.header_len)
            return;
        size_t n = h.header_len + (size_t)h.payload_len;
        ws_tracker_feed(&s.t, span_of(bytes.ptr, n), &s.counts);
        bytes = span_after(bytes, n);
        frames++;
        bool is_close = h.opcode == WS_OP_CLOSE;
        check(!ws_tracker_is_opaque(&s.t) && ws_tracker_at_boundary(&s.t) == !is_close);
        check(ws_tracker_payload_len(&s.t) == h.payload_len);
        check(memcmp(ws_tracker_mask(&s.t), h.mask, 4) == 0);
        if (is_close)
            break;
    }
    uint32_t sum = 0;
    for (size_t i = 0; i < WS_KINDS; i++)
        sum += s.counts.frames[i];
    check(sum == frames);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct span bytes = span_of(data + 1, size - 1);
    struct seen whole = follow(bytes, 0, 0), single = follow(bytes, 0, 1);
    struct seen pieces = follow(bytes, data[0], 20);
    check_same(&whole, &single);
    check_same(&whole, &pieces);
    check_good_frames(bytes);
    return 0;
}
