/* Another URI or host for a request: what is taken, and what changes nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "http/parse.h"
#include "http/rewrite.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct http_message message;

static void ask(void)
{
    size_t scanned = 0;

    assert_int_equal(http_request_parse(SPAN("GET /old?q HTTP/1.1\r\nHost: a.test\r\n\r\n"),
                                        HTTP_DEFENSIVE, &message, &scanned),
                     HTTP_PARSED);
}

static void test_uris(void **state)
{
    static const struct {
        const char *uri;
        bool strictest, good;
        const char *path, *query; /* NULL: none */
    } cases[] = {
        { "/new", false, true, "/new", NULL },
        { "/new?a=b?c", false, true, "/new", "a=b?c" },
        { "/?", false, true, "/", "" },
        { "//", false, true, "//", NULL },
        { "/a/../b", false, true, "/a/../b", NULL },
        { "/a/../b", true, false, NULL, NULL },
        { "/a/%2e%2E/b", true, false, NULL, NULL },
        { "/a?/../b", true, true, "/a", "/../b" },
        { "", false, false, NULL, NULL },
        { "new", false, false, NULL, NULL },
        { "*", false, false, NULL, NULL },
        { "?q", false, false, NULL, NULL },
        { "http://b/", false, false, NULL, NULL },
        { "/a b", false, false, NULL, NULL },
        { "/a#b", false, false, NULL, NULL },
        { "/a\\b", false, false, NULL, NULL },
        { "/a\r\nX: y", false, false, NULL, NULL },
        { "/\x80", false, false, NULL, NULL },
    };
    (void)state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *path = cases[i].good ? cases[i].path : "/old";
        const char *query = cases[i].good ? cases[i].query : "q";
        ask();
        if (http_rewrite_uri(&message, span_text(cases[i].uri), cases[i].strictest) !=
                cases[i].good ||
            !span_equal(message.path, span_text(path)) || message.has_query != (query != NULL) ||
            !span_equal(message.query, span_text(query)))
            fail_msg("%s", cases[i].uri);
        assert_true(span_equal(message.target, SPAN("/old?q")));
    }
}

/* A line that is written again is as short as one that is read. */
static void test_longest_uri(void **state)
{
    char *uri = mem_zero(HTTP_LINE_MAX);
    const size_t most = HTTP_LINE_MAX - strlen("GET  HTTP/1.1");
    (void)state;

    memset(uri, '/', HTTP_LINE_MAX);
    ask();
    assert_true(http_rewrite_uri(&message, span_of(uri, most), false));
    assert_false(http_rewrite_uri(&message, span_of(uri, most + 1), false));
    assert_int_equal(message.path.len, most);
    free(uri);
}

static void test_hosts(void **state)
{
    static const struct {
        const char *host;
        bool good;
    } cases[] = {
        { "b.test", true },   { "b.test:81", true },  { "[::1]:81", true },  { "", false },
        { "b:x", false },     { "b:65536", false },   { "u@b.test", false }, { "b/c", false },
        { "b.test ", false }, { "b\r\nX: y", false },
    };
    (void)state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        ask();
        const char *want = cases[i].good ? cases[i].host : "a.test";
        if (http_rewrite_host(&message, span_text(cases[i].host)) != cases[i].good ||
            !span_equal(message.host, span_text(want)))
            fail_msg("%s", cases[i].host);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_uris),
        cmocka_unit_test(test_longest_uri),
        cmocka_unit_test(test_hosts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
