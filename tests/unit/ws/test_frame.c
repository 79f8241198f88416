/* test_frame.c -- frame headers: tables of bytes, prefixes, and masking. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "ws/frame.h"

static const struct good_case {
    const char *name;
    struct span bytes;
    bool allow_rsv1;
    struct ws_header header;
} good_cases[] = {
    { "unmasked text Hello (RFC 6455 5.7)",
      SPAN_INIT("\x81\x05"),
      false,
      { .fin = true, .opcode = 1, .payload_len = 5, .header_len = 2 } },
    { "masked text Hello (5.7)",
      SPAN_INIT("\x81\x85\x37\xfa\x21\x3d"),
      false,
      { .fin = true,
        .masked = true,
        .opcode = 1,
        .mask = { 0x37, 0xfa, 0x21, 0x3d },
        .payload_len = 5,
        .header_len = 6 } },
    { "first fragment (5.7)",
      SPAN_INIT("\x01\x03"),
      false,
      { .opcode = 1, .payload_len = 3, .header_len = 2 } },
    { "last fragment (5.7)",
      SPAN_INIT("\x80\x02"),
      false,
      { .fin = true, .opcode = 0, .payload_len = 2, .header_len = 2 } },
    { "ping",
      SPAN_INIT("\x89\x05"),
      false,
      { .fin = true, .opcode = 9, .payload_len = 5, .header_len = 2 } },
    { "longest control frame",
      SPAN_INIT("\x8a\x7d"),
      false,
      { .fin = true, .opcode = 10, .payload_len = 125, .header_len = 2 } },
    { "shortest 16-bit length",
      SPAN_INIT("\x82\x7e\x00\x7e"),
      false,
      { .fin = true, .opcode = 2, .payload_len = 126, .header_len = 4 } },
    { "256 bytes (5.7)",
      SPAN_INIT("\x82\x7e\x01\x00"),
      false,
      { .fin = true, .opcode = 2, .payload_len = 256, .header_len = 4 } },
    { "longest 16-bit length",
      SPAN_INIT("\x82\x7e\xff\xff"),
      false,
      { .fin = true, .opcode = 2, .payload_len = 65535, .header_len = 4 } },
    { "64 KB (5.7)",
      SPAN_INIT("\x82\x7f\0\0\0\0\0\x01\0\0"),
      false,
      { .fin = true, .opcode = 2, .payload_len = 65536, .header_len = 10 } },
    { "longest length, masked",
      SPAN_INIT("\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\1\2\3\4"),
      false,
      { .fin = true,
        .masked = true,
        .opcode = 2,
        .mask = { 1, 2, 3, 4 },
        .payload_len = INT64_MAX,
        .header_len = 14 } },
    { "compressed text",
      SPAN_INIT("\xc1\x05"),
      true,
      { .fin = true, .rsv1 = true, .opcode = 1, .payload_len = 5, .header_len = 2 } },
};

static void assert_same(const struct ws_header *a, const struct ws_header *b)
{
    assert_int_equal(a->fin, b->fin);
    assert_int_equal(a->rsv1, b->rsv1);
    assert_int_equal(a->masked, b->masked);
    assert_int_equal(a->opcode, b->opcode);
    assert_memory_equal(a->mask, b->mask, 4);
    assert_int_equal(a->payload_len, b->payload_len);
    assert_int_equal(a->header_len, b->header_len);
}

/* Bytes in memory of exactly that size, so that reading past them is seen. */
static enum ws_parse parse_exact(struct span bytes, bool allow_rsv1, struct ws_header *h)
{
    char *copy = malloc(bytes.len == 0 ? 1 : bytes.len);
    memcpy(copy, bytes.ptr, bytes.len);
    enum ws_parse parse = ws_header_parse(span_of(copy, bytes.len), allow_rsv1, h);
    free(copy);
    return parse;
}

static void test_good_headers_and_their_prefixes(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof good_cases / sizeof *good_cases; i++) {
        const struct good_case *c = &good_cases[i];
        print_message("%s\n", c->name);
        struct ws_header h;
        for (size_t n = 0; n < c->bytes.len; n++)
            assert_int_equal(parse_exact(span_of(c->bytes.ptr, n), c->allow_rsv1, &h),
                             WS_PARSE_PARTIAL);
        assert_int_equal(parse_exact(c->bytes, c->allow_rsv1, &h), WS_PARSE_DONE);
        assert_same(&h, &c->header);
        uint8_t out[WS_HEADER_MAX];
        assert_int_equal(ws_header_write(out, &h), c->bytes.len);
        assert_memory_equal(out, c->bytes.ptr, c->bytes.len);
    }
}

/* Each is refused at its last byte, and fine before it. */
static const struct bad_case {
    const char *name;
    struct span bytes;
    bool allow_rsv1;
    enum ws_parse parse;
} bad_cases[] = {
    { "RSV1", SPAN_INIT("\xc1"), false, WS_PARSE_RSV },
    { "RSV2", SPAN_INIT("\xa1"), true, WS_PARSE_RSV },
    { "RSV3", SPAN_INIT("\x91"), true, WS_PARSE_RSV },
    { "RSV1 on a continuation", SPAN_INIT("\xc0"), true, WS_PARSE_RSV },
    { "RSV1 on a ping", SPAN_INIT("\xc9"), true, WS_PARSE_RSV },
    { "opcode 3", SPAN_INIT("\x83"), false, WS_PARSE_OPCODE },
    { "opcode 7", SPAN_INIT("\x87"), false, WS_PARSE_OPCODE },
    { "opcode 11", SPAN_INIT("\x8b"), false, WS_PARSE_OPCODE },
    { "opcode 15", SPAN_INIT("\x8f"), false, WS_PARSE_OPCODE },
    { "close without FIN", SPAN_INIT("\x08"), false, WS_PARSE_CONTROL_FRAGMENTED },
    { "ping without FIN", SPAN_INIT("\x09"), false, WS_PARSE_CONTROL_FRAGMENTED },
    { "ping of 126", SPAN_INIT("\x89\x7e"), false, WS_PARSE_CONTROL_LONG },
    { "masked close of 64-bit length", SPAN_INIT("\x88\xff"), false, WS_PARSE_CONTROL_LONG },
    { "0 in 16 bits", SPAN_INIT("\x82\x7e\x00\x00"), false, WS_PARSE_LENGTH_NOT_MINIMAL },
    { "125 in 16 bits", SPAN_INIT("\x82\x7e\x00\x7d"), false, WS_PARSE_LENGTH_NOT_MINIMAL },
    { "65535 in 64 bits", SPAN_INIT("\x82\x7f\0\0\0\0\0\0"), false, WS_PARSE_LENGTH_NOT_MINIMAL },
    { "the top bit", SPAN_INIT("\x82\x7f\x80"), false, WS_PARSE_LENGTH_TOP_BIT },
};

static void test_bad_headers_fail_at_the_first_bad_byte(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof bad_cases / sizeof *bad_cases; i++) {
        const struct bad_case *c = &bad_cases[i];
        print_message("%s\n", c->name);
        struct ws_header h;
        for (size_t n = 0; n < c->bytes.len; n++)
            assert_int_equal(parse_exact(span_of(c->bytes.ptr, n), c->allow_rsv1, &h),
                             WS_PARSE_PARTIAL);
        assert_int_equal(parse_exact(c->bytes, c->allow_rsv1, &h), c->parse);
        assert_true(strlen(ws_parse_why(c->parse)) > 10);
    }
}

static void test_masking_in_pieces_is_masking_at_once(void **unused)
{
    (void)unused;
    const uint8_t mask[4] = { 0x37, 0xfa, 0x21, 0x3d };
    uint8_t plain[100], whole[100], pieces[100];
    for (size_t i = 0; i < sizeof plain; i++)
        plain[i] = (uint8_t)(i * 7);
    for (size_t i = 0; i < sizeof whole; i++)
        whole[i] = plain[i] ^ mask[i % 4];
    for (size_t cut = 0; cut <= sizeof plain; cut++) {
        memcpy(pieces, plain, sizeof pieces);
        ws_mask(pieces, cut, mask, 0);
        ws_mask(pieces + cut, sizeof pieces - cut, mask, cut);
        assert_memory_equal(pieces, whole, sizeof whole);
    }
    ws_mask(pieces, sizeof pieces, mask, (uint64_t)UINT32_MAX * 4);
    assert_memory_equal(pieces, plain, sizeof plain);
}

static void test_control_frames(void **unused)
{
    (void)unused;
    uint8_t out[WS_HEADER_MAX + WS_CONTROL_MAX];
    assert_int_equal(ws_control_write(out, WS_OP_PING, SPAN("Hello"), NULL), 7);
    assert_memory_equal(out, "\x89\x05Hello", 7);
    const uint8_t mask[4] = { 0x37, 0xfa, 0x21, 0x3d };
    assert_int_equal(ws_control_write(out, WS_OP_PONG, SPAN("Hello"), mask), 11);
    assert_memory_equal(out, "\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", 11);
    assert_int_equal(ws_control_write(out, WS_OP_CLOSE, SPAN(""), NULL), 2);
    assert_memory_equal(out, "\x88\x00", 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_headers_and_their_prefixes),
        cmocka_unit_test(test_bad_headers_fail_at_the_first_bad_byte),
        cmocka_unit_test(test_masking_in_pieces_is_masking_at_once),
        cmocka_unit_test(test_control_frames),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
