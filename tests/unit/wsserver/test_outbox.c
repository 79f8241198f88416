/* test_outbox.c -- frames that many hold, and the queue of them. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "ws/frame.h"
#include "wsserver/outbox.h"

static void test_a_frame_is_its_header_and_payload(void **state)
{
    static const struct {
        uint8_t opcode;
        size_t len, header;
    } cases[] = {
        { WS_OP_TEXT, 0, 2 },       { WS_OP_TEXT, 125, 2 },    { WS_OP_BINARY, 126, 4 },
        { WS_OP_BINARY, 65535, 4 }, { WS_OP_TEXT, 65536, 10 }, { WS_OP_PING, 125, 2 },
    };
    char *payload = calloc(1, 65536);
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct frame *f = frame_new(cases[i].opcode, span_of(payload, cases[i].len));
        struct ws_header h;
        assert_int_equal(f->len, cases[i].header + cases[i].len);
        assert_int_equal(ws_header_parse(span_of(f->bytes, f->len), false, &h), WS_PARSE_DONE);
        assert_true(h.fin && !h.masked && h.opcode == cases[i].opcode);
        assert_int_equal(h.payload_len, cases[i].len);
        assert_int_equal(h.header_len, cases[i].header);
        frame_drop(&f);
        assert_null(f);
    }
    free(payload);
}

static void test_one_frame_is_written_where_it_lies(void **state)
{
    struct frame *f = frame_raw(SPAN("hello"));
    struct outbox o;
    char scratch[64];
    (void)state;

    outbox_init(&o);
    outbox_push(&o, f, false);
    assert_ptr_equal(outbox_next(&o, scratch, sizeof(scratch)).ptr, f->bytes);
    outbox_sent(&o, 2);
    struct span rest = outbox_next(&o, scratch, sizeof(scratch));
    assert_true(span_equal(rest, SPAN("llo")) && rest.ptr == f->bytes + 2);
    outbox_sent(&o, 3);
    assert_true(outbox_is_empty(&o));
    assert_int_equal(f->refs, 1);
    frame_drop(&f);
}

static void test_what_was_asked_for_does_not_count_as_slowness(void **state)
{
    char *bytes = calloc(1, OUTBOX_BOUND);
    struct frame *big = frame_raw(span_of(bytes, OUTBOX_BOUND));
    struct frame *small = frame_raw(SPAN("x"));
    struct outbox o;
    (void)state;

    outbox_init(&o);
    outbox_push(&o, big, true);
    outbox_push(&o, big, true);
    outbox_push(&o, big, false);
    assert_false(outbox_is_over(&o));
    outbox_push(&o, small, false);
    assert_true(outbox_is_over(&o));
    /* The allowance ends when all has left. */
    outbox_sent(&o, 3 * (size_t)OUTBOX_BOUND + 1);
    outbox_push(&o, big, false);
    assert_false(outbox_is_over(&o));
    outbox_push(&o, small, false);
    assert_true(outbox_is_over(&o));
    outbox_done(&o);
    assert_true(big->refs == 1 && small->refs == 1);
    frame_drop(&big);
    frame_drop(&small);
    free(bytes);
}

static void test_a_cut_keeps_what_has_begun_to_leave(void **state)
{
    struct frame *f = frame_raw(SPAN("abc"));
    struct outbox o;
    char scratch[64];
    (void)state;

    for (size_t sent = 0; sent < 9; sent++) {
        outbox_init(&o);
        for (int i = 0; i < 3; i++)
            outbox_push(&o, f, false);
        outbox_sent(&o, sent);
        outbox_cut(&o);
        size_t kept = sent % 3 == 0 ? 0 : 3 - sent % 3;
        assert_int_equal(outbox_next(&o, scratch, sizeof(scratch)).len, kept);
        assert_int_equal(o.bytes, kept);
        outbox_done(&o);
        assert_int_equal(f->refs, 1);
    }
    frame_drop(&f);
}

static void test_moving_keeps_the_order(void **state)
{
    struct frame *a = frame_raw(SPAN("a")), *b = frame_raw(SPAN("b")), *c = frame_raw(SPAN("c"));
    struct outbox from, to;
    char scratch[64];
    (void)state;

    outbox_init(&from);
    outbox_init(&to);
    outbox_push(&to, a, true);
    outbox_push(&from, b, false);
    outbox_push(&from, c, false);
    outbox_move(&from, &to);
    assert_true(outbox_is_empty(&from));
    assert_true(span_equal(outbox_next(&to, scratch, sizeof(scratch)), SPAN("abc")));
    outbox_done(&to);
    frame_drop(&a);
    frame_drop(&b);
    frame_drop(&c);
}

/* Random frames in, random amounts out: the bytes come in order, and an empty
 * outbox owns nothing. */
static void test_random_operations_against_a_shadow(void **state)
{
    enum { ALL = 1 << 20 };
    static char shadow[ALL];
    char scratch[700];
    size_t in = 0, out = 0;
    struct outbox o;
    (void)state;

    srandom(7);
    outbox_init(&o);
    while (in < ALL - 2000) {
        if (random() % 3 != 0) {
            size_t n = 1 + (size_t)random() % (random() % 10 == 0 ? 1500 : 60);
            for (size_t i = 0; i < n; i++)
                shadow[in + i] = (char)random();
            struct frame *f = frame_raw(span_of(shadow + in, n));
            in += n;
            outbox_push(&o, f, random() % 2 == 0);
            frame_drop(&f);
        } else {
            struct span next = outbox_next(&o, scratch, sizeof(scratch));
            assert_true(next.len <= in - out && (next.len > 0) == (in > out));
            assert_memory_equal(next.ptr, shadow + out, next.len);
            size_t n = next.len == 0 ? 0 : (size_t)random() % (next.len + 1);
            outbox_sent(&o, n);
            out += n;
        }
        assert_int_equal(o.bytes, in - out);
        assert_true(!outbox_is_empty(&o) || (o.ring == NULL && o.asked == 0));
    }
    outbox_done(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_frame_is_its_header_and_payload),
        cmocka_unit_test(test_one_frame_is_written_where_it_lies),
        cmocka_unit_test(test_what_was_asked_for_does_not_count_as_slowness),
        cmocka_unit_test(test_a_cut_keeps_what_has_begun_to_leave),
        cmocka_unit_test(test_moving_keeps_the_order),
        cmocka_unit_test(test_random_operations_against_a_shadow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
