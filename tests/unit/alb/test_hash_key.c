/* test_hash_key.c -- what a request's target goes by: the setting, and what a request has there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/ip.h"
#include "base/rendezvous.h"
#include "http/parse.h"
#include "http/rewrite.h"

#include "alb/hash_key.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* --- the setting ------------------------------------------------------------------------ */

static void test_settings(void **state)
{
    static const struct {
        const char *text;
        enum hash_key_kind kind;
        const char *name, *why; /* why: it is refused */
    } rows[] = {
        { "path", HASH_KEY_PATH, NULL, NULL },
        { "viewer", HASH_KEY_VIEWER, NULL, NULL },
        { "header X-Room", HASH_KEY_HEADER, "X-Room", NULL },
        { "Header\t X-Room ", HASH_KEY_HEADER, "X-Room", NULL },
        { "cookie sid", HASH_KEY_COOKIE, "sid", NULL },
        { "query room_id", HASH_KEY_QUERY, "room_id", NULL },
        { "query a[b]", HASH_KEY_QUERY, "a[b]", NULL },
        { "", 0, NULL, "\"\" is not one of path, header NAME, cookie NAME, query NAME and viewer" },
        { "host", 0, NULL,
          "\"host\" is not one of path, header NAME, cookie NAME, query NAME and viewer" },
        { "path /ws", 0, NULL, "path stands alone, without \"/ws\"" },
        { "viewer ip", 0, NULL, "viewer stands alone, without \"ip\"" },
        { "header", 0, NULL, "needs the name of the header: header NAME" },
        { "cookie ", 0, NULL, "needs the name of the cookie: cookie NAME" },
        { "query", 0, NULL, "needs the name of the query: query NAME" },
        { "header A B", 0, NULL, "one header only; \"B\" is too much" },
        { "header X:Room", 0, NULL, "\"X:Room\" is no name of a header" },
        { "header content-length", 0, NULL,
          "\"content-length\" is about the body, not about who asks" },
        { "header Cookie", 0, NULL,
          "\"Cookie\" has all cookies; write cookie NAME for one of them" },
        { "cookie a=b", 0, NULL, "\"a=b\" is no name of a cookie" },
        { "query a&b", 0, NULL,
          "\"a&b\" is no name of a parameter: visible ASCII characters but &=#+%" },
        { "query caf\xc3\xa9", 0, NULL,
          "\"caf\xc3\xa9\" is no name of a parameter: visible ASCII characters but &=#+%" },
    };
    (void)state;

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct hash_key key;
        char why[256] = "";
        const bool is = hash_key_parse(span_text(rows[i].text), &key, why, sizeof(why));
        if (is != (rows[i].why == NULL))
            fail_msg("%s: %s", rows[i].text, why);
        if (is) {
            assert_int_equal(key.kind, rows[i].kind);
            assert_true((key.name == NULL) == (rows[i].name == NULL));
            if (key.name != NULL)
                assert_string_equal(key.name, rows[i].name);
        } else {
            assert_string_equal(why, rows[i].why);
            assert_null(key.name);
        }
        hash_key_done(&key);
    }
}

static void test_a_name_has_an_end(void **state)
{
    char text[sizeof("header ") + HASH_KEY_NAME_MAX + 1] = "header ", why[256];
    struct hash_key key;
    (void)state;

    memset(text + 7, 'x', HASH_KEY_NAME_MAX);
    assert_true(hash_key_parse(span_text(text), &key, why, sizeof(why)));
    hash_key_done(&key);
    strcat(text, "x");
    assert_false(hash_key_parse(span_text(text), &key, why, sizeof(why)));
    assert_string_equal(why, "the name has more than 128 characters");
}

/* --- requests -------------------------------------------------------------------------------- */

static struct http_message message;
static const struct ip nobody = { .family = 4, .bytes = { 192, 0, 2, 1 } };

static void parse(const char *target, const char *fields)
{
    static char text[4096];
    size_t scanned = 0;

    snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: a\r\n%s\r\n", target, fields);
    assert_int_equal(http_request_parse(span_text(text), HTTP_DEFENSIVE, &message, &scanned),
                     HTTP_PARSED);
}

/* The key that the hash is of; NULL: there is none. */
static const struct {
    const char *key, *target, *fields, *want;
} requests[] = {
    { "path", "/ws/42", "", "/ws/42" },
    { "path", "/ws/42?room=1", "", "/ws/42" },
    { "path", "/ws/42?", "", "/ws/42" },
    { "path", "/", "", "/" },
    { "path", "/WS/%34%32/", "", "/WS/%34%32/" },
    { "path", "/a b", "", "/a%20b" },
    { "path", "//x/../y", "", "//x/../y" },
    { "path", "http://host/ws/42?x", "", "/ws/42" },
    { "path", "http://host", "", "/" },
    { "path", "http://host?room=1", "", "/" },

    { "header X-Room", "/", "x-room: blue\r\n", "blue" },
    { "header X-Room", "/", "X-Room:  \tblue \r\nX-Room: red\r\n", "blue" },
    { "header X-Room", "/", "X-Room: a, b\r\n", "a, b" },
    { "header X-Room", "/", "X-Rooms: blue\r\n", NULL },
    { "header X-Room", "/", "X-Room:\r\n", NULL },
    { "header Host", "/", "", "a" },

    { "cookie sid", "/", "Cookie: sid=abc\r\n", "abc" },
    { "cookie sid", "/", "Cookie: a=1; sid=\"abc\"; sid=other\r\n", "abc" },
    { "cookie sid", "/", "Cookie: a=1\r\nCookie: sid=abc\r\n", "abc" },
    { "cookie sid", "/", "Cookie: SID=abc\r\n", NULL },
    { "cookie sid", "/", "Cookie: sid\r\n", NULL },
    { "cookie sid", "/", "Cookie: sid=\r\n", NULL },
    { "cookie sid", "/", "Cookie: ;;=;sid=a=b\r\n", "a=b" },
    { "cookie sid", "/", "", NULL },

    { "query room", "/?room=blue", "", "blue" },
    { "query room", "/?a=1&Room=blue&room=red", "", "blue" },
    { "query room", "/?room=bl%75e", "", "blue" },
    { "query room", "/?room=a+b%2b", "", "a b+" },
    { "query room", "/?room=%", "", "%" },
    { "query room", "/?room=%4", "", "%4" },
    { "query room", "/?room=%zz%4", "", "%zz%4" },
    { "query room", "/?room=%C3%a9", "", "\xc3\xa9" },
    { "query room", "/?room=a=b", "", "a=b" },
    { "query room", "/?room", "", NULL },
    { "query room", "/?room=&x", "", NULL },
    { "query room", "/?rooms=1", "", NULL },
    { "query room", "/", "", NULL },
    { "query room", "http://host?room=blue", "", "blue" },
};

static void test_requests(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(requests); i++) {
        struct hash_key key;
        char why[256];
        uint64_t hash;
        assert_true(hash_key_parse(span_text(requests[i].key), &key, why, sizeof(why)));
        parse(requests[i].target, requests[i].fields);
        const bool is = hash_key_of(&key, &message, &nobody, &hash);
        if (is != (requests[i].want != NULL))
            fail_msg("row %zu: %d", i, is);
        if (is && hash != key_hash(span_text(requests[i].want)))
            fail_msg("row %zu: not by %s", i, requests[i].want);
        hash_key_done(&key);
    }
}

/* The request as it came, not what a rule's transforms make of it. */
static void test_rewrites_do_not_matter(void **state)
{
    static const char *const keys[] = { "path", "query room" };
    (void)state;

    for (size_t i = 0; i < COUNT(keys); i++) {
        struct hash_key key;
        char why[256];
        uint64_t before, after;
        assert_true(hash_key_parse(span_text(keys[i]), &key, why, sizeof(why)));
        parse("http://host/ws?room=blue", "");
        assert_true(hash_key_of(&key, &message, &nobody, &before));
        assert_true(http_rewrite_uri(&message, SPAN("/other?room=red"), false));
        assert_true(http_rewrite_host(&message, SPAN("another.example.com")));
        assert_true(hash_key_of(&key, &message, &nobody, &after));
        assert_true(before == after);
        hash_key_done(&key);
    }
}

static void test_viewers(void **state)
{
    static const struct {
        const char *ip;
        struct span want;
    } rows[] = {
        { "192.0.2.1", SPAN_INIT("\xc0\x00\x02\x01") },
        { "::ffff:192.0.2.1", SPAN_INIT("\xc0\x00\x02\x01") },
        { "2001:db8::1", SPAN_INIT("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01") },
        { "2001:db8::2", SPAN_INIT("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02") },
    };
    const struct hash_key key = { .kind = HASH_KEY_VIEWER };
    (void)state;

    parse("/", "");
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct ip ip;
        uint64_t hash;
        assert_true(ip_parse(span_text(rows[i].ip), &ip));
        assert_true(hash_key_of(&key, &message, &ip, &hash));
        assert_true(hash == key_hash(rows[i].want));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_settings), cmocka_unit_test(test_a_name_has_an_end),
        cmocka_unit_test(test_requests), cmocka_unit_test(test_rewrites_do_not_matter),
        cmocka_unit_test(test_viewers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
