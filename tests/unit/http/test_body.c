/* Bodies: where they end, what is in them, and what is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include "http/body.h"

#include "guard.h"

struct decoded {
    enum http_body_step end;
    char payload[600];
    size_t len;
    size_t left; /* bytes of input not taken */
};

/* Hand over `step` bytes at a time, each piece at the end of a page. */
static void decode(struct http_body *b, struct span bytes, size_t step, struct decoded *d)
{
    *d = (struct decoded){ .end = HTTP_BODY_MORE };
    for (size_t at = 0; d->end == HTTP_BODY_MORE; at += step) {
        size_t n = bytes.len - at < step ? bytes.len - at : step;
        struct span in = at_end_of_page(span_of(bytes.ptr + at, n));
        struct span payload;
        while ((d->end = http_body_take(b, &in, &payload)) == HTTP_BODY_DATA) {
            assert_true(payload.len > 0 && d->len + payload.len <= sizeof(d->payload));
            memcpy(d->payload + d->len, payload.ptr, payload.len);
            d->len += payload.len;
        }
        d->left = bytes.len - at - n + in.len;
        if (at + n == bytes.len)
            break;
    }
}

static const struct {
    const char *name;
    struct span bytes;
    enum http_body_step end;
    const char *payload;
    size_t left;
} rows[] = {
    { "empty", SPAN_INIT("0\r\n\r\n"), HTTP_BODY_DONE, "", 0 },
    { "one", SPAN_INIT("5\r\nhello\r\n0\r\n\r\n"), HTTP_BODY_DONE, "hello", 0 },
    { "two", SPAN_INIT("2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"), HTTP_BODY_DONE, "hello", 0 },
    { "next request", SPAN_INIT("1\r\na\r\n0\r\n\r\nGET /"), HTTP_BODY_DONE, "a", 5 },
    { "hex", SPAN_INIT("00A\r\n0123456789\r\n000\r\n\r\n"), HTTP_BODY_DONE, "0123456789", 0 },
    { "16 digits", SPAN_INIT("0000000000000001\r\na\r\n0\r\n\r\n"), HTTP_BODY_DONE, "a", 0 },
    { "17 digits", SPAN_INIT("00000000000000001\r\na\r\n"), HTTP_BODY_BAD, "", 5 },
    { "17 digits, overflow", SPAN_INIT("10000000000000001\r\na\r\n"), HTTP_BODY_BAD, "", 5 },
    { "extension", SPAN_INIT("1;a=b;c=\"d\"\r\nx\r\n0;e\r\n\r\n"), HTTP_BODY_DONE, "x", 0 },
    { "blank in extension", SPAN_INIT("1;a b\r\n"), HTTP_BODY_BAD, "", 3 },
    { "LF in extension", SPAN_INIT("1;a\n"), HTTP_BODY_BAD, "", 0 },
    { "NUL in extension", SPAN_INIT("1;a\0\r\n"), HTTP_BODY_BAD, "", 2 },
    { "high byte in extension", SPAN_INIT("1;\xe9\r\n"), HTTP_BODY_BAD, "", 2 },
    { "CR in extension", SPAN_INIT("1;a=b\r\rXXX"), HTTP_BODY_BAD, "", 3 },
    { "blank after size", SPAN_INIT("5 \r\nhello"), HTTP_BODY_BAD, "", 7 },
    { "junk after size", SPAN_INIT("5 junk\r\n"), HTTP_BODY_BAD, "", 6 },
    { "blank before size", SPAN_INIT(" 5\r\n"), HTTP_BODY_BAD, "", 3 },
    { "high byte as the size", SPAN_INIT("\xff\r\na\r\n"), HTTP_BODY_BAD, "", 5 },
    { "high byte in the size", SPAN_INIT("1\x80\r\na\r\n"), HTTP_BODY_BAD, "", 5 },
    { "0x5", SPAN_INIT("0x5\r\n"), HTTP_BODY_BAD, "", 3 },
    { "-1", SPAN_INIT("-1\r\n"), HTTP_BODY_BAD, "", 3 },
    { "no size", SPAN_INIT("\r\n"), HTTP_BODY_BAD, "", 1 },
    { "no size, extension", SPAN_INIT(";a\r\n"), HTTP_BODY_BAD, "", 3 },
    { "bare LF after size", SPAN_INIT("1\na\r\n"), HTTP_BODY_BAD, "", 3 },
    { "CR X after size", SPAN_INIT("1\rXa"), HTTP_BODY_BAD, "", 1 },
    { "XX after data", SPAN_INIT("1\r\naXX0\r\n\r\n"), HTTP_BODY_BAD, "a", 6 },
    { "bare LF after data", SPAN_INIT("1\r\na\n0\r\n\r\n"), HTTP_BODY_BAD, "a", 5 },
    { "CR X after data", SPAN_INIT("1\r\na\rX"), HTTP_BODY_BAD, "a", 0 },
    { "trailers", SPAN_INIT("0\r\nA: b\r\nContent-Length: 5\r\n\r\nnext"), HTTP_BODY_DONE, "", 4 },
    { "trailer without colon", SPAN_INIT("0\r\nA\r\n\r\n"), HTTP_BODY_BAD, "", 3 },
    { "trailer without name", SPAN_INIT("0\r\n: a\r\n\r\n"), HTTP_BODY_BAD, "", 6 },
    { "trailer, blank before colon", SPAN_INIT("0\r\nA : b\r\n\r\n"), HTTP_BODY_BAD, "", 7 },
    { "folded trailer", SPAN_INIT("0\r\nA: b\r\n c\r\n\r\n"), HTTP_BODY_BAD, "", 5 },
    { "control in trailer", SPAN_INIT("0\r\nA: \x01\r\n\r\n"), HTTP_BODY_BAD, "", 4 },
    { "NUL first in a trailer", SPAN_INIT("0\r\nA:\0b\r\n\r\n"), HTTP_BODY_BAD, "", 5 },
    { "bare LF in trailer", SPAN_INIT("0\r\nA: b\n\r\n"), HTTP_BODY_BAD, "", 2 },
    { "bare LF last", SPAN_INIT("0\r\n\n"), HTTP_BODY_BAD, "", 0 },
    { "CR X last", SPAN_INIT("0\r\n\rX"), HTTP_BODY_BAD, "", 0 },
    { "not all there", SPAN_INIT("5\r\nhel"), HTTP_BODY_MORE, "hel", 0 },
};

static void check_chunked(size_t i, size_t step)
{
    struct http_body b;
    struct decoded d;

    http_body_init(&b, HTTP_BODY_CHUNKED, 0);
    decode(&b, rows[i].bytes, step, &d);
    if (d.end != rows[i].end || d.left != rows[i].left ||
        !span_equal(span_of(d.payload, d.len), span_text(rows[i].payload)))
        fail_msg("%s, %zu at a time: step %d, %zu left, \"%.*s\"", rows[i].name, step, (int)d.end,
                 d.left, (int)d.len, d.payload);
    assert_int_equal(http_body_is_done(&b), rows[i].end == HTTP_BODY_DONE);
    assert_int_equal(http_body_ends_at_eof(&b), rows[i].end == HTTP_BODY_DONE);

    struct span more = SPAN("x");
    struct span payload;
    if (rows[i].end != HTTP_BODY_MORE)
        assert_int_equal(http_body_take(&b, &more, &payload), rows[i].end);
}

static void test_chunked(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        for (size_t step = 1; step <= rows[i].bytes.len; step++)
            check_chunked(i, step);
}

/* `count` bytes of 'a' between two texts, as a chunked body. */
static enum http_body_step run_filled(const char *before, size_t count, const char *after)
{
    static char bytes[20000];
    struct http_body b;
    struct span payload;
    int n = snprintf(bytes, sizeof(bytes), "%s", before);

    memset(bytes + n, 'a', count);
    strcpy(bytes + (size_t)n + count, after);
    struct span in = span_text(bytes);
    http_body_init(&b, HTTP_BODY_CHUNKED, 0);
    return http_body_take(&b, &in, &payload);
}

static void test_bounds(void **state)
{
    (void)state;
    assert_int_equal(run_filled("1;", 256, "\r\nx"), HTTP_BODY_DATA);
    assert_int_equal(run_filled("1;", 257, "\r\nx"), HTTP_BODY_BAD);
    assert_int_equal(run_filled("0\r\na:", 16384 - 5, "\r\n\r\n"), HTTP_BODY_DONE);
    assert_int_equal(run_filled("0\r\na:", 16384, "\r\n\r\n"), HTTP_BODY_BAD);
}

static void test_plain(void **state)
{
    (void)state;
    struct http_body b;
    struct decoded d;

    http_body_init(&b, HTTP_BODY_NONE, 0);
    decode(&b, SPAN("next"), 4, &d);
    assert_int_equal(d.end, HTTP_BODY_DONE);
    assert_int_equal(d.left, 4);

    http_body_init(&b, HTTP_BODY_LENGTH, 0);
    assert_true(http_body_is_done(&b));

    for (size_t step = 1; step <= 9; step++) {
        http_body_init(&b, HTTP_BODY_LENGTH, 5);
        decode(&b, SPAN("hellonext"), step, &d);
        assert_int_equal(d.end, HTTP_BODY_DONE);
        assert_int_equal(d.left, 4);
        assert_memory_equal(d.payload, "hello", 5);
    }

    http_body_init(&b, HTTP_BODY_UNTIL_CLOSE, 0);
    decode(&b, SPAN("hello"), 2, &d);
    assert_int_equal(d.end, HTTP_BODY_MORE);
    assert_int_equal(d.len, 5);
    assert_true(http_body_ends_at_eof(&b));
    assert_false(http_body_is_done(&b));
}

static void test_chunks_again(void **state)
{
    (void)state;
    static char data[300];
    struct buf out;
    struct http_body b;
    struct decoded d;

    memset(data, 'x', sizeof(data));
    buf_init(&out, 1000);
    assert_true(http_chunk_begin(&out, 300) && buf_put(&out, span_of(data, 300)) &&
                http_chunk_end(&out));
    assert_int_equal(buf_len(&out), 300 + 7);
    assert_true(http_chunk_begin(&out, 1) && buf_put(&out, SPAN("y")) && http_chunk_end(&out));
    assert_true(http_chunk_last(&out));
    assert_true(span_starts_with(buf_data(&out), SPAN("12c\r\n")));

    http_body_init(&b, HTTP_BODY_CHUNKED, 0);
    decode(&b, buf_data(&out), 7, &d);
    assert_int_equal(d.end, HTTP_BODY_DONE);
    assert_int_equal(d.len, 301);
    buf_done(&out);

    buf_init(&out, HTTP_CHUNK_OVERHEAD);
    assert_true(http_chunk_begin(&out, SIZE_MAX) && http_chunk_end(&out));
    assert_int_equal(buf_room(&out), 0);
    assert_false(http_chunk_begin(&out, 1));
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chunked),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_chunks_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
