/* The second opinion agrees with what is canonical, and notices what is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "http/parse.h"
#include "http/second.h"

#include "canon.h"
#include "guard.h"

static struct http_message message;

static void parse_request(struct span bytes)
{
    size_t scanned = 0;
    assert_int_equal(http_request_parse(bytes, HTTP_DEFENSIVE, &message, &scanned), HTTP_PARSED);
}

static void parse_response(struct span bytes, enum http_method to)
{
    size_t scanned = 0;
    assert_int_equal(http_response_parse(bytes, to, &message, &scanned), HTTP_PARSED);
}

static void test_canonical_requests_agree(void **state)
{
    (void)state;
    static const struct span rows[] = {
        SPAN_INIT("GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        SPAN_INIT("GET / HTTP/1.0\r\n\r\n"),
        SPAN_INIT("GET http://b/x?y HTTP/1.1\r\nHost: a\r\nEmpty:\r\n\r\n"),
        SPAN_INIT("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"),
        SPAN_INIT("BREW /\"<>^{}|` HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n"),
        SPAN_INIT("G / HTTP/1.1\r\nHost: a\r\n\r\n"),
        SPAN_INIT("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 000\r\n\r\n"),
        SPAN_INIT("PATCH / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"),
        SPAN_INIT("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n"
                  "Transfer-Encoding: chunked\r\n\r\n"),
        SPAN_INIT("GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                  "\r\n"),
        SPAN_INIT("GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\nY: \xe9\r\n\r\n"),
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf head;
        const char *why = NULL;
        buf_init(&head, HTTP_HEAD_MAX);
        parse_request(rows[i]);
        assert_true(write_request(&head, &message));
        const struct span whole = buf_data(&head), cut = span_of(whole.ptr, whole.len - 2);
        if (!http_second_request(at_end_of_page(whole), &message, &why) ||
            !http_second_request(at_end_of_page(cut), &message, &why))
            fail_msg("row %zu: %s", i, why);
        buf_done(&head);
    }
}

#define POST_OF_4 "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n"

/* Heads that are not what that request was to be sent as. */
static void test_other_requests_differ(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct span head;
    } rows[] = {
        { "another method", SPAN_INIT("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n") },
        { "longer method", SPAN_INIT("POSTS / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n") },
        { "another version", SPAN_INIT("POST / HTTP/1.0\r\nHost: a\r\nContent-Length: 4\r\n\r\n") },
        { "two blanks", SPAN_INIT("POST  / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n") },
        { "blank in URL", SPAN_INIT("POST /a b HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n") },
        { "another length", SPAN_INIT("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n") },
        { "no length", SPAN_INIT("POST / HTTP/1.1\r\nHost: a\r\n\r\n") },
        { "chunked",
          SPAN_INIT("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n") },
        { "both", SPAN_INIT("POST / HTTP/1.1\r\nContent-Length: 4\r\n"
                            "Transfer-Encoding: chunked\r\n\r\n") },
        { "bare LF", SPAN_INIT("POST / HTTP/1.1\r\nX: a\nContent-Length: 4\r\n\r\n") },
        { "folded", SPAN_INIT("POST / HTTP/1.1\r\nX: a\r\n b\r\nContent-Length: 4\r\n\r\n") },
        { "no end of a line", SPAN_INIT("POST / HTTP/1.1\r\nContent-Length: 4") },
        { "more than a head", SPAN_INIT(POST_OF_4 "abcd") },
        { "empty", SPAN_INIT("") },
    };
    parse_request(SPAN(POST_OF_4));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *why = NULL;
        if (http_second_request(at_end_of_page(rows[i].head), &message, &why))
            fail_msg("%s", rows[i].name);
        assert_non_null(why);
    }
}

static void test_responses_agree(void **state)
{
    (void)state;
    static const struct {
        struct span head;
        enum http_method to;
    } rows[] = {
        { SPAN_INIT("HTTP/1.1 200 OK\r\nContent-Length: 05 \r\nX: \t a \t\r\n\r\n"), HTTP_GET },
        { SPAN_INIT("HTTP/1.1 200\r\nTransfer-Encoding:  Chunked \r\nY:\r\n\r\n"), HTTP_GET },
        { SPAN_INIT("HTTP/1.0 200 OK\r\n\r\n"), HTTP_GET },
        { SPAN_INIT("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"), HTTP_HEAD },
        { SPAN_INIT("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), HTTP_HEAD },
        { SPAN_INIT("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n"), HTTP_GET },
        { SPAN_INIT("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"), HTTP_GET },
        { SPAN_INIT("HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"),
          HTTP_GET },
        { SPAN_INIT("HTTP/1.1 100 Continue\r\n\r\n"), HTTP_POST },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *why = NULL;
        parse_response(rows[i].head, rows[i].to);
        if (!http_second_response(at_end_of_page(rows[i].head), &message, &why))
            fail_msg("row %zu: %s", i, why);
    }
}

static void test_other_responses_differ(void **state)
{
    (void)state;
    static const struct span rows[] = {
        SPAN_INIT("HTTP/1.1 201 OK\r\nContent-Length: 5\r\n\r\n"),
        SPAN_INIT("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n"),
        SPAN_INIT("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n"),
        SPAN_INIT("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
        SPAN_INIT("HTTP/1.1 200 OK\r\n\r\n"),
        SPAN_INIT("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"),
        SPAN_INIT("HTTP/1.1 200 OK\nX: a\r\nContent-Length: 5\r\n\r\n"),
    };
    parse_response(SPAN("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"), HTTP_GET);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *why = NULL;
        if (http_second_response(at_end_of_page(rows[i]), &message, &why))
            fail_msg("row %zu", i);
        assert_non_null(why);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_canonical_requests_agree),
        cmocka_unit_test(test_other_requests_differ),
        cmocka_unit_test(test_responses_agree),
        cmocka_unit_test(test_other_responses_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
