/*
 * fuzz_ws_ping.c -- what comes out is what went in, less exactly our pong; and a ping of ours
 * stands only between two frames. However the stream is cut.
 *
 * The first byte is the seed of the cuts and of when a ping went out, the second is whether the
 * frames are a client's. In the rest 0xFE is a pong of ours whole, 0xFD all of it but a byte.
 */
#include <stdlib.h>

#include "base/buf.h"
#include "ws/ping.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STREAM_MAX = 1 << 20 };

static const uint8_t tag[] = "\x8a\x08"
                             "ag!\xfe\0\1";
static const char mask[] = "\x0a\x8a\0\x88";

static void check(bool holds)
{
    if (!holds)
        abort();
}

static struct span pong_of(bool is_masked, uint8_t mask_shift, char out[WS_PONG_MAX])
{
    size_t n = 2;

    out[0] = (char)0x8a;
    out[1] = (char)(is_masked ? 0x88 : 0x08);
    for (size_t i = 0; is_masked && i < 4; i++)
        out[n++] = (char)(mask[i] + mask_shift);
    for (size_t i = 0; i < WS_PING_TAG; i++)
        out[n++] = (char)(tag[i] ^ (uint8_t)(is_masked ? out[2 + i % 4] : 0));
    return span_of(out, n);
}

static void make_stream(struct buf *to, const uint8_t *data, size_t size, bool is_masked)
{
    for (size_t i = 0; i < size; i++) {
        char pong[WS_PONG_MAX];
        const struct span whole = pong_of(is_masked, (uint8_t)i, pong);
        if (data[i] == 0xFE)
            check(buf_put(to, whole));
        else if (data[i] == 0xFD)
            check(buf_put(to, span_of(whole.ptr, whole.len - 1)));
        else
            check(buf_put(to, span_of(&data[i], 1)));
    }
}

/* --- what should come out ------------------------------------------------------------- */

struct model {
    struct span stream;
    size_t from; /* where our ping went out */
    size_t at,
        len; /* the pong's place, or that of what may be it at the end; len 0: there is none */
    bool is_whole;
    bool *boundaries; /* after so many bytes of the stream */
};

static bool is_pong(struct span at, bool is_masked)
{
    const size_t header = is_masked ? 6 : 2;

    for (size_t i = 0; i < at.len && i < header + WS_PING_TAG; i++) {
        const uint8_t byte = (uint8_t)at.ptr[i];
        const bool fits = i == 0   ? byte == 0x8a
                          : i == 1 ? byte == (is_masked ? 0x88 : 0x08)
                          : i < header
                              ? true
                              : byte == (tag[i - header] ^
                                         (uint8_t)(is_masked ? at.ptr[2 + (i - header) % 4] : 0));
        if (!fits)
            return false;
    }
    return at.len > 0;
}

static void look(struct model *m, bool is_masked)
{
    const size_t whole = (is_masked ? 6 : 2) + WS_PING_TAG;
    struct ws_tracker t = { 0 };
    struct ws_counts counts = { 0 };

    for (size_t i = 0; i <= m->stream.len; i++) {
        m->boundaries[i] = ws_tracker_at_boundary(&t);
        const struct span rest = span_after(m->stream, i);
        if (m->boundaries[i] && i >= m->from && m->len == 0 && is_pong(rest, is_masked)) {
            m->at = i;
            m->len = rest.len < whole ? rest.len : whole;
            m->is_whole = m->len == whole;
        }
        if (i < m->stream.len)
            ws_tracker_feed(&t, span_of(rest.ptr, 1), &counts);
    }
}

/* --- what does ------------------------------------------------------------------------ */

struct run {
    const struct model *m;
    struct ws_tracker tracker;
    struct ws_counts counts;
    struct ws_ping_filter f;
    struct buf out;
    size_t pings;
};

static void on_pass(void *user, struct span bytes)
{
    struct run *r = user;

    check(bytes.len > 0 && buf_put(&r->out, bytes));
}

/* So many bytes of the stream are out, or one pong more. */
static void on_boundary(void *user)
{
    struct run *r = user;
    const size_t n = buf_len(&r->out);
    const bool is_behind = r->m->is_whole && n >= r->m->at;

    check(r->m->boundaries[n] || (is_behind && r->m->boundaries[n + r->m->len]));
    r->pings++;
}

static void run(struct run *r, uint8_t seed, size_t step, bool is_masked)
{
    struct span bytes = r->m->stream;
    uint32_t random = seed;
    bool found = false;

    r->f = (struct ws_ping_filter){ .tracker = &r->tracker,
                                    .counts = &r->counts,
                                    .is_masked = is_masked,
                                    .pass = on_pass,
                                    .at_boundary = on_boundary,
                                    .user = r };
    while (bytes.len > 0) {
        const size_t at = r->m->stream.len - bytes.len;
        random = random * 1103515245 + 12345;
        size_t n = 1 + (random >> 16) % step;
        n = n < bytes.len ? n : bytes.len;
        if (at < r->m->from && at + n > r->m->from)
            n = r->m->from - at;
        r->f.tag = at >= r->m->from && !found ? tag : NULL;
        if ((random >> 8) % 4 == 0)
            r->f.wants_boundary = true;
        found |= ws_ping_feed(&r->f, span_of(bytes.ptr, n));
        bytes = span_after(bytes, n);
    }
    check(found == r->m->is_whole);
    check(r->f.is_holding == (r->m->len > 0 && !r->m->is_whole));
}

static void check_run(const struct model *m, uint8_t seed, size_t step, bool is_masked)
{
    struct run r = { .m = m };
    const struct span behind = span_after(m->stream, m->at + m->len);

    buf_init(&r.out, STREAM_MAX);
    run(&r, seed, step, is_masked);
    const struct span out = buf_data(&r.out);
    check(out.len == m->stream.len - m->len);
    check(memcmp(out.ptr, m->stream.ptr, m->len > 0 ? m->at : out.len) == 0);
    if (m->len > 0)
        check(span_equal(span_after(out, m->at), behind));
    if (r.f.is_holding) {
        uint8_t held[WS_PONG_MAX];
        const size_t n = ws_ping_held(&r.tracker, tag, held);
        check(span_equal(span_of(held, n), span_after(m->stream, m->at)));
    }
    buf_done(&r.out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf stream;

    if (size < 4 || size > 10000)
        return 0;
    buf_init(&stream, STREAM_MAX);
    make_stream(&stream, data + 2, size - 2, data[1] & 1);
    struct model m = { .stream = buf_data(&stream), .from = data[0] % 32 };
    m.from = m.from < m.stream.len ? m.from : m.stream.len;
    m.boundaries = calloc(m.stream.len + 1, sizeof(bool));
    look(&m, data[1] & 1);
    check_run(&m, data[0], STREAM_MAX, data[1] & 1);
    check_run(&m, data[0], 1, data[1] & 1);
    check_run(&m, data[0], 20, data[1] & 1);
    free(m.boundaries);
    buf_done(&stream);
    return 0;
}
