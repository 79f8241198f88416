/* Responses of our own, to the byte; and that our own scan reads them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/clock.h"
#include "http/parse.h"
#include "http/reply.h"

#define DATE "Date: Sun, 22 Nov 2026 14:20:00 GMT\r\n"

static const struct {
    const char *name;
    struct http_reply reply;
    const char *want;
} rows[] = {
    { "all of it",
      { .status = 200,
        .server = "postern",
        .fields = "X-A: b\r\n",
        .more_fields = "X-C: d\r\n",
        .content_type = SPAN_INIT("text/plain"),
        .body = SPAN_INIT("hello") },
      "HTTP/1.1 200 OK\r\n" DATE "Server: postern\r\nContent-Type: text/plain\r\n"
      "Content-Length: 5\r\nConnection: keep-alive\r\nX-A: b\r\nX-C: d\r\n\r\nhello" },
    { "nothing, close",
      { .status = 599, .close = true },
      "HTTP/1.1 599 Unknown\r\n" DATE "Content-Length: 0\r\nConnection: close\r\n\r\n" },
    { "not to be stored",
      { .status = 503, .no_store = true, .fields = "X-A: b\r\n", .body = SPAN_INIT("hello") },
      "HTTP/1.1 503 Service Unavailable\r\n" DATE "Content-Length: 5\r\nCache-Control: no-store\r\n"
      "Connection: keep-alive\r\nX-A: b\r\n\r\nhello" },
    { "to HEAD",
      { .status = 404, .body = SPAN_INIT("hello"), .head_only = true },
      "HTTP/1.1 404 Not Found\r\n" DATE "Content-Length: 5\r\nConnection: keep-alive\r\n\r\n" },
    { "204",
      { .status = 204, .body = SPAN_INIT("hello") },
      "HTTP/1.1 204 No Content\r\n" DATE "Connection: keep-alive\r\n\r\n" },
};

static void test_replies(void **state)
{
    (void)state;
    static struct http_message m;
    clock_fix(0, 1795357200u * 1000000ull);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf out;
        size_t scanned = 0;
        size_t len = strlen(rows[i].want);
        buf_init(&out, len - 1);
        assert_false(http_reply(&out, &rows[i].reply));
        assert_int_equal(buf_len(&out), 0);
        buf_done(&out);

        buf_init(&out, len);
        assert_true(http_reply(&out, &rows[i].reply));
        if (!span_equal(buf_data(&out), span_text(rows[i].want)))
            fail_msg("%s: %.*s", rows[i].name, SPAN_ARGS(buf_data(&out)));
        assert_int_equal(http_response_parse(buf_data(&out), HTTP_GET, &m, &scanned), HTTP_PARSED);
        buf_done(&out);
    }
    clock_run();
}

static void test_bad_content_type(void **state)
{
    (void)state;
    struct buf out;
    const struct http_reply reply = { .status = 200, .content_type = SPAN("a\r\nX: b") };
    buf_init(&out, 1000);
    assert_false(http_reply(&out, &reply));
    assert_int_equal(buf_len(&out), 0);
    buf_done(&out);
}

static void test_error_page(void **state)
{
    (void)state;
    char page[HTTP_ERROR_PAGE_MAX];
    struct span text = http_error_page(502, page);
    const struct span want = SPAN_INIT("<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n"
                                       "<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n"
                                       "</body>\r\n</html>\r\n");
    assert_true(span_equal(text, want));
    for (int status = 0; status < 700; status++)
        assert_true(http_error_page(status, page).len < HTTP_ERROR_PAGE_MAX);
}

static void test_error_reply(void **state)
{
    (void)state;
    static struct http_message m;
    struct buf out;
    size_t scanned = 0;

    struct http_reply reply = { .status = 503, .server = "postern", .close = true };
    char page[HTTP_ERROR_PAGE_MAX];
    http_make_error_page(&reply, page);
    buf_init(&out, 1000);
    assert_true(http_reply(&out, &reply));
    assert_int_equal(http_response_parse(buf_data(&out), HTTP_GET, &m, &scanned), HTTP_PARSED);
    assert_int_equal(m.status, 503);
    assert_false(m.keep_alive);
    assert_int_equal(m.head_len + m.content_length, buf_len(&out));
    assert_true(span_equal(http_value(&m, HTTP_N_CONTENT_TYPE), SPAN("text/html")));
    buf_done(&out);
}

static void test_texts(void **state)
{
    (void)state;
    assert_string_equal(http_status_text(101), "Switching Protocols");
    assert_string_equal(http_status_text(460), "Client Closed Connection");
    assert_string_equal(http_status_text(299), "Unknown");
    assert_string_equal(http_status_text(-1), "Unknown");
    assert_string_equal(http_status_text(600), "Unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replies),    cmocka_unit_test(test_bad_content_type),
        cmocka_unit_test(test_error_page), cmocka_unit_test(test_error_reply),
        cmocka_unit_test(test_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
