/* test_upgrade_signs.c -- what heads that were refused tell of an upgrade. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "alb/upgrade_signs.h"

#define WS "Upgrade: websocket\r\nConnection: Upgrade\r\n"

static const struct {
    const char *name;
    struct span head;
    bool asks, edge, protocol;
    const char *host, *path;
} cases[] = {
    { "nothing", SPAN_INIT(""), false, false, false, "", "" },
    { "empty lines", SPAN_INIT("\r\n\n\r\n"), false, false, false, "", "" },
    { "no upgrade", SPAN_INIT("GET /a HTTP/1.1\r\nHost: x\r\n\r\n"), false, false, false, "x",
      "/a" },
    { "an upgrade", SPAN_INIT("GET /a?token=b HTTP/1.1\r\nHost: x:80\r\n" WS "\r\n"), true, false,
      false, "x:80", "/a" },
    { "after empty lines", SPAN_INIT("\r\n\r\nGET /a HTTP/1.1\r\n" WS), true, false, false, "",
      "/a" },
    { "lines that end in LF", SPAN_INIT("GET /a HTTP/1.1\nhOST: x\nupGrade:WebSocket\n\n"), true,
      false, false, "x", "/a" },
    { "a blank before the colon", SPAN_INIT("GET / HTTP/1.1\r\nUpgrade : websocket\r\n"), true,
      false, false, "", "/" },
    { "one of two protocols", SPAN_INIT("GET / HTTP/1.1\r\nUpgrade: h2c, websocket\r\n"), true,
      false, false, "", "/" },
    { "another protocol",
      SPAN_INIT("GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nHost: \"\r\n"), false,
      false, false, "", "/" },
    { "Connection alone", SPAN_INIT("GET / HTTP/1.1\r\nConnection: keep-alive, Upgrade\r\n"), true,
      false, false, "", "/" },
    { "the key alone, and the edge", SPAN_INIT("GET / HTTP/1.1\r\nsec-websocket-key: a\r\nVIA: b"),
      true, true, false, "", "/" },
    { "a subprotocol, and the other mark",
      SPAN_INIT("GET / HTTP/1.1\r\nx-amz-cf-id: a\r\nSec-WebSocket-Protocol: chat"), true, true,
      true, "", "/" },
    { "cut off within a field", SPAN_INIT("GET /a HTTP/1.1\r\n" WS "Sec-WebSo"), true, false, false,
      "", "/a" },
    { "cut off within the request line", SPAN_INIT("GET /a"), false, false, false, "", "/a" },
    { "a method alone", SPAN_INIT("GET"), false, false, false, "", "" },
    { "absolute form", SPAN_INIT("GET http://y/b?c HTTP/1.1\r\nHost: x\r\n" WS), true, false, false,
      "x", "/b" },
    { "absolute form without a path", SPAN_INIT("GET http://y HTTP/1.1\r\n" WS), true, false, false,
      "", "/" },
    { "a path that would break out of its quotes",
      SPAN_INIT("GET /a\"b HTTP/1.1\r\nHost: a\"b\r\n" WS), true, false, false, "", "" },
    { "bytes that are no text", SPAN_INIT("GET /\0\xff HTTP/1.1\r\nHost: \0\r\n" WS), true, false,
      false, "", "" },
    { "the first Host, though it is none",
      SPAN_INIT("GET / HTTP/1.1\r\nHost: \0\r\nHost: x\r\n" WS), true, false, false, "", "/" },
    { "without a colon", SPAN_INIT("GET / HTTP/1.1\r\nUpgrade websocket\r\nUpgrade\r\n"), false,
      false, false, "", "/" },
};

static void assert_is(const char *name, struct span got, const char *want)
{
    if (!span_equal(got, span_text(want)))
        fail_msg("%s: \"%.*s\" is not \"%s\"", name, SPAN_ARGS(got), want);
}

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct upgrade_signs s;
        upgrade_signs_read(cases[i].head, &s);
        if (s.asks != cases[i].asks || s.behind_edge != cases[i].edge ||
            s.offers_protocol != cases[i].protocol)
            fail_msg("%s: %d %d %d", cases[i].name, s.asks, s.behind_edge, s.offers_protocol);
        assert_is(cases[i].name, s.host, cases[i].host);
        assert_is(cases[i].name, s.path, cases[i].path);
    }
}

/* Whatever is cut off: what is found lies within what is left (the copy has no more). */
static void test_every_prefix(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (size_t n = 0; n <= cases[i].head.len; n++) {
            struct upgrade_signs s;
            char *copy = malloc(n + 1);
            memcpy(copy, cases[i].head.ptr, n);
            upgrade_signs_read(span_of(copy, n), &s);
            assert_true(s.path.len == 0 || (s.path.ptr >= copy && s.path.ptr < copy + n) ||
                        span_equal(s.path, SPAN("/")));
            assert_true(s.host.len == 0 || (s.host.ptr >= copy && s.host.ptr < copy + n));
            free(copy);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_every_prefix),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
