/* test_probe.c -- what a server says after its 101, and whether that is a pong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "ws/probe.h"

#define OURS "qrstuvwx" /* the ping of begin() */

static struct ws_probe begin(void)
{
    struct ws_probe p;

    ws_probe_init(&p, (const uint8_t *)"abcdefghijklmnop" OURS "yz01");
    return p;
}

#define BYTES(text)                                                                                \
    {                                                                                              \
        (text), sizeof(text) - 1                                                                   \
    }

static const struct {
    const char *name;
    struct {
        const char *ptr;
        size_t len;
    } in;
    enum ws_probe_step last;
    const char *why; /* of WS_PROBE_BAD */
} rows[] = {
    { "nothing", BYTES(""), WS_PROBE_MORE, NULL },
    { "the pong", BYTES("\x8a\x08" OURS), WS_PROBE_PONG, NULL },
    { "the pong, then a Close", BYTES("\x8a\x08" OURS "\x88\x02\x03\xe8"), WS_PROBE_CLOSED, NULL },
    { "the pong, an empty Close", BYTES("\x8a\x08" OURS "\x88\x00"), WS_PROBE_CLOSED, NULL },
    { "the pong, twice", BYTES("\x8a\x08" OURS "\x8a\x08" OURS), WS_PROBE_PONG, NULL },
    { "a greeting before", BYTES("\x81\x05hello\x8a\x08" OURS), WS_PROBE_PONG, NULL },
    { "a greeting in fragments", BYTES("\x01\x02he\x80\x03llo\x8a\x08" OURS), WS_PROBE_PONG, NULL },
    { "an empty greeting", BYTES("\x82\x00\x8a\x08" OURS), WS_PROBE_PONG, NULL },
    { "a long greeting",
      BYTES("\x82\x7e\x00\x80"
            "................................................................"
            "................................................................"
            "\x8a\x08" OURS),
      WS_PROBE_PONG, NULL },
    { "a ping of its own", BYTES("\x89\x02hi\x8a\x08" OURS), WS_PROBE_PONG, NULL },
    { "another pong before", BYTES("\x8a\x00\x8a\x08zzzzzzzz\x8a\x08" OURS), WS_PROBE_PONG, NULL },
    { "only other pongs", BYTES("\x8a\x00\x8a\x08zzzzzzzz"), WS_PROBE_MORE, NULL },
    { "a longer pong", BYTES("\x8a\x09" OURS "!"), WS_PROBE_MORE, NULL },
    { "a text that looks like it", BYTES("\x81\x08" OURS), WS_PROBE_MORE, NULL },
    { "a Close", BYTES("\x88\x02\x03\xf3"), WS_PROBE_BAD,
      "the target sent a Close in place of a pong" },
    { "a masked pong", BYTES("\x8a\x88\0\0\0\0" OURS), WS_PROBE_BAD,
      "a frame of the target is masked" },
    { "no frame", BYTES("HTTP/1.1 200 OK\r\n"), WS_PROBE_BAD, NULL },
    { "a fragmented pong", BYTES("\x0a\x08" OURS), WS_PROBE_BAD, NULL },
    { "a compressed greeting", BYTES("\xc1\x01x"), WS_PROBE_BAD, NULL },
};

enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

/* Pieces of so many bytes; what is not used comes again with the next. The last step that was
 * not WS_PROBE_MORE. */
static enum ws_probe_step run(size_t row, size_t piece, const char **why)
{
    struct ws_probe p = begin();
    enum ws_probe_step last = WS_PROBE_MORE;
    size_t from = 0, to = 0;

    while (to < rows[row].in.len && last != WS_PROBE_BAD && last != WS_PROBE_CLOSED) {
        to = to + piece < rows[row].in.len ? to + piece : rows[row].in.len;
        for (enum ws_probe_step step = WS_PROBE_PONG; step == WS_PROBE_PONG;) {
            struct span in = span_of(rows[row].in.ptr + from, to - from);
            step = ws_probe_read(&p, &in, why);
            from = to - in.len;
            last = step == WS_PROBE_MORE ? last : step;
        }
    }
    return last;
}

static void test_what_comes(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        for (size_t piece = 1; piece <= rows[i].in.len + 1; piece++) {
            const char *why = NULL;
            const enum ws_probe_step last = run(i, piece, &why);
            if (last != rows[i].last)
                fail_msg("%s, by %zu: %d", rows[i].name, piece, (int)last);
            if (rows[i].last == WS_PROBE_BAD)
                assert_true(why != NULL && why[0] != '\0');
            if (rows[i].why != NULL)
                assert_string_equal(why, rows[i].why);
        }
    }
}

static void test_a_greeting_has_a_bound(void **state)
{
    static const char huge[] = "\x82\x7f\x00\x00\x00\x00\x7f\xff\xff\xff";
    static const char zeros[4096];
    struct ws_probe p = begin();
    struct span in = span_of(huge, sizeof(huge) - 1);
    const char *why = NULL;
    size_t sent = 0;

    (void)state;
    assert_int_equal(ws_probe_read(&p, &in, &why), WS_PROBE_MORE);
    enum ws_probe_step step = WS_PROBE_MORE;
    while (step == WS_PROBE_MORE && sent < 1024 * 1024) {
        in = span_of(zeros, sizeof(zeros));
        step = ws_probe_read(&p, &in, &why);
        sent += sizeof(zeros);
    }
    assert_int_equal(step, WS_PROBE_BAD);
    assert_in_range(sent, WS_PROBE_MOST - 4096, WS_PROBE_MOST + 4096);
    assert_string_equal(why, "the target sent over 64 KB before the pong");
}

static void test_what_is_sent(void **state)
{
    const struct ws_probe p = begin();
    uint8_t out[WS_HEADER_MAX + WS_CONTROL_MAX];
    struct buf to;

    (void)state;
    buf_init(&to, 1024);
    assert_true(ws_probe_put_fields(&p, &to));
    assert_true(span_equal(buf_data(&to), SPAN("Connection: Upgrade\r\nUpgrade: websocket\r\n"
                                               "Sec-WebSocket-Version: 13\r\n"
                                               "Sec-WebSocket-Key: YWJjZGVmZ2hpamtsbW5vcA==\r\n")));
    buf_done(&to);
    assert_int_equal(ws_probe_ping(&p, out), 2 + 4 + 8);
    assert_memory_equal(out, "\x89\x88yz01", 6);
    ws_mask(out + 6, 8, p.mask, 0);
    assert_memory_equal(out + 6, OURS, 8);
    assert_int_equal(ws_probe_close(&p, out), 2 + 4 + 2);
    ws_mask(out + 6, 2, p.mask, 0);
    assert_memory_equal(out, "\x88\x82yz01\x03\xe8", 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_comes),
        cmocka_unit_test(test_a_greeting_has_a_bound),
        cmocka_unit_test(test_what_is_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
