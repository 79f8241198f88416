/*
 * fuzz_ws_message.c -- how a stream is cut changes no event.
 *
 * The first byte is the seed of the cuts and the role. Events are written down
 * one after the other and compared as bytes.
 */
#include <stdlib.h>

#include "base/buf.h"
#include "ws/message.h"
#include "ws/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_MESSAGE = 300 };

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void note(struct buf *events, enum ws_event event, const struct ws_message *m)
{
    if (event == WS_EV_TEXT)
        check(ws_utf8_valid(m->payload));
    if (event == WS_EV_TEXT || event == WS_EV_BINARY)
        check(m->payload.len <= MAX_MESSAGE);
    check((event == WS_EV_ERROR) == (m->why != NULL));
    check(buf_print(events, "%d %d %zu %zu ", (int)event, m->code, m->payload.len, m->reason.len));
    check(buf_put(events, m->payload) && buf_put(events, m->reason));
}

static void read_piece(struct ws_reader *r, struct span bytes, struct buf *events)
{
    char *copy = malloc(bytes.len), *at = copy;
    size_t left = bytes.len;
    memcpy(copy, bytes.ptr, bytes.len);
    struct ws_message m;
    enum ws_event event;
    while ((event = ws_reader_next(r, &at, &left, &m)) != WS_EV_NONE)
        note(events, event, &m);
    check(left == 0);
    free(copy);
}

static struct buf events_of(struct span bytes, uint8_t seed, size_t step)
{
    struct buf events;
    struct ws_reader r;
    buf_init(&events, UINT32_MAX / 2);
    ws_reader_init(&r, (seed & 1) != 0 ? WS_SERVER : WS_CLIENT, MAX_MESSAGE);
    uint32_t random = seed;
    while (bytes.len > 0) {
        random = random * 1103515245 + 12345;
        size_t n = step == 0 ? bytes.len : 1 + (random >> 16) % step;
        n = n < bytes.len ? n : bytes.len;
        read_piece(&r, span_of(bytes.ptr, n), &events);
        bytes = span_after(bytes, n);
    }
    ws_reader_done(&r);
    return events;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct span bytes = span_of(data + 1, size - 1);
    struct buf whole = events_of(bytes, data[0], 0);
    for (size_t step = 1; step <= 40; step += 39) {
        struct buf pieces = events_of(bytes, data[0], step);
        check(span_equal(buf_data(&whole), buf_data(&pieces)));
        buf_done(&pieces);
    }
    buf_done(&whole);
    return 0;
}
