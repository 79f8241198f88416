/* test_ready_question.c -- what is asked at [health], of bytes alone: all at once and a byte at a
 * time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"

#include "alb/ready_question.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define GET "GET /ready HTTP/1.1\r\nHost: a\r\n\r\n"
#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define LOCAL SIGNATURE "\x20\0\0\0"
#define ANNOUNCED SIGNATURE "\x21\x11\0\x0c\xc0\0\2\1\x0a\0\0\5\xdc\x04\x01\xbb"
#define V1 "PROXY TCP4 192.0.2.1 10.0.0.5 56324 443\r\n"

static struct http_message message; /* large */

static const struct {
    const char *name;
    struct span bytes;
    enum ready_question is;
    int status;       /* refused: with what */
    const char *path; /* asked: for what */
} rows[] = {
    { "nothing", SPAN_INIT(""), READY_PARTIAL, 0, NULL },
    { "a request", SPAN_INIT(GET), READY_ASKED, 0, "/ready" },
    { "HTTP/1.0 without a host", SPAN_INIT("GET /health HTTP/1.0\r\n\r\n"), READY_ASKED, 0,
      "/health" },
    { "an empty line before it", SPAN_INIT("\r\n" GET), READY_ASKED, 0, "/ready" },
    { "something behind it", SPAN_INIT(GET "more"), READY_ASKED, 0, "/ready" },
    { "not all of it", SPAN_INIT("GET /ready HTTP/1.1\r\nHost: a\r\n"), READY_PARTIAL, 0, NULL },
    { "a query", SPAN_INIT("GET /ready?verbose HTTP/1.0\r\n\r\n"), READY_ASKED, 0, "/ready" },
    { "a method that begins as a head does", SPAN_INIT("PROPFIND / HTTP/1.1\r\nHost: a\r\n\r\n"),
      READY_ASKED, 0, "/" },
    { "behind LOCAL", SPAN_INIT(LOCAL GET), READY_ASKED, 0, "/ready" },
    { "behind a client, version 2", SPAN_INIT(ANNOUNCED GET), READY_ASKED, 0, "/ready" },
    { "behind a client, version 1", SPAN_INIT(V1 GET), READY_ASKED, 0, "/ready" },
    { "behind UNKNOWN", SPAN_INIT("PROXY UNKNOWN\r\n" GET), READY_ASKED, 0, "/ready" },
    { "a head alone", SPAN_INIT(LOCAL), READY_PARTIAL, 0, NULL },
    { "half a head", SPAN_INIT(SIGNATURE), READY_PARTIAL, 0, NULL },
    { "two heads", SPAN_INIT(V1 V1 "\r\n"), READY_REFUSED, 400, NULL },
    { "no good head, version 1", SPAN_INIT("PROXY TCP4 nonsense\r\n"), READY_BAD_HEAD, 0, NULL },
    { "no good head, version 2", SPAN_INIT(SIGNATURE "\x31\0\0\0"), READY_BAD_HEAD, 0, NULL },
    { "a method of that name", SPAN_INIT("PROXY / HTTP/1.1\r\n\r\n"), READY_BAD_HEAD, 0, NULL },
    { "TLS", SPAN_INIT("\x16\x03\x01\r\n\r\n"), READY_REFUSED, 400, NULL },
    { "HTTP/2", SPAN_INIT("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), READY_REFUSED, 505, NULL },
};

static void check(size_t row, size_t len, enum ready_question got)
{
    const size_t all = rows[row].bytes.len;

    if (got != rows[row].is && !(got == READY_PARTIAL && len < all))
        fail_msg("%s, %zu of %zu bytes: %d", rows[row].name, len, all, (int)got);
    if (got == READY_REFUSED && rows[row].status != message.refuse_status)
        fail_msg("%s: %d", rows[row].name, message.refuse_status);
    if (got == READY_ASKED && !span_equal(message.path, span_text(rows[row].path)))
        fail_msg("%s: asks for something else", rows[row].name);
}

static void all_at_once(void **state)
{
    (void)state;
    for (size_t row = 0; row < COUNT(rows); row++) {
        size_t scanned = 0;
        const enum ready_question got = ready_question_read(rows[row].bytes, &message, &scanned);
        assert_int_equal(got, rows[row].is);
        check(row, rows[row].bytes.len, got);
    }
}

static void a_byte_at_a_time(void **state)
{
    (void)state;
    for (size_t row = 0; row < COUNT(rows); row++) {
        enum ready_question got = READY_PARTIAL;
        size_t scanned = 0, len = 0;
        for (; got == READY_PARTIAL && len <= rows[row].bytes.len; len++) {
            got = ready_question_read(span_of(rows[row].bytes.ptr, len), &message, &scanned);
            check(row, len, got);
        }
        assert_int_equal(got, rows[row].is);
    }
}

/* A request of exactly so many bytes, behind a head or not. */
static enum ready_question read_long(struct span head, size_t len)
{
    static const struct span start = SPAN_INIT("GET /ready HTTP/1.1\r\nHost: a\r\nX: "),
                             end = SPAN_INIT("\r\n\r\n");
    size_t scanned = 0;
    struct buf b;

    buf_init(&b, 2 * READY_QUESTION_MAX);
    assert_true(buf_put(&b, head) && buf_put(&b, start));
    for (size_t n = start.len + end.len; n < len; n++)
        assert_true(buf_put(&b, SPAN("x")));
    assert_true(buf_put(&b, end));
    const enum ready_question got = ready_question_read(buf_data(&b), &message, &scanned);
    buf_done(&b);
    return got;
}

static void the_longest_request(void **state)
{
    static const struct span heads[] = { SPAN_INIT(""), SPAN_INIT(LOCAL), SPAN_INIT(V1) };
    (void)state;

    for (size_t i = 0; i < COUNT(heads); i++) {
        assert_int_equal(read_long(heads[i], READY_REQUEST_MAX), READY_ASKED);
        assert_int_equal(message.head_len, READY_REQUEST_MAX);
        assert_int_equal(read_long(heads[i], READY_REQUEST_MAX + 1), READY_REFUSED);
        assert_int_equal(message.refuse_status, 431);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_at_once),
        cmocka_unit_test(a_byte_at_a_time),
        cmocka_unit_test(the_longest_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
