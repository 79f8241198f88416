/* test_tracker.c -- following frames, however the bytes are cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "ws/tracker.h"

enum { AT_BOUNDARY = 1, OPAQUE = 2, IN_MESSAGE = 4 };

static const struct stream_case {
    const char *name;
    struct span bytes;
    int state;
    uint16_t close_code;
    uint32_t frames[WS_KINDS]; /* continuation, text, binary, close, ping, pong */
} cases[] = {
    { "nothing", SPAN_INIT(""), AT_BOUNDARY, 0, { 0 } },
    { "one text", SPAN_INIT("\x81\x02hi"), AT_BOUNDARY, 0, { 0, 1 } },
    { "a masked text", SPAN_INIT("\x81\x82\1\2\3\4hi"), AT_BOUNDARY, 0, { 0, 1 } },
    { "half a header", SPAN_INIT("\x81"), 0, 0, { 0 } },
    { "half a mask", SPAN_INIT("\x81\x82\1\2"), 0, 0, { 0 } },
    { "half a payload", SPAN_INIT("\x81\x02h"), 0, 0, { 0 } },
    { "two empty frames", SPAN_INIT("\x82\0\x8a\0"), AT_BOUNDARY, 0, { 0, 0, 1, 0, 0, 1 } },
    { "an empty masked ping", SPAN_INIT("\x89\x80\1\2\3\4"), AT_BOUNDARY, 0, { 0, 0, 0, 0, 1 } },
    { "between fragments", SPAN_INIT("\x01\x01h"), AT_BOUNDARY | IN_MESSAGE, 0, { 0, 1 } },
    { "a ping between fragments",
      SPAN_INIT("\x01\x01h\x89\0"),
      AT_BOUNDARY | IN_MESSAGE,
      0,
      { 0, 1, 0, 0, 1 } },
    { "a message of three fragments",
      SPAN_INIT("\x02\x01h\0\x01i\x80\0"),
      AT_BOUNDARY,
      0,
      { 2, 0, 1 } },
    { "compressed", SPAN_INIT("\xc1\x02hi"), AT_BOUNDARY, 0, { 0, 1 } },
    { "16-bit length that is not minimal",
      SPAN_INIT("\x81\x7e\0\x02hi"),
      AT_BOUNDARY,
      0,
      { 0, 1 } },
    { "64-bit length that is not minimal",
      SPAN_INIT("\x81\xff\0\0\0\0\0\0\0\x02\1\2\3\4hi"),
      AT_BOUNDARY,
      0,
      { 0, 1 } },
    { "a continuation of nothing", SPAN_INIT("\x80\x01h"), AT_BOUNDARY, 0, { 1 } },
    { "a text inside a message", SPAN_INIT("\x01\x01h\x81\x01h"), AT_BOUNDARY, 0, { 0, 2 } },
    { "close 1001", SPAN_INIT("\x88\x02\x03\xe9"), 0, 1001, { 0, 0, 0, 1 } },
    { "close 1000, masked, with a reason",
      SPAN_INIT("\x88\x85\1\2\3\4\x02\xea"
                "abc"),
      0,
      1000,
      { 0, 0, 0, 1 } },
    { "close without a code", SPAN_INIT("\x88\0"), 0, 1005, { 0, 0, 0, 1 } },
    { "close of one byte", SPAN_INIT("\x88\x01\x03"), 0, 1005, { 0, 0, 0, 1 } },
    { "half a close", SPAN_INIT("\x88\x02\x03"), 0, 0, { 0 } },
    { "a byte after close", SPAN_INIT("\x88\x02\x03\xe9\x81"), OPAQUE, 1001, { 0, 0, 0, 1 } },
    { "opcode 3", SPAN_INIT("\x83\x01h\x81\x01h"), OPAQUE, 0, { 0 } },
    { "opcode 15", SPAN_INIT("\x81\x01h\x8f\x01h"), OPAQUE, 0, { 0, 1 } },
    { "RSV2", SPAN_INIT("\xa1\x01h"), OPAQUE, 0, { 0 } },
    { "RSV3", SPAN_INIT("\x91\x01h"), OPAQUE, 0, { 0 } },
    { "a fragmented ping", SPAN_INIT("\x09\0"), OPAQUE, 0, { 0 } },
    { "a ping of 126", SPAN_INIT("\x89\x7e\0\x7e"), OPAQUE, 0, { 0 } },
    { "the top bit", SPAN_INIT("\x82\x7f\x80\0\0\0\0\0\0\0"), OPAQUE, 0, { 0 } },
    { "not WebSocket at all", SPAN_INIT("HTTP/1.1 200 OK\r\n\r\n"), OPAQUE, 0, { 0 } },
};

static int state_of(const struct ws_tracker *t)
{
    return (ws_tracker_at_boundary(t) ? AT_BOUNDARY : 0) | (ws_tracker_is_opaque(t) ? OPAQUE : 0) |
           (ws_tracker_in_message(t) ? IN_MESSAGE : 0);
}

static void assert_case(const struct stream_case *c, const struct ws_tracker *t,
                        const struct ws_counts *counts)
{
    assert_int_equal(state_of(t), c->state);
    assert_int_equal(ws_tracker_close_code(t), c->close_code);
    assert_memory_equal(counts->frames, c->frames, sizeof c->frames);
}

static void test_streams_cut_anywhere(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct stream_case *c = &cases[i];
        print_message("%s\n", c->name);
        for (size_t cut = 0; cut <= c->bytes.len; cut++) {
            struct ws_tracker t;
            struct ws_counts counts = { 0 };
            ws_tracker_init(&t);
            ws_tracker_feed(&t, span_of(c->bytes.ptr, cut), &counts);
            ws_tracker_feed(&t, span_after(c->bytes, cut), &counts);
            assert_case(c, &t, &counts);
        }
        struct ws_tracker t = { 0 };
        struct ws_counts counts = { 0 };
        for (size_t at = 0; at < c->bytes.len; at++)
            ws_tracker_feed(&t, span_of(c->bytes.ptr + at, 1), &counts);
        assert_case(c, &t, &counts);
    }
}

static void test_no_frame_boundary_inside_a_frame(void **unused)
{
    (void)unused;
    const struct span frame = SPAN("\x82\xfe\0\x80\1\2\3\4");
    char bytes[8 + 128] = { 0 };
    memcpy(bytes, frame.ptr, frame.len);
    struct ws_tracker t = { 0 };
    struct ws_counts counts = { 0 };
    for (size_t i = 0; i < sizeof bytes; i++) {
        assert_int_equal(ws_tracker_at_boundary(&t), i == 0);
        ws_tracker_feed(&t, span_of(bytes + i, 1), &counts);
    }
    assert_true(ws_tracker_at_boundary(&t));
}

/* Payloads of up to 2^63 - 1 bytes are followed without reading them. */
static void test_the_longest_frame(void **unused)
{
    (void)unused;
    struct ws_tracker t = { 0 };
    struct ws_counts counts = { 0 };
    ws_tracker_feed(&t, SPAN("\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff"), &counts);
    assert_false(ws_tracker_is_opaque(&t));
    assert_int_equal(ws_tracker_payload_len(&t), INT64_MAX);
    ws_tracker_feed(&t, SPAN("x"), &counts);
    assert_int_equal(t.left, INT64_MAX - 1);
}

static const struct step_case {
    size_t bytes; /* handed in */
    size_t taken;
    enum ws_step step;
} step_cases[] = {
    { 1, 1, WS_STEP_HEADER_PART }, { 99, 5, WS_STEP_HEADER },    { 3, 3, WS_STEP_PAYLOAD },
    { 99, 5, WS_STEP_FRAME_END },  { 99, 2, WS_STEP_FRAME_END }, { 99, 3, WS_STEP_OPAQUE },
};

static void test_steps_show_one_frame_after_the_other(void **unused)
{
    (void)unused;
    const uint8_t mask[4] = { 1, 2, 3, 4 };
    struct span bytes = SPAN("\x8a\x88\1\2\3\4ABCDEFGH"
                             "\x82\x00"
                             "\xff\x00z");
    struct span header = SPAN("\x8a\x88\1\2\3\4");
    struct ws_tracker t = { 0 };
    for (size_t i = 0; i < sizeof step_cases / sizeof *step_cases; i++) {
        const struct step_case *c = &step_cases[i];
        enum ws_step step;
        size_t n = c->bytes < bytes.len ? c->bytes : bytes.len;
        assert_int_equal(ws_tracker_step(&t, span_of(bytes.ptr, n), &step), c->taken);
        assert_int_equal(step, c->step);
        bytes = span_after(bytes, c->taken);
        if (i >= 1 && i <= 3) {
            assert_int_equal(ws_tracker_opcode(&t), WS_OP_PONG);
            assert_int_equal(ws_tracker_payload_len(&t), 8);
            assert_true(span_equal(ws_tracker_header(&t), header));
            assert_memory_equal(ws_tracker_mask(&t), mask, 4);
        }
    }
    assert_int_equal(bytes.len, 0);
}

/* A random stream of frames; `want` counts them. Returns its length. */
static size_t random_stream(char *out, size_t size, struct ws_counts *want)
{
    static const uint8_t opcodes[] = { 0, 1, 2, 9, 10 };
    size_t len = 0;
    for (;;) {
        struct ws_header h = { .opcode = opcodes[(size_t)rand() % 5],
                               .masked = rand() % 2 == 0,
                               .mask = { 9, 8, 7, 6 } };
        bool is_control = ws_opcode_is_control(h.opcode);
        h.fin = is_control || rand() % 2 == 0;
        h.payload_len = (uint64_t)(rand() % (is_control ? 126 : rand() % 8 == 0 ? 70000 : 130));
        if (len + WS_HEADER_MAX + h.payload_len > size)
            return len;
        len += ws_header_write((uint8_t *)out + len, &h);
        memset(out + len, rand(), (size_t)h.payload_len);
        len += (size_t)h.payload_len;
        want->frames[ws_kind_of(h.opcode)]++;
    }
}

static void test_random_frames_in_random_pieces(void **unused)
{
    (void)unused;
    enum { SIZE = 1 << 18 };
    char *bytes = malloc(SIZE);
    for (unsigned seed = 1; seed <= 40; seed++) {
        srand(seed);
        struct ws_counts want = { 0 }, counts = { 0 };
        struct span rest = span_of(bytes, random_stream(bytes, SIZE, &want));
        struct ws_tracker t = { 0 };
        while (rest.len > 0) {
            size_t n = (size_t)rand() % (rand() % 2 == 0 ? 10 : 5000);
            n = n < rest.len ? n : rest.len;
            ws_tracker_feed(&t, span_of(rest.ptr, n), &counts);
            rest = span_after(rest, n);
        }
        assert_true(ws_tracker_at_boundary(&t));
        assert_memory_equal(&counts, &want, sizeof want);
    }
    free(bytes);
}

/* At each byte of a stream: what is loaded goes on as what was saved does. */
static void test_a_saved_one_goes_on(void **state)
{
    static const char stream[] = "\x81\x05hello\x01\x81wxyz\x41\x89\x00\x80\x7e\x00\x80";
    uint8_t saved[WS_TRACKER_SAVED];
    (void)state;

    for (size_t cut = 0; cut < sizeof(stream) - 1; cut++) {
        struct ws_tracker a, b;
        struct ws_counts ca = { 0 }, cb = { 0 };
        const struct span rest = span_of(stream + cut, sizeof(stream) - 1 - cut);
        ws_tracker_init(&a);
        ws_tracker_feed(&a, span_of(stream, cut), &ca);
        cb = ca;
        ws_tracker_save(&a, saved);
        assert_true(ws_tracker_load(&b, span_of(saved, sizeof(saved))));
        ws_tracker_feed(&a, rest, &ca);
        ws_tracker_feed(&b, rest, &cb);
        assert_memory_equal(&ca, &cb, sizeof(ca));
        assert_int_equal(a.left, b.left);
        assert_int_equal(a.have, b.have);
        assert_int_equal(ws_tracker_in_message(&a), ws_tracker_in_message(&b));
    }
}

static void test_what_nobody_saved_is_refused(void **state)
{
    struct ws_tracker t;
    uint8_t saved[WS_TRACKER_SAVED] = { 0 };
    (void)state;

    assert_true(ws_tracker_load(&t, span_of(saved, sizeof(saved))));
    assert_false(ws_tracker_load(&t, span_of(saved, sizeof(saved) - 1)));
    saved[8 + WS_HEADER_MAX] = 15; /* more of a header than there is */
    assert_false(ws_tracker_load(&t, span_of(saved, sizeof(saved))));
    saved[8 + WS_HEADER_MAX] = 1;
    saved[0] = 1; /* in a header and in a payload */
    assert_false(ws_tracker_load(&t, span_of(saved, sizeof(saved))));
    saved[8 + WS_HEADER_MAX] = 0;
    saved[9 + WS_HEADER_MAX] = 64; /* a flag that there is not */
    assert_false(ws_tracker_load(&t, span_of(saved, sizeof(saved))));
    assert_true(ws_tracker_at_boundary(&t));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_streams_cut_anywhere),
        cmocka_unit_test(test_no_frame_boundary_inside_a_frame),
        cmocka_unit_test(test_the_longest_frame),
        cmocka_unit_test(test_steps_show_one_frame_after_the_other),
        cmocka_unit_test(test_random_frames_in_random_pieces),
        cmocka_unit_test(test_a_saved_one_goes_on),
        cmocka_unit_test(test_what_nobody_saved_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
