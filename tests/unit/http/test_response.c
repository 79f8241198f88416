/* The strict scan of responses: what is a 502, and how long a body is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include "http/parse.h"

#include "guard.h"

#define OK "HTTP/1.1 200 OK\r\n"
#define CL "Content-Length: "
#define CHUNKED "Transfer-Encoding: chunked\r\n"

static struct http_message message;

static const struct {
    const char *name;
    struct span bytes;
    enum http_method to;
    enum http_framing framing;
    int64_t length; /* -1: none is to be written */
    bool keep_alive;
} good[] = {
    { "length", SPAN_INIT(OK CL "5\r\n\r\n"), HTTP_GET, HTTP_BODY_LENGTH, 5, true },
    { "chunked", SPAN_INIT(OK CHUNKED "\r\n"), HTTP_GET, HTTP_BODY_CHUNKED, -1, true },
    { "until close", SPAN_INIT(OK "\r\n"), HTTP_GET, HTTP_BODY_UNTIL_CLOSE, -1, false },
    { "no reason", SPAN_INIT("HTTP/1.1 200 \r\n" CL "0\r\n\r\n"), HTTP_GET, HTTP_BODY_LENGTH, 0,
      true },
    { "no blank", SPAN_INIT("HTTP/1.1 200\r\n" CL "0\r\n\r\n"), HTTP_GET, HTTP_BODY_LENGTH, 0,
      true },
    { "reason of high bytes", SPAN_INIT("HTTP/1.1 200 \xe9t\xe9\r\n" CL "0\r\n\r\n"), HTTP_GET,
      HTTP_BODY_LENGTH, 0, true },
    { "close", SPAN_INIT(OK CL "0\r\nConnection: close\r\n\r\n"), HTTP_GET, HTTP_BODY_LENGTH, 0,
      false },
    { "1.0", SPAN_INIT("HTTP/1.0 200 OK\r\n" CL "1\r\n\r\n"), HTTP_GET, HTTP_BODY_LENGTH, 1,
      false },
    { "1.0 keep-alive", SPAN_INIT("HTTP/1.0 200 OK\r\n" CL "1\r\nConnection: keep-alive\r\n\r\n"),
      HTTP_GET, HTTP_BODY_LENGTH, 1, true },
    { "to HEAD", SPAN_INIT(OK CL "5\r\n\r\n"), HTTP_HEAD, HTTP_BODY_NONE, 5, true },
    { "to HEAD, chunked", SPAN_INIT(OK CHUNKED "\r\n"), HTTP_HEAD, HTTP_BODY_NONE, -1, true },
    { "to HEAD, nothing", SPAN_INIT(OK "\r\n"), HTTP_HEAD, HTTP_BODY_NONE, -1, true },
    { "304", SPAN_INIT("HTTP/1.1 304 Not Modified\r\n" CL "5\r\n\r\n"), HTTP_GET, HTTP_BODY_NONE, 5,
      true },
    { "204 with a length", SPAN_INIT("HTTP/1.1 204 No Content\r\n" CL "5\r\n\r\n"), HTTP_GET,
      HTTP_BODY_NONE, -1, true },
    { "100", SPAN_INIT("HTTP/1.1 100 Continue\r\n\r\n"), HTTP_POST, HTTP_BODY_NONE, -1, true },
    { "103 with a length", SPAN_INIT("HTTP/1.1 103 Early Hints\r\n" CL "5\r\n\r\n"), HTTP_GET,
      HTTP_BODY_NONE, -1, true },
    { "101", SPAN_INIT("HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"),
      HTTP_GET, HTTP_BODY_NONE, -1, true },
    { "101, nothing said", SPAN_INIT("HTTP/1.1 101 x\r\n\r\n"), HTTP_GET, HTTP_BODY_NONE, -1,
      true },
    { "999", SPAN_INIT("HTTP/1.1 999 x\r\n" CL "0\r\n\r\n"), HTTP_GET, HTTP_BODY_LENGTH, 0, true },
    { "high bytes in value", SPAN_INIT(OK CL "0\r\nX: \xe9\r\n\r\n"), HTTP_GET, HTTP_BODY_LENGTH, 0,
      true },
    { "disguise left out", SPAN_INIT(OK CL "0\r\nTransfer_Encoding: chunked\r\n\r\n"), HTTP_GET,
      HTTP_BODY_LENGTH, 0, true },
};

static const struct {
    const char *name;
    struct span bytes;
} bad[] = {
    { "status of one digit", SPAN_INIT("HTTP/1.1 2\r\n\r\n") },
    { "status of two digits and more", SPAN_INIT("HTTP/1.1 20 OKAY\r\n\r\n") },
    { "status of four digits", SPAN_INIT("HTTP/1.1 2000 OK\r\n\r\n") },
    { "status 099", SPAN_INIT("HTTP/1.1 099 OK\r\n\r\n") },
    { "no status", SPAN_INIT("HTTP/1.1  \r\n\r\n") },
    { "two blanks", SPAN_INIT("HTTP/1.1  200 OK\r\n\r\n") },
    { "tab", SPAN_INIT("HTTP/1.1\t200 OK\r\n\r\n") },
    { "HTTP/1.2", SPAN_INIT("HTTP/1.2 200 OK\r\n\r\n") },
    { "HTTP/2", SPAN_INIT("HTTP/2.0 200 OK\r\n\r\n") },
    { "ICY", SPAN_INIT("ICY 200 OK\r\nX: a\r\n\r\n") },
    { "NUL in reason", SPAN_INIT("HTTP/1.1 200 O\0K\r\n\r\n") },
    { "CR in reason", SPAN_INIT("HTTP/1.1 200 O\rK\r\n\r\n") },
    { "leading empty line", SPAN_INIT("\r\n" OK "\r\n") },
    { "bare LF", SPAN_INIT("HTTP/1.1 200 OK\nX: a\r\n\r\n") },
    { "bare LF in a field", SPAN_INIT(OK "X: a\n\r\n") },
    { "bare LF last", SPAN_INIT(OK "X: a\r\n\n") },
    { "folded", SPAN_INIT(OK "X: a\r\n b\r\n\r\n") },
    { "blank before colon", SPAN_INIT(OK "X : a\r\n\r\n") },
    { "no colon", SPAN_INIT(OK "X\r\n\r\n") },
    { "empty name", SPAN_INIT(OK ": a\r\n\r\n") },
    { "control in value", SPAN_INIT(OK "X: \x01\r\n\r\n") },
    { "NUL in value", SPAN_INIT(OK "X: \0\r\n\r\n") },
    { "CR in value", SPAN_INIT(OK "X: a\rb\r\n\r\n") },
    { "two lengths", SPAN_INIT(OK CL "1\r\n" CL "2\r\n\r\n") },
    { "same length twice", SPAN_INIT(OK CL "1\r\n" CL "1\r\n\r\n") },
    { "bad length", SPAN_INIT(OK CL "1x\r\n\r\n") },
    { "length and chunked", SPAN_INIT(OK CL "1\r\n" CHUNKED "\r\n") },
    { "chunked twice", SPAN_INIT(OK CHUNKED CHUNKED "\r\n") },
    { "another coding", SPAN_INIT(OK "Transfer-Encoding: gzip\r\n\r\n") },
    { "identity", SPAN_INIT(OK "Transfer-Encoding: identity\r\n\r\n") },
    { "name that goes on after Transfer-Encoding",
      SPAN_INIT(OK CL "0\r\nTransfer-Encodingn:\r\n\r\n") },
    { "and no length", SPAN_INIT(OK "Transfer-Encoding-X: chunked\r\n\r\n") },
    { "1.0 chunked", SPAN_INIT("HTTP/1.0 200 OK\r\n" CHUNKED "\r\n") },
    { "101 with a length", SPAN_INIT("HTTP/1.1 101 x\r\n" CL "3\r\n\r\n") },
    { "101 with length 0", SPAN_INIT("HTTP/1.1 101 x\r\n" CL "0\r\n\r\n") },
    { "101 chunked", SPAN_INIT("HTTP/1.1 101 x\r\n" CHUNKED "\r\n") },
};

static enum http_parse parse(struct span bytes, enum http_method to)
{
    size_t scanned = 0;
    return http_response_parse(at_end_of_page(bytes), to, &message, &scanned);
}

static void test_good(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        if (parse(good[i].bytes, good[i].to) != HTTP_PARSED)
            fail_msg("%s: %s", good[i].name,
                     message.refuse_why == NULL ? "partial" : message.refuse_why);
        int64_t length = message.has_length ? (int64_t)message.content_length : -1;
        if (message.framing != good[i].framing || length != good[i].length ||
            message.keep_alive != good[i].keep_alive || message.head_len != good[i].bytes.len)
            fail_msg("%s: framing %d, length %ld", good[i].name, (int)message.framing,
                     (long)length);
    }
}

static void test_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (parse(bad[i].bytes, HTTP_GET) != HTTP_REFUSED)
            fail_msg("%s", bad[i].name);
        assert_int_equal(message.refuse_status, 502);
        assert_non_null(message.refuse_why);
    }
}

/* A server of another protocol speaks first and then waits: no need to wait with it. */
static void test_hopeless_beginnings(void **state)
{
    (void)state;
    static const struct span rows[] = {
        SPAN_INIT("SSH-2.0-OpenSSH_9.2\r\n"),
        SPAN_INIT("220 ready\r\n"),
        SPAN_INIT("\x15\x03\x01"),
        SPAN_INIT("<"),
        SPAN_INIT("\r\n"),
        SPAN_INIT("h"),
        SPAN_INIT("HTTP/2"),
        SPAN_INIT("HTTP 1"),
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (parse(rows[i], HTTP_GET) != HTTP_REFUSED)
            fail_msg("row %zu", i);
        assert_string_equal(message.refuse_why, "the status line is malformed");
    }
    for (size_t n = 0; n <= sizeof("HTTP/1.") - 1; n++)
        assert_int_equal(parse(span_of("HTTP/1.", n), HTTP_GET), HTTP_PARTIAL);
}

static void test_every_prefix_is_partial(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        size_t scanned = 0;
        for (size_t n = 0; n < good[i].bytes.len; n++) {
            struct span prefix = at_end_of_page(span_of(good[i].bytes.ptr, n));
            assert_int_equal(parse(prefix, HTTP_GET), HTTP_PARTIAL);
            assert_int_equal(http_response_parse(prefix, HTTP_GET, &message, &scanned),
                             HTTP_PARTIAL);
        }
        assert_int_equal(http_response_parse(good[i].bytes, HTTP_GET, &message, &scanned),
                         HTTP_PARSED);
    }
}

static void test_upgrade_fields(void **state)
{
    (void)state;
    assert_int_equal(parse(SPAN("HTTP/1.1 101 Go\r\nUpgrade: websocket\r\n"
                                "Connection: Upgrade\r\n\r\nfirst bytes"),
                           HTTP_GET),
                     HTTP_PARSED);
    assert_int_equal(message.status, 101);
    assert_true(span_equal(message.reason_phrase, SPAN("Go")));
    assert_true(message.wants_upgrade);
    assert_true(span_equal(message.upgrade, SPAN("websocket")));
}

static void test_length_of_the_head(void **state)
{
    (void)state;
    static char bytes[2 * HTTP_RESPONSE_HEAD_MAX];
    int n = snprintf(bytes, sizeof(bytes), OK "X: ");
    memset(bytes + n, 'a', sizeof(bytes) - (size_t)n);
    assert_int_equal(parse(span_of(bytes, HTTP_RESPONSE_HEAD_MAX), HTTP_GET), HTTP_PARTIAL);
    assert_int_equal(parse(span_of(bytes, HTTP_RESPONSE_HEAD_MAX + 1), HTTP_GET), HTTP_REFUSED);

    memcpy(bytes + HTTP_RESPONSE_HEAD_MAX - 4, "\r\n\r\n", 4);
    assert_int_equal(parse(span_of(bytes, sizeof(bytes)), HTTP_GET), HTTP_PARSED);
    memcpy(bytes + HTTP_RESPONSE_HEAD_MAX - 4, "aaa\r\n\r\n", 7);
    assert_int_equal(parse(span_of(bytes, sizeof(bytes)), HTTP_GET), HTTP_REFUSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_hopeless_beginnings),
        cmocka_unit_test(test_every_prefix_is_partial),
        cmocka_unit_test(test_upgrade_fields),
        cmocka_unit_test(test_length_of_the_head),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
