/* What transforms make of a request, and what cannot be sent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "http/canonical.h"

#include "alb/config.h"
#include "alb/regex.h"
#include "alb/route.h"
#include "alb/transform.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct regex_scratch *scratch;
static struct transform_texts texts;
static struct http_message message;

static int set_up(void **state)
{
    (void)state;
    scratch = regex_scratch_new();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    regex_scratch_free(&scratch);
    return 0;
}

static struct rewrite *make(const char *regex, const char *replacement, bool is_host)
{
    char why[256];

    if (regex == NULL)
        return NULL;
    struct rewrite *r = rewrite_new(regex, replacement, is_host, why, sizeof(why));
    if (r == NULL)
        fail_msg("%s %s: %s", regex, replacement, why);
    return r;
}

static void ask(const char *host, const char *path, const char *query)
{
    memset(&message, 0, offsetof(struct http_message, fields));
    message.method = SPAN("GET");
    message.host = span_text(host);
    message.target = message.path = span_text(path);
    message.has_query = query != NULL;
    message.query = span_text(query);
}

/* Applies and checks the outcome; NULL for `want` is a failure. */
static void check(const char *name, const struct rule *rule, bool strictest, const char *status,
                  const char *want)
{
    struct route route = { .rule = rule };
    const bool done = transform_apply(rule, &message, strictest, scratch, &texts, &route);
    struct buf line;

    if (done != (want != NULL))
        fail_msg("%s: %s", name, done ? "is no failure" : "fails");
    const char *got = route.transform_status == NULL ? "" : route.transform_status;
    if (strcmp(got, status) != 0)
        fail_msg("%s: status %s, want %s", name, got, status);
    if (!done)
        return;
    buf_init(&line, HTTP_LINE_MAX * 2);
    assert_true(http_write_request_line(&line, &message));
    buf_print(&line, "%.*s", SPAN_ARGS(message.host));
    if (!span_equal(buf_data(&line), span_text(want)))
        fail_msg("%s: got %.*s", name, SPAN_ARGS(buf_data(&line)));
    buf_done(&line);
}

#define GOOD "TransformSuccess"

static const struct {
    const char *regex, *replacement, *path, *query, *status, *want;
} url_cases[] = {
    { "^/api/(.*)$", "/v2/$1", "/api/a/b", NULL, GOOD, "/v2/a/b" },
    { "^/api/(.*)$", "/v2/$1", "/api/a", "x=1", GOOD, "/v2/a?x=1" },
    { "^/api/(.*)$", "/v2/$1", "/web", NULL, "", "/web" },
    { "^/dp/([A-Z0-9]+)/?$", "/product?id=$1", "/dp/B00X", NULL, GOOD, "/product?id=B00X" },
    { "\\?.*$", "", "/a", "secret=1", GOOD, "/a" },
    { "b=2", "b=3", "/b=2", "b=2", GOOD, "/b=3?b=2" }, /* the first match only */
    { "/old", "/new", "/x/old/y", NULL, GOOD, "/x/new/y" },
    { "(a)(b)?", "$2$1$0$$", "/xa", NULL, GOOD, "/xaa$" },
    { "^/v1", "", "/v1/x", NULL, GOOD, "/x" },
    { "^/v1", "", "/v1x", NULL, "TransformInvalidPath", NULL },
    { "^/v1/?", "", "/v1", NULL, "TransformInvalidPath", NULL },
    { "^/", "*", "/", NULL, "TransformInvalidPath", NULL },
    { "^/", "http://evil/", "/", NULL, "TransformInvalidPath", NULL },
    { ".*", "/x", "*", NULL, "", "*" }, /* OPTIONS * has no path */
    { "^/$", "/?", "/", NULL, GOOD, "/?" },
};

static void test_urls(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(url_cases); i++) {
        char line[256], name[128];
        struct rule rule = { .url_rewrite =
                                 make(url_cases[i].regex, url_cases[i].replacement, false) };
        snprintf(name, sizeof(name), "%s on %s", url_cases[i].regex, url_cases[i].path);
        ask("a.test", url_cases[i].path, url_cases[i].query);
        snprintf(line, sizeof(line), "GET %s HTTP/1.1\r\na.test", url_cases[i].want);
        check(name, &rule, false, url_cases[i].status, url_cases[i].want == NULL ? NULL : line);
        assert_true(span_equal(message.target, span_text(url_cases[i].path)));
        rewrite_free(&rule.url_rewrite);
        assert_null(rule.url_rewrite);
    }
}

static const struct {
    const char *regex, *replacement, *host, *status, *want;
} host_cases[] = {
    { "^mywebsite-(.+).com$", "internal.dev.$1.myweb.com", "MyWebsite-Example.com", GOOD,
      "internal.dev.Example.myweb.com" },
    { "^(.*)\\.com$", "$1.org", "a.com:8080", GOOD, "a.org:8080" },
    { "^(.*)\\.com$", "$1.org:81", "a.com:8080", GOOD, "a.org:81" },
    { "^(.*)\\.com$", "$1.org", "a.net", "", "a.net" },
    { "^.*$", "", "a.com", "TransformInvalidHostHeader", NULL },
    { "^.*$", "a:b", "a.com", "TransformInvalidHostHeader", NULL },
    { "^.*$", "a:99999", "a.com", "TransformInvalidHostHeader", NULL },
    { "^$", "none.test", "", GOOD, "none.test" }, /* HTTP/1.0 without Host */
};

static void test_hosts(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(host_cases); i++) {
        char line[256];
        struct rule rule = { .host_rewrite =
                                 make(host_cases[i].regex, host_cases[i].replacement, true) };
        ask(host_cases[i].host, "/", NULL);
        snprintf(line, sizeof(line), "GET / HTTP/1.1\r\n%s", host_cases[i].want);
        check(host_cases[i].host, &rule, false, host_cases[i].status,
              host_cases[i].want == NULL ? NULL : line);
        rewrite_free(&rule.host_rewrite);
    }
}

static void test_both_and_what_the_route_tells(void **state)
{
    struct rule rule = { .host_rewrite = make("a", "b", true),
                         .url_rewrite = make("^/a", "/b", false) };
    struct route route = { .rule = &rule };
    (void)state;

    ask("a.test:1", "/a", "q");
    assert_true(transform_apply(&rule, &message, false, scratch, &texts, &route));
    assert_true(span_equal(route.transformed_host, SPAN("b.test:1")));
    assert_true(span_equal(route.asked_host, SPAN("a.test:1")));
    assert_true(span_equal(route.transformed_uri, SPAN("/b?q")));
    assert_true(span_equal(message.query, SPAN("q")));
    assert_string_equal(route.transform_status, GOOD);
    rewrite_free(&rule.host_rewrite);
    rewrite_free(&rule.url_rewrite);
}

static void test_too_long(void **state)
{
    static char path[HTTP_LINE_MAX];
    struct rule rule = { .url_rewrite = make("^(.*)$", "$1$1$1", false) };
    (void)state;

    memset(path, 'a', sizeof(path) - 1);
    path[0] = '/';
    path[6000] = '\0';
    ask("a", path, NULL);
    check("three times", &rule, false, "TransformBufferTooSmall", NULL);
    rewrite_free(&rule.url_rewrite);

    /* It fits in the buffer, but not in a request line. */
    rule.url_rewrite = make("^/a", "/bbbbb", false);
    path[6000] = 'a';
    path[HTTP_LINE_MAX - 10] = '\0';
    ask("a", path, NULL);
    check("a request line", &rule, false, "TransformInvalidPath", NULL);
    rewrite_free(&rule.url_rewrite);
}

/* To pass it on as it came could be just what the rule is there against. */
static void test_a_regex_that_gives_up_is_a_failure(void **state)
{
    static char path[HTTP_LINE_MAX];
    struct rule rule = { .url_rewrite = make("^/(a+)+$", "/x", false) };
    (void)state;

    memset(path, 'a', sizeof(path) - 100);
    path[0] = '/';
    path[sizeof(path) - 101] = '!';
    ask("a", path, NULL);
    check("gives up", &rule, false, "TransformReplaceError", NULL);
    rewrite_free(&rule.url_rewrite);
}

static void test_strictest_minds_dots(void **state)
{
    struct rule rule = { .url_rewrite = make("^/a(.*)$", "/$1", false) };
    (void)state;

    ask("h", "/a../x", NULL);
    check("lenient", &rule, false, GOOD, "GET /../x HTTP/1.1\r\nh");
    ask("h", "/a../x", NULL);
    check("strictest", &rule, true, "TransformInvalidPath", NULL);
    ask("h", "/a%2e%2E/x", NULL);
    check("encoded", &rule, true, "TransformInvalidPath", NULL);
    rewrite_free(&rule.url_rewrite);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_urls),
        cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_both_and_what_the_route_tells),
        cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_a_regex_that_gives_up_is_a_failure),
        cmocka_unit_test(test_strictest_minds_dots),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
