/*
 * test_message.c -- bytes in, events out.
 *
 * A case is a stream and the events that it gives, written as text: `T:hello`
 * is a text message, B binary, I ping, O pong, C close with code and reason,
 * E an error with its code. Each stream is read whole, cut in two at every
 * place, and a byte at a time: the events are the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "ws/message.h"

enum { MAX_MESSAGE = 16 };

static const struct message_case {
    const char *name;
    enum ws_role role;
    struct span bytes;
    const char *events;
} cases[] = {
    { "text", WS_CLIENT, SPAN_INIT("\x81\x05hello"), "T:hello " },
    { "masked text", WS_SERVER, SPAN_INIT("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"),
      "T:Hello " },
    { "empty text", WS_CLIENT, SPAN_INIT("\x81\0"), "T: " },
    { "empty masked binary", WS_SERVER, SPAN_INIT("\x82\x80\1\2\3\4"), "B: " },
    { "two messages", WS_CLIENT,
      SPAN_INIT("\x81\x01"
                "a\x82\x01"
                "b"),
      "T:a B:b " },
    { "fragments", WS_CLIENT, SPAN_INIT("\x01\x02he\0\x01l\x80\x02lo"), "T:hello " },
    { "empty fragments", WS_CLIENT, SPAN_INIT("\x02\0\0\0\x80\0"), "B: " },
    { "a last fragment alone has bytes", WS_CLIENT, SPAN_INIT("\x01\0\x80\x02hi"), "T:hi " },
    { "ping and pong between fragments", WS_CLIENT,
      SPAN_INIT("\x01\x02he\x89\x02hi\0\x01l\x8a\x03you\x80\x02lo"), "I:hi O:you T:hello " },
    { "masked fragments around a ping", WS_SERVER,
      SPAN_INIT("\x01\x82\1\1\1\1id\x89\x81\0\0\0\0x\x80\x81\1\1\1\1x"), "I:x T:hey " },
    { "a character over two fragments", WS_CLIENT, SPAN_INIT("\x01\x01\xc3\x80\x01\xa9"),
      "T:\xc3\xa9 " },
    { "as large as may be", WS_CLIENT,
      SPAN_INIT("\x82\x10"
                "0123456789abcdef"),
      "B:0123456789abcdef " },
    { "close", WS_CLIENT, SPAN_INIT("\x88\0"), "C:1005: " },
    { "close with a reason, and more", WS_CLIENT,
      SPAN_INIT("\x88\x05\x03\xe9"
                "bye\x81\x01x"),
      "C:1001:bye " },
    { "close inside a message", WS_CLIENT, SPAN_INIT("\x01\x01h\x88\x02\x03\xe8"), "C:1000: " },

    { "a client that does not mask", WS_SERVER, SPAN_INIT("\x81\x01h"), "E:1002 " },
    { "a server that masks", WS_CLIENT, SPAN_INIT("\x81\x81\1\2\3\4h"), "E:1002 " },
    { "an error after a message", WS_CLIENT, SPAN_INIT("\x81\x01h\x83"), "T:h E:1002 " },
    { "RSV1", WS_CLIENT, SPAN_INIT("\xc1\x01h"), "E:1002 " },
    { "a reserved opcode", WS_CLIENT, SPAN_INIT("\x83"), "E:1002 " },
    { "a fragmented ping", WS_CLIENT, SPAN_INIT("\x09"), "E:1002 " },
    { "a ping of 126", WS_CLIENT, SPAN_INIT("\x89\x7e"), "E:1002 " },
    { "a continuation of nothing", WS_CLIENT, SPAN_INIT("\x80\x01h"), "E:1002 " },
    { "a continuation after the end", WS_CLIENT, SPAN_INIT("\x81\0\x80\0"), "T: E:1002 " },
    { "a text inside a message", WS_CLIENT, SPAN_INIT("\x01\x01h\x81\x01h"), "E:1002 " },
    { "a length that is not minimal", WS_CLIENT, SPAN_INIT("\x81\x7e\0\x01h"), "E:1002 " },
    { "a close of one byte", WS_CLIENT, SPAN_INIT("\x88\x01x"), "E:1002 " },
    { "close 1006", WS_CLIENT, SPAN_INIT("\x88\x02\x03\xee"), "E:1002 " },
    { "a close reason that is no UTF-8", WS_CLIENT, SPAN_INIT("\x88\x03\x03\xe8\xff"), "E:1007 " },
    { "too large", WS_CLIENT, SPAN_INIT("\x82\x11"), "E:1009 " },
    { "promises a gigabyte", WS_CLIENT, SPAN_INIT("\x82\x7f\0\0\0\0\x40\0\0\0"), "E:1009 " },
    { "too large together", WS_CLIENT,
      SPAN_INIT("\x02\x08"
                "01234567\x80\x09"),
      "E:1009 " },
    { "a bad byte in the middle of a frame", WS_CLIENT,
      SPAN_INIT("\x81\x10"
                "abc\xff"),
      "E:1007 " },
    { "a bad byte in the middle of a fragment", WS_CLIENT, SPAN_INIT("\x01\x01\xc3\0\x08x"),
      "E:1007 " },
    { "the text ends inside a character", WS_CLIENT, SPAN_INIT("\x81\x01\xc3"), "E:1007 " },
    { "nothing is checked in binary", WS_CLIENT, SPAN_INIT("\x82\x02\xc3\xff"), "B:\xc3\xff " },
    { "nor carried from one text to the next", WS_CLIENT, SPAN_INIT("\x82\x01\xc3\x81\x01h"),
      "B:\xc3 T:h " },
};

static int describe(char *out, size_t size, enum ws_event event, const struct ws_message *m)
{
    switch (event) {
    case WS_EV_NONE:
        return 0;
    case WS_EV_TEXT:
    case WS_EV_BINARY:
    case WS_EV_PING:
    case WS_EV_PONG:
        return snprintf(out, size, "%c:%.*s ", "-TBIO"[event], SPAN_ARGS(m->payload));
    case WS_EV_CLOSE:
        return snprintf(out, size, "C:%d:%.*s ", m->code, SPAN_ARGS(m->reason));
    case WS_EV_ERROR:
        assert_true(strlen(m->why) > 10);
        return snprintf(out, size, "E:%d ", m->code);
    }
    return 0;
}

/* Read a copy of the bytes, and add what happened to `events`. */
static void read_piece(struct ws_reader *r, struct span bytes, char *events, size_t size)
{
    char *copy = malloc(bytes.len + 1), *at = copy;
    size_t left = bytes.len, n = strlen(events);
    memcpy(copy, bytes.ptr, bytes.len);
    struct ws_message m;
    enum ws_event event;
    while ((event = ws_reader_next(r, &at, &left, &m)) != WS_EV_NONE)
        n += (size_t)describe(events + n, size - n, event, &m);
    assert_int_equal(left, 0);
    assert_ptr_equal(at, copy + bytes.len);
    free(copy);
}

static void assert_events(const struct message_case *c, size_t cut, size_t step)
{
    struct ws_reader r;
    char events[256] = "";
    ws_reader_init(&r, c->role, MAX_MESSAGE);
    read_piece(&r, span_of(c->bytes.ptr, cut), events, sizeof events);
    for (size_t at = cut; at < c->bytes.len; at += step)
        read_piece(&r, span_of(c->bytes.ptr + at, step), events, sizeof events);
    assert_string_equal(events, c->events);
    assert_null(r.kept); /* at the end of these streams nothing is under way */
    ws_reader_done(&r);
}

static void test_streams_cut_anywhere(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct message_case *c = &cases[i];
        print_message("%s\n", c->name);
        for (size_t cut = 0; cut < c->bytes.len; cut++)
            assert_events(c, cut, c->bytes.len - cut);
        assert_events(c, c->bytes.len, 1);
        assert_events(c, 0, 1);
    }
}

static void test_a_whole_message_is_handed_out_where_it_lies(void **unused)
{
    (void)unused;
    char bytes[] = "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", *at = bytes;
    size_t len = sizeof bytes - 1;
    struct ws_reader r;
    struct ws_message m;
    ws_reader_init(&r, WS_SERVER, 100);
    assert_int_equal(ws_reader_next(&r, &at, &len, &m), WS_EV_TEXT);
    assert_ptr_equal(m.payload.ptr, bytes + 6);
    assert_null(r.kept);
}

static void test_a_header_that_promises_much_allocates_nothing(void **unused)
{
    (void)unused;
    char bytes[] = "\x82\x7f\0\0\0\0\x40\0\0\0", *at = bytes;
    size_t len = sizeof bytes - 1;
    struct ws_reader r;
    struct ws_message m;
    ws_reader_init(&r, WS_CLIENT, UINT32_MAX / 2);
    assert_int_equal(ws_reader_next(&r, &at, &len, &m), WS_EV_NONE);
    assert_null(r.kept);
    ws_reader_done(&r);
}

static void test_done_in_the_middle_frees(void **unused)
{
    (void)unused;
    struct ws_reader r;
    char events[16] = "";
    ws_reader_init(&r, WS_CLIENT, 100);
    read_piece(&r, SPAN("\x01\x05hello\x89\x02x"), events, sizeof events);
    assert_non_null(r.kept);
    ws_reader_done(&r);
    assert_null(r.kept);
}

enum { FRAGMENTS = 50, FRAGMENT_MAX = 4000 };

/* One binary message in many fragments, a ping after each. What is in it goes
 * to `plain`. Returns the length of the stream. */
static size_t write_fragments(char *stream, char *plain, size_t *plain_len)
{
    uint8_t *at = (uint8_t *)stream;
    *plain_len = 0;
    for (int i = 0; i < FRAGMENTS; i++) {
        size_t n = (size_t)rand() % FRAGMENT_MAX;
        struct ws_header h = { .fin = i == FRAGMENTS - 1,
                               .masked = true,
                               .opcode = i == 0 ? WS_OP_BINARY : WS_OP_CONTINUATION,
                               .mask = { 1, 2, 3, (uint8_t)rand() },
                               .payload_len = n };
        memset(plain + *plain_len, rand(), n);
        at += ws_header_write(at, &h);
        memcpy(at, plain + *plain_len, n);
        ws_mask(at, n, h.mask, 0);
        at += n;
        at += ws_control_write(at, WS_OP_PING, SPAN("ping"), h.mask);
        *plain_len += n;
    }
    return (size_t)((char *)at - stream);
}

static void read_in_random_pieces(char *stream, size_t len, struct span plain)
{
    struct ws_reader r;
    struct ws_message m;
    enum ws_event event;
    int pings = 0, messages = 0;
    ws_reader_init(&r, WS_SERVER, plain.len);
    for (char *at = stream; at < stream + len;) {
        size_t rest = (size_t)(stream + len - at), n = (size_t)rand() % 3000 + 1;
        n = n < rest ? n : rest;
        while ((event = ws_reader_next(&r, &at, &n, &m)) != WS_EV_NONE) {
            pings += event == WS_EV_PING && span_equal(m.payload, SPAN("ping"));
            messages += event == WS_EV_BINARY && span_equal(m.payload, plain);
        }
    }
    assert_int_equal(messages, 1);
    assert_int_equal(pings, FRAGMENTS);
    assert_null(r.kept);
}

static void test_a_large_message_in_random_pieces(void **unused)
{
    (void)unused;
    char *stream = malloc(FRAGMENTS * (FRAGMENT_MAX + 50));
    char *plain = malloc(FRAGMENTS * FRAGMENT_MAX);
    for (unsigned seed = 1; seed <= 20; seed++) {
        srand(seed);
        size_t plain_len;
        size_t len = write_fragments(stream, plain, &plain_len);
        read_in_random_pieces(stream, len, span_of(plain, plain_len));
    }
    free(stream);
    free(plain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_streams_cut_anywhere),
        cmocka_unit_test(test_a_whole_message_is_handed_out_where_it_lies),
        cmocka_unit_test(test_a_header_that_promises_much_allocates_nothing),
        cmocka_unit_test(test_done_in_the_middle_frees),
        cmocka_unit_test(test_a_large_message_in_random_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
