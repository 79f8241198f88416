/* The Location of a redirect: each placeholder, ports, empty queries, the limit, bad hosts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

#include "alb/redirect.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct redirect *make(const char *url)
{
    char why[256];
    struct redirect *r = redirect_new(301, span_text(url), false, why, sizeof(why));

    if (r == NULL)
        fail_msg("%s: %s", url, why);
    return r;
}

static void test_locations(void **state)
{
    static const char usual[] = "https://#{host}:443/#{path}?#{query}";
    static const struct {
        const char *template, *host, *path, *query, *want;
    } cases[] = {
        { usual, "a.test", "/x/y", "k=v", "https://a.test:443/x/y?k=v" },
        { usual, "a.test", "/", "", "https://a.test:443/" },
        { usual, "[::1]", "/", "", "https://[::1]:443/" },
        { usual, "a.test", "//evil.test/", "", "https://a.test:443//evil.test/" },
        { usual, "a.test", "/%0d%0aSet-Cookie:x", "", "https://a.test:443/%0d%0aSet-Cookie:x" },
        { usual, "a.test", "*", "", "https://a.test:443/" }, /* OPTIONS * */
        { "https://b.test/", "a.test", "/x", "q", "https://b.test:443/" },
        { "hTtP://b.test/", "a.test", "/x", "q", "http://b.test:80/" },
        { "#{protocol}://b.test/", "a.test", "/", "", "http://b.test:8080/" },
        { "#{protocol}://www.#{host}:#{port}/#{host}/#{port}/#{path}?"
          "#{protocol}-#{host}-#{port}-#{path}-#{query}",
          "a.test", "/x", "q=1", "http://www.a.test:8080/a.test/8080/x?http-a.test-8080-x-q=1" },
        { "https://#{host}/p?a=1&#{query}", "a.test", "/x", "", "https://a.test:443/p?a=1&" },
        { "https://#{host}/p/#{path}.html", "a.test", "/x", "", "https://a.test:443/p/x.html" },
    };
    (void)state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct redirect *r = make(cases[i].template);
        const struct redirect_request q = { .host = span_text(cases[i].host),
                                            .port = 8080,
                                            .path = span_text(cases[i].path),
                                            .query = span_text(cases[i].query) };
        struct buf to;
        buf_init(&to, REDIRECT_LOCATION_MAX);
        assert_int_equal(redirect_location(r, &q, &to), REDIRECT_MADE);
        if (!span_equal(buf_data(&to), span_text(cases[i].want)))
            fail_msg("%s: got %.*s, want %s", cases[i].template, SPAN_ARGS(buf_data(&to)),
                     cases[i].want);
        buf_done(&to);
        redirect_free(&r);
        assert_null(r);
    }
}

/* With https the protocol is that; without a host there is nothing to go to. */
static void test_protocol_and_host(void **state)
{
    struct redirect *r = make("#{protocol}://#{host}:1/");
    struct redirect_request q = { .is_https = true, .host = SPAN("a.test"), .path = SPAN("/") };
    struct buf to;
    (void)state;

    buf_init(&to, REDIRECT_LOCATION_MAX);
    assert_int_equal(redirect_location(r, &q, &to), REDIRECT_MADE);
    assert_true(span_equal(buf_data(&to), SPAN("https://a.test:1/")));
    buf_done(&to);
    q.host = SPAN("");
    assert_int_equal(redirect_location(r, &q, &to), REDIRECT_NO_HOST);
    buf_done(&to);
    redirect_free(&r);
}

static void test_limit(void **state)
{
    struct redirect *r = make("https://#{host}:443/#{path}?#{query}");
    char *path = mem_zero(REDIRECT_LOCATION_MAX + 1);
    const size_t around = strlen("https://a:443/");
    struct redirect_request q = { .host = SPAN("a") };
    struct buf to;
    (void)state;

    memset(path, '/', REDIRECT_LOCATION_MAX);
    q.path = span_of(path, REDIRECT_LOCATION_MAX - around + 1);
    buf_init(&to, REDIRECT_LOCATION_MAX);
    assert_int_equal(redirect_location(r, &q, &to), REDIRECT_MADE);
    assert_int_equal(buf_len(&to), REDIRECT_LOCATION_MAX);
    buf_done(&to);
    q.path.len++;
    assert_int_equal(redirect_location(r, &q, &to), REDIRECT_TOO_LONG);
    buf_done(&to);
    q.path.len -= 2;
    q.query = SPAN("q");
    assert_int_equal(redirect_location(r, &q, &to), REDIRECT_TOO_LONG);
    buf_done(&to);
    free(path);
    redirect_free(&r);
}

static void test_loops(void **state)
{
    static const struct {
        const char *template;
        bool is_https, want;
    } cases[] = {
        { "https://#{host}:443/#{path}?#{query}", true, true },
        { "https://#{host}:#{port}/#{path}", true, true },
        { "https://#{host}:443/#{path}?#{query}", false, false },
        { "https://#{host}:8443/#{path}", true, false },
        { "https://a.test:443/#{path}", true, false },
        { "https://#{host}:443/", true, false },
    };
    (void)state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct redirect *r = make(cases[i].template);
        if (redirect_is_loop(r, cases[i].is_https, 443) != cases[i].want)
            fail_msg("%s", cases[i].template);
        redirect_free(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_locations),
        cmocka_unit_test(test_protocol_and_host),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_loops),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
