/* What a request asks for, and how large it may be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "http/parse.h"

#include "guard.h"

#define H "Host: a.example\r\n"

static struct http_message message;

/* The status it is refused with, 0 when it is parsed, -1 when it is partial. */
static int parse(struct span bytes, enum http_desync_mode mode)
{
    size_t scanned = 0;
    enum http_parse got = http_request_parse(at_end_of_page(bytes), mode, &message, &scanned);

    if (got == HTTP_PARTIAL)
        return -1;
    return got == HTTP_PARSED ? 0 : message.refuse_status;
}

static const struct {
    const char *name, *head;
    bool keep_alive, names_fields, wants_upgrade, is_websocket, expects;
} meanings[] = {
    { "1.1", "GET / HTTP/1.1\r\n" H, true, false, false, false, false },
    { "1.1 close", "GET / HTTP/1.1\r\n" H "Connection: Keep-Alive, Close\r\n", false, false, false,
      false, false },
    { "1.0", "GET / HTTP/1.0\r\n" H, false, false, false, false, false },
    { "1.0 keep-alive", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n", true, false, false, false,
      false },
    { "names fields", "GET / HTTP/1.1\r\n" H "Connection: X-A,\r\nConnection: close\r\n", false,
      true, false, false, false },
    { "websocket",
      "GET / HTTP/1.1\r\n" H "Upgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n", true,
      false, true, true, false },
    { "websocket in a list",
      "GET / HTTP/1.1\r\n" H "Upgrade: a, websocket\r\nConnection: upgrade\r\n", true, false, true,
      true, false },
    { "not listed in Connection", "GET / HTTP/1.1\r\n" H "Upgrade: websocket\r\n", true, false,
      false, false, false },
    { "no Upgrade field", "GET / HTTP/1.1\r\n" H "Connection: upgrade\r\n", true, false, false,
      false, false },
    { "1.0 upgrade", "GET / HTTP/1.0\r\n" H "Upgrade: websocket\r\nConnection: upgrade\r\n", false,
      false, false, false, false },
    { "POST upgrade", "POST / HTTP/1.1\r\n" H "Upgrade: websocket\r\nConnection: upgrade\r\n", true,
      false, true, false, false },
    { "h2c", "GET / HTTP/1.1\r\n" H "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\n", true,
      true, true, false, false },
    { "expects", "POST / HTTP/1.1\r\n" H "Expect: 100-continue\r\n", true, false, false, false,
      true },
    { "1.0 expects", "POST / HTTP/1.0\r\n" H "Expect: 100-continue\r\n", false, false, false, false,
      false },
};

static void test_meanings(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++) {
        char head[300];
        int n = snprintf(head, sizeof(head), "%s\r\n", meanings[i].head);
        assert_int_equal(parse(span_of(head, (size_t)n), HTTP_DEFENSIVE), 0);
        if (message.keep_alive != meanings[i].keep_alive ||
            message.names_fields != meanings[i].names_fields ||
            message.wants_upgrade != meanings[i].wants_upgrade ||
            message.is_websocket != meanings[i].is_websocket ||
            message.expect_continue != meanings[i].expects)
            fail_msg("%s", meanings[i].name);
    }
}

/* A head with `fill` bytes where '@' stands. */
static struct span filled(const char *shape, size_t fill)
{
    static char bytes[2 * HTTP_HEAD_MAX];
    const char *at = strchr(shape, '@');
    size_t before = (size_t)(at - shape);

    memcpy(bytes, shape, before);
    memset(bytes + before, 'a', fill);
    strcpy(bytes + before + fill, at + 1);
    return span_of(bytes, strlen(bytes));
}

#define LONG_LINE "GET /@ HTTP/1.1\r\n" H "\r\n"
#define LONG_FIELD "GET / HTTP/1.1\r\n" H "X: @\r\n\r\n"
#define LONG_NAME "GET / HTTP/1.1\r\n" H "@: x\r\n\r\n"
#define LONG_ODD_NAME "GET / HTTP/1.1\r\n" H "_@: x\r\n\r\n"
#define LONG_ODD_FIELD "GET / HTTP/1.1\r\n" H "X_Forwarded_For: @\r\n\r\n"
#define FOLDED_FIELD "GET / HTTP/1.1\r\n" H "X: a\r\n @\r\n\r\n"

static const struct {
    const char *name, *shape;
    size_t fill;
    int defensive, strictest;
} limits[] = {
    { "line at 8K", LONG_LINE, 8192 - 14, 0, 0 },
    { "line past 8K", LONG_LINE, 8192 - 13, 0, 414 },
    { "line at 16K", LONG_LINE, HTTP_LINE_MAX - 14, 0, 414 },
    { "line past 16K", LONG_LINE, HTTP_LINE_MAX - 13, 414, 414 },
    { "line past 64K", LONG_LINE, HTTP_HEAD_MAX, 414, 414 },
    { "line without an end", "GET /@", HTTP_LINE_MAX, 414, 414 },
    { "line without an end past 64K", "GET /@", HTTP_HEAD_MAX, 414, 414 },
    { "line without an end yet", "GET /@", 8000, -1, -1 },
    { "value at 8K", LONG_FIELD, 8192, 0, 0 },
    { "value past 8K", LONG_FIELD, 8193, 0, 431 },
    { "field at 16K", LONG_FIELD, HTTP_LINE_MAX - 3, 0, 431 },
    { "field past 16K", LONG_FIELD, HTTP_LINE_MAX - 2, 400, 431 },
    { "folded to 16K", FOLDED_FIELD, HTTP_LINE_MAX - 3, 0, 431 },
    { "folded past 16K", FOLDED_FIELD, HTTP_LINE_MAX - 2, 400, 431 },
    { "name at 128", LONG_NAME, 128, 0, 0 },
    { "name past 128", LONG_NAME, 129, 0, 431 },
    { "name past 128, left out", LONG_ODD_NAME, 129, 0, 431 },
    { "value past 8K, left out", LONG_ODD_FIELD, 8193, 0, 431 },
    { "head without an end", "GET / HTTP/1.1\r\nX: @", HTTP_HEAD_MAX, 400, 431 },
};

static void test_limits(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        struct span head = filled(limits[i].shape, limits[i].fill);
        int defensive = parse(head, HTTP_DEFENSIVE);
        int strictest = parse(head, HTTP_STRICTEST);
        if (defensive != limits[i].defensive || strictest != limits[i].strictest)
            fail_msg("%s: %d and %d", limits[i].name, defensive, strictest);
    }
}

static void test_limit_of_encoded_uri(void **state)
{
    (void)state;
    struct span head = filled("GET /@ HTTP/1.1\r\n" H "\r\n", HTTP_LINE_MAX / 3);
    memset((char *)head.ptr + 5, 0xe9, HTTP_LINE_MAX / 3);
    assert_int_equal(parse(head, HTTP_DEFENSIVE), 414);
}

static int parse_with_fields(size_t count, const char *line, enum http_desync_mode mode)
{
    static char bytes[HTTP_HEAD_MAX];
    size_t n = (size_t)sprintf(bytes, "GET / HTTP/1.1\r\n" H);

    for (size_t i = 1; i < count; i++)
        n += (size_t)sprintf(bytes + n, "%s\r\n", line);
    n += (size_t)sprintf(bytes + n, "\r\n");
    return parse(span_of(bytes, n), mode);
}

static void test_limits_of_fields(void **state)
{
    (void)state;
    assert_int_equal(parse_with_fields(HTTP_FIELDS_MAX, "X: a", HTTP_DEFENSIVE), 0);
    assert_int_equal(parse_with_fields(HTTP_FIELDS_MAX + 1, "X: a", HTTP_DEFENSIVE), 400);
    assert_int_equal(parse_with_fields(100, "X: a", HTTP_STRICTEST), 0);
    assert_int_equal(parse_with_fields(101, "X: a", HTTP_STRICTEST), 431);
    assert_int_equal(parse_with_fields(100, "a_b: a", HTTP_STRICTEST), 0);
    assert_int_equal(message.field_count, 1);
    assert_int_equal(message.dropped_fields, 99);
    assert_int_equal(parse_with_fields(101, "a_b: a", HTTP_STRICTEST), 431);
    assert_int_equal(parse_with_fields(99, "X: a\r\n b", HTTP_STRICTEST), 400);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_meanings),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_limit_of_encoded_uri),
        cmocka_unit_test(test_limits_of_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
