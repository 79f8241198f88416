/* Writing heads: what comes out, and what cannot be made to come out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "http/canonical.h"

static struct http_message message;
static struct buf out;

static int start(void **state)
{
    (void)state;
    memset(&message, 0, offsetof(struct http_message, fields));
    buf_init(&out, 256);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    buf_done(&out);
    return 0;
}

static void assert_out(const char *want)
{
    struct span got = buf_data(&out);
    if (!span_equal(got, span_text(want)))
        fail_msg("got \"%.*s\", want \"%s\"", SPAN_ARGS(got), want);
}

static void test_request_lines(void **state)
{
    (void)state;
    message.method = SPAN("GET");
    message.path = SPAN("/a");
    message.query = SPAN("b=c");
    assert_true(http_write_request_line(&out, &message));
    assert_out("GET /a HTTP/1.1\r\n");
    buf_drop(&out, buf_len(&out));
    message.has_query = true;
    assert_true(http_write_request_line(&out, &message));
    assert_out("GET /a?b=c HTTP/1.1\r\n");
}

/* A rewrite may have put anything there. */
static void test_bad_request_lines(void **state)
{
    (void)state;
    static const struct {
        struct span method, path, query;
    } rows[] = {
        { SPAN_INIT(""), SPAN_INIT("/"), SPAN_INIT("") },
        { SPAN_INIT("G T"), SPAN_INIT("/"), SPAN_INIT("") },
        { SPAN_INIT("GET"), SPAN_INIT(""), SPAN_INIT("") },
        { SPAN_INIT("GET"), SPAN_INIT("/ HTTP/1.1\r\nX: a"), SPAN_INIT("") },
        { SPAN_INIT("GET"), SPAN_INIT("/\xe9"), SPAN_INIT("") },
        { SPAN_INIT("GET"), SPAN_INIT("/"), SPAN_INIT("a b") },
        { SPAN_INIT("GET"), SPAN_INIT("/"), SPAN_INIT("\n") },
        { SPAN_INIT("GET"), SPAN_INIT("/#"), SPAN_INIT("") },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        message.method = rows[i].method;
        message.path = rows[i].path;
        message.query = rows[i].query;
        message.has_query = true;
        assert_false(http_write_request_line(&out, &message));
    }
    assert_out("");
}

static void test_status_lines(void **state)
{
    (void)state;
    assert_true(http_write_status_line(&out, 200, SPAN("Fine")));
    assert_true(http_write_status_line(&out, 502, SPAN("")));
    assert_true(http_write_status_line(&out, 404, SPAN("a\r\nX: b")));
    assert_true(http_write_status_line(&out, 799, SPAN("")));
    assert_out("HTTP/1.1 200 Fine\r\nHTTP/1.1 502 Bad Gateway\r\nHTTP/1.1 404 Not Found\r\n"
               "HTTP/1.1 799 Unknown\r\n");
    assert_false(http_write_status_line(&out, 99, SPAN("x")));
    assert_false(http_write_status_line(&out, 1000, SPAN("x")));
}

static void test_fields(void **state)
{
    (void)state;
    assert_true(http_write_field(&out, SPAN("X-A"), SPAN("b\tc \xe9")));
    assert_true(http_write_field(&out, SPAN("Y"), SPAN("")));
    assert_out("X-A: b\tc \xe9\r\nY: \r\n");
    static const struct span values[] = {
        SPAN_INIT("a\r\nX: b"), SPAN_INIT("a\nb"), SPAN_INIT("a\rb"),
        SPAN_INIT("a\0"),       SPAN_INIT("\x7f"), SPAN_INIT("\x01"),
    };
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        assert_false(http_write_field(&out, SPAN("X"), values[i]));
    static const struct span names[] = { SPAN_INIT(""), SPAN_INIT("a b"), SPAN_INIT("a:"),
                                         SPAN_INIT("a\r\nb"), SPAN_INIT("\xe9") };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        assert_false(http_write_field(&out, names[i], SPAN("a")));
    assert_out("X-A: b\tc \xe9\r\nY: \r\n");
}

static void test_framing(void **state)
{
    (void)state;
    assert_true(http_write_framing(&out, &message));
    message.framing = HTTP_BODY_UNTIL_CLOSE;
    assert_true(http_write_framing(&out, &message));
    assert_out("");
    message.framing = HTTP_BODY_LENGTH;
    message.has_length = true;
    message.content_length = 9999999999999999999u;
    assert_true(http_write_framing(&out, &message));
    message.framing = HTTP_BODY_CHUNKED;
    assert_true(http_write_framing(&out, &message));
    assert_true(http_end_head(&out));
    assert_out("Content-Length: 9999999999999999999\r\nTransfer-Encoding: chunked\r\n\r\n");
}

/* Whole or not at all, to the byte. */
static void test_bound(void **state)
{
    (void)state;
    static char value[256];
    memset(value, 'a', sizeof(value));
    assert_false(http_write_field(&out, SPAN("X"), span_of(value, 256 - 4)));
    assert_int_equal(buf_len(&out), 0);
    assert_true(http_write_field(&out, SPAN("X"), span_of(value, 256 - 5)));
    assert_int_equal(buf_len(&out), 256);
    assert_false(http_end_head(&out));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_request_lines, start, stop),
        cmocka_unit_test_setup_teardown(test_bad_request_lines, start, stop),
        cmocka_unit_test_setup_teardown(test_status_lines, start, stop),
        cmocka_unit_test_setup_teardown(test_fields, start, stop),
        cmocka_unit_test_setup_teardown(test_framing, start, stop),
        cmocka_unit_test_setup_teardown(test_bound, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
