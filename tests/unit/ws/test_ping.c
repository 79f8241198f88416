/* test_ping.c -- our pong taken out, our ping put in, and nothing else touched. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ws/ping.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const uint8_t tag[] = "ABCDEFGH";

/* Unmasked, and masked by 1 2 3 4. */
#define OURS                                                                                       \
    "\x8a\x08"                                                                                     \
    "ABCDEFGH"
#define MASKED_OURS                                                                                \
    "\x8a\x88\1\2\3\4"                                                                             \
    "@@@@DDDL"
#define PING "[ping]"

/* What goes on of a stream; [ping] is where a frame of ours went in. */
struct filtered {
    struct ws_tracker tracker;
    struct ws_counts counts;
    struct ws_ping_filter f;
    char out[512];
    size_t len;
    bool found;
};

static void on_pass(void *user, struct span bytes)
{
    struct filtered *s = user;

    assert_true(bytes.len > 0 && s->len + bytes.len < sizeof(s->out));
    memcpy(s->out + s->len, bytes.ptr, bytes.len);
    s->len += bytes.len;
}

static void on_boundary(void *user)
{
    on_pass(user, SPAN(PING));
}

static void begin(struct filtered *s, bool is_masked, bool wants_boundary)
{
    *s = (struct filtered){ .len = 0 };
    s->f = (struct ws_ping_filter){ .tracker = &s->tracker,
                                    .counts = &s->counts,
                                    .tag = tag,
                                    .is_masked = is_masked,
                                    .wants_boundary = wants_boundary,
                                    .pass = on_pass,
                                    .at_boundary = on_boundary,
                                    .user = s };
}

static void feed(struct filtered *s, struct span bytes)
{
    if (ws_ping_feed(&s->f, bytes))
        s->found = true;
}

static const struct {
    const char *name;
    struct span in, out;
    bool is_masked, wants_boundary;
    uint32_t pongs; /* that go on */
} cases[] = {
    { "nothing else", SPAN_INIT(OURS), SPAN_INIT("") },
    { "a client's", SPAN_INIT(MASKED_OURS), SPAN_INIT(""), true },
    { "between frames", SPAN_INIT("\x81\x01h" OURS "\x81\x01i"), SPAN_INIT("\x81\x01h\x81\x01i") },
    { "between fragments", SPAN_INIT("\x01\x01h" OURS "\x80\x01i"),
      SPAN_INIT("\x01\x01h\x80\x01i") },
    { "between compressed ones", SPAN_INIT("\xc1\x01h" OURS "\xc1\x01i"),
      SPAN_INIT("\xc1\x01h\xc1\x01i") },
    { "the second is not ours", SPAN_INIT(OURS OURS), SPAN_INIT(OURS), false, false, 1 },
    { "behind another's", SPAN_INIT("\x8a\x02hi" OURS), SPAN_INIT("\x8a\x02hi"), false, false, 1 },
    { "an empty one", SPAN_INIT("\x8a\0" OURS), SPAN_INIT("\x8a\0"), false, false, 1 },
    { "7 bytes of it",
      SPAN_INIT("\x8a\x08"
                "ABCDEFGx\x81\x01h"),
      SPAN_INIT("\x8a\x08"
                "ABCDEFGx\x81\x01h"),
      false, false, 1 },
    { "8 other bytes, then ours",
      SPAN_INIT("\x8a\x08"
                "12345678" OURS),
      SPAN_INIT("\x8a\x08"
                "12345678"),
      false, false, 1 },
    { "a longer one",
      SPAN_INIT("\x8a\x09"
                "ABCDEFGHI"),
      SPAN_INIT("\x8a\x09"
                "ABCDEFGHI"),
      false, false, 1 },
    { "a shorter one",
      SPAN_INIT("\x8a\x07"
                "ABCDEFG"),
      SPAN_INIT("\x8a\x07"
                "ABCDEFG"),
      false, false, 1 },
    { "a ping",
      SPAN_INIT("\x89\x08"
                "ABCDEFGH"),
      SPAN_INIT("\x89\x08"
                "ABCDEFGH") },
    { "compressed itself, which no pong is",
      SPAN_INIT("\xca\x08"
                "ABCDEFGH"),
      SPAN_INIT("\xca\x08"
                "ABCDEFGH"),
      false, false, 1 },
    { "a target's that is masked", SPAN_INIT(MASKED_OURS), SPAN_INIT(MASKED_OURS), false, false,
      1 },
    { "a client's that is not", SPAN_INIT(OURS), SPAN_INIT(OURS), true, false, 1 },
    { "inside a payload", SPAN_INIT("\x82\x0a" OURS), SPAN_INIT("\x82\x0a" OURS) },
    { "behind a Close", SPAN_INIT("\x88\0" OURS), SPAN_INIT("\x88\0" OURS) },
    { "behind what cannot be followed", SPAN_INIT("\x83\0" OURS), SPAN_INIT("\x83\0" OURS) },
    { "a masked one that differs in its last byte",
      SPAN_INIT("\x8a\x88\1\2\3\4"
                "@@@@DDDM"),
      SPAN_INIT("\x8a\x88\1\2\3\4"
                "@@@@DDDM"),
      true, false, 1 },
    { "another mask",
      SPAN_INIT("\x8a\x88\0\0\0\0"
                "ABCDEFGH"),
      SPAN_INIT(""), true },
    { "a ping at once", SPAN_INIT("\x81\x01h"), SPAN_INIT(PING "\x81\x01h"), false, true },
    { "a ping before and a pong behind", SPAN_INIT("\x81\x01h" OURS), SPAN_INIT(PING "\x81\x01h"),
      false, true },
    { "a ping before a Close", SPAN_INIT("\x88\0"), SPAN_INIT(PING "\x88\0"), false, true },
};

static void check(size_t i, const struct filtered *s)
{
    const bool is_found = cases[i].out.len < cases[i].in.len + (cases[i].wants_boundary ? 6 : 0);

    assert_int_equal(s->len, cases[i].out.len);
    assert_memory_equal(s->out, cases[i].out.ptr, s->len);
    assert_int_equal(s->counts.frames[WS_KIND_PONG], cases[i].pongs);
    assert_int_equal(s->found, is_found);
    assert_false(s->f.is_holding);
}

static void test_streams_cut_anywhere(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct filtered s;
        print_message("%s\n", cases[i].name);
        for (size_t cut = 0; cut <= cases[i].in.len; cut++) {
            begin(&s, cases[i].is_masked, cases[i].wants_boundary);
            feed(&s, span_of(cases[i].in.ptr, cut));
            feed(&s, span_after(cases[i].in, cut));
            check(i, &s);
        }
        begin(&s, cases[i].is_masked, cases[i].wants_boundary);
        for (size_t at = 0; at < cases[i].in.len; at++)
            feed(&s, span_of(cases[i].in.ptr + at, 1));
        check(i, &s);
    }
}

/* However little of it has come, it can be let go. */
static void test_what_is_held_can_be_let_go(void **state)
{
    static const struct {
        struct span pong;
        bool is_masked;
    } both[] = { { SPAN_INIT(OURS), false }, { SPAN_INIT(MASKED_OURS), true } };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        for (size_t n = 1; n < both[i].pong.len; n++) {
            struct filtered s;
            uint8_t held[WS_PONG_MAX];
            begin(&s, both[i].is_masked, false);
            feed(&s, span_of(both[i].pong.ptr, n));
            assert_true(s.f.is_holding && s.len == 0);
            assert_int_equal(ws_ping_held(&s.tracker, tag, held), n);
            assert_memory_equal(held, both[i].pong.ptr, n);
        }
    }
}

/* A frame that is on its way delays the ping to its end, wherever in the bytes that is. */
static void test_a_ping_waits_for_the_end_of_a_frame(void **state)
{
    static const char in[] = "\x82\x05"
                             "hello\x81\x01h";
    struct filtered s;

    (void)state;
    begin(&s, false, false);
    feed(&s, span_of(in, 4));
    s.f.wants_boundary = true;
    feed(&s, span_of(in + 4, 2));
    assert_true(s.f.wants_boundary);
    feed(&s, span_of(in + 6, 4));
    assert_false(s.f.wants_boundary);
    assert_int_equal(s.len, 16);
    assert_memory_equal(s.out,
                        "\x82\x05"
                        "hello" PING "\x81\x01h",
                        16);
}

/* It is not the end of a frame while a pong may still come to its end or not. */
static void test_no_ping_inside_of_what_is_held(void **state)
{
    struct filtered s;

    (void)state;
    begin(&s, false, false);
    feed(&s, span_of(OURS, 5));
    s.f.wants_boundary = true;
    feed(&s, SPAN("x"));
    assert_true(s.f.wants_boundary);
    feed(&s, SPAN("5678"));
    assert_int_equal(s.len, 16);
    assert_memory_equal(s.out,
                        "\x8a\x08"
                        "ABCx5678" PING,
                        16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_streams_cut_anywhere),
        cmocka_unit_test(test_what_is_held_can_be_let_go),
        cmocka_unit_test(test_a_ping_waits_for_the_end_of_a_frame),
        cmocka_unit_test(test_no_ping_inside_of_what_is_held),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
