/* Which rule answers: each condition, by priority, the default last; groups by weight. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "http/parse.h"

#include "alb/regex.h"
#include "alb/rules.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define LISTENER                                                                                   \
    "[edge]\nallow = any\n[target_group g]\ntarget = 127.0.0.1:9001\n"                             \
    "[listener web]\nbind = 127.0.0.1:8080\ndefault_action = forward g\n"                          \
    "[listener other]\nbind = 127.0.0.1:8081\ndefault_action = forward g\n"

#define RULE(name, priority, conditions)                                                           \
    "[rule " name "]\nlistener = web\npriority = " priority "\naction = forward g\n" conditions

static const char file[] = LISTENER RULE("last", "50000",
                                         "path-pattern = /*\nhost-header = *.last.org\n")
    RULE("ws", "10", "path-pattern = /ws/* /chat/?\n")
        RULE("both", "20", "path-pattern = /api/*\nhost-header = api.example.com\n")
            RULE("host", "30", "host-header = *.example.com example.org\n")
                RULE("exact", "40", "path-pattern = /Exact\n")
                    RULE("type", "50",
                         "path-pattern = *.css\n") "[rule elsewhere]\nlistener = other\npriority = "
                                                   "1\naction = forward g\npath-pattern = *\n";

static struct http_message message; /* large: one for all */

static struct regex_scratch *scratch;

/* The rule that answers `message`, which must be the one that a walk over all finds. */
static const struct rule *answer(const struct listener_config *l, const char *peer)
{
    struct condition_request request;
    struct ip ip;
    size_t walked = 0;

    assert_true(ip_parse(span_text(peer), &ip));
    condition_request_init(&request, &message, &ip, scratch);
    const struct rule *rule = rules_match(l, &request);
    while (walked < l->rule_count && !rule_holds(&l->rules[walked], &request))
        walked++;
    assert_ptr_equal(rule, walked < l->rule_count ? &l->rules[walked] : &l->fallback);
    assert_int_equal(rules_evaluated(l, rule), walked + (walked < l->rule_count));
    return rule;
}

static const char *match(const struct listener_config *listener, struct span host, struct span path)
{
    message.host = host;
    message.path = path;
    return answer(listener, "192.0.2.1")->name;
}

static struct config *read_text(const char *text)
{
    struct problems p;

    problems_init(&p, "f");
    struct config *c = config_read_text(span_text(text), &p);
    if (c == NULL)
        problems_print(&p, stderr);
    problems_done(&p);
    assert_non_null(c);
    return c;
}

static int read_config(void **state)
{
    scratch = regex_scratch_new();
    *state = read_text(file);
    return 0;
}

static int free_config(void **state)
{
    regex_scratch_free(&scratch);
    config_free((struct config **)state);
    return 0;
}

static const struct {
    const char *host, *path, *want;
} cases[] = {
    { "a.test", "/", "default" },
    { "a.test", "/ws/", "ws" },
    { "a.test", "/ws", "default" },
    { "a.test", "/ws/room/1", "ws" },
    { "a.test", "/WS/", "default" },   /* paths mind case */
    { "a.test", "/chat/a", "ws" },     /* the second value */
    { "a.test", "/chat/", "default" }, /* '?' is exactly one */
    { "a.test", "/chat/ab", "default" },
    { "a.test", "/x/../ws/", "default" }, /* as sent */
    { "a.test", "/%77s/", "default" },    /* as sent */
    { "api.example.com", "/ws/", "ws" },  /* the lower priority first */
    { "api.example.com", "/api/1", "both" },
    { "api.example.com", "/", "host" }, /* both conditions must hold */
    { "API.Example.COM:8443", "/api/", "both" },
    { "other.example.com", "/api/1", "host" },
    { "a.b.example.com", "/", "host" }, /* '*' crosses dots */
    { "example.com", "/", "default" },  /* "*.example.com" needs the dot */
    { "example.org", "/", "host" },
    { "example.org:80", "/", "host" },
    { "example.org:", "/", "host" },
    { "example.org:80:80", "/", "default" },
    { "example.org.", "/", "default" },
    { "", "/", "default" }, /* HTTP/1.0 without Host */
    { "", "", "default" },
    { "a.test", "/Exact", "exact" },
    { "a.test", "/Exact/", "default" },
    { "a.test", "/deep/style.css", "type" },
    { "[::1]:8080", "/style.css", "type" },
    { "www.last.org", "/any", "last" },
    { "www.last.org", "/style.css", "type" },
};

static void test_cases(void **state)
{
    const struct listener_config *web = config_listener(*state, SPAN("web"));

    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *got = match(web, span_text(cases[i].host), span_text(cases[i].path));
        if (strcmp(got, cases[i].want) != 0)
            fail_msg("%s %s: got %s, want %s", cases[i].host, cases[i].path, got, cases[i].want);
    }
}

static void test_rules_of_another_listener(void **state)
{
    const struct listener_config *other = config_listener(*state, SPAN("other"));

    for (size_t i = 0; i < COUNT(cases); i++)
        assert_string_equal(match(other, span_text(cases[i].host), span_text(cases[i].path)),
                            "elsewhere");
}

/* A query never reaches the patterns: it is no part of the path. */
static void test_query_is_not_seen(void **state)
{
    const struct listener_config *web = config_listener(*state, SPAN("web"));

    message.query = SPAN("/ws/");
    message.has_query = true;
    assert_string_equal(match(web, SPAN("a.test"), SPAN("/x")), "default");
    message.has_query = false;
}

/* --- each condition ------------------------------------------------------------------- */

static const char conditions[] = LISTENER RULE(
    "get", "10", "http-request-method = GET HEAD\npath-pattern = /method\n")
    RULE("custom", "11", "http-request-method = M-SEARCH_X\n") RULE(
        "office", "20",
        "source-ip = 203.0.113.0/24 198.51.100.7 2001:db8::/32\npath-pattern = /ip\n")
        RULE("mobile", "30", "http-header = User-Agent *Mobile* *iphone?1*\n") RULE(
            "both-fields", "31", "http-header = X-One a\nhttp-header = X-Two b\n")
            RULE("length", "32", "http-header = content-length 5\n") RULE(
                "chunked", "33", "http-header = Transfer-Encoding chunked\n")
                RULE("version", "40", "query-string = version=v1 example\n") RULE(
                    "literal", "41", "query-string = \"q=what\\?\" \"r=\\**\"\n")
                    RULE("two-pairs", "42", "query-string = a=1\nquery-string = b=2\n") RULE(
                        "any-key", "43", "query-string = =x=y\n")
                        RULE("wild", "44", "query-string = \"utm_*=?oo*\"\n") RULE(
                            "host-regex", "50",
                            "host-header-regex = ^api[0-9]+\\.example\\.com$ ^v[12]\\.\n")
                            RULE("path-regex", "51",
                                 "path-pattern-regex = ^/users/[0-9]+(/|$) \"\\.(jpe?g|png)$\"\n")
                                RULE("header-regex", "52",
                                     "http-header-regex = X-Version ^v[0-9]+$\n")
                                    RULE("all-of-them", "60",
                                         "host-header = shop.example.com\npath-pattern = "
                                         "/all\nhttp-request-method = POST\n"
                                         "source-ip = 192.0.2.0/24\nquery-string = k=v\n");

#define REQUEST(line, fields) line " HTTP/1.1\r\n" fields "\r\n"
#define GET(target, fields) REQUEST("GET " target, "Host: a.test\r\n" fields)

static const struct {
    const char *request, *peer, *want;
} condition_cases[] = {
    { GET("/method", ""), "192.0.2.1", "get" },
    { REQUEST("HEAD /method", "Host: a.test\r\n"), "192.0.2.1", "get" },
    { REQUEST("POST /method", "Host: a.test\r\n"), "192.0.2.1", "default" },
    { REQUEST("M-SEARCH_X /", "Host: a.test\r\n"), "192.0.2.1", "custom" },
    { REQUEST("m-search_x /", "Host: a.test\r\n"), "192.0.2.1", "default" },

    { GET("/ip", ""), "203.0.113.9", "office" },
    { GET("/ip", ""), "::ffff:203.0.113.9", "office" },
    { GET("/ip", ""), "198.51.100.7", "office" },
    { GET("/ip", ""), "198.51.100.8", "default" },
    { GET("/ip", ""), "2001:db8:1::1", "office" },
    { GET("/ip", ""), "2001:db9::1", "default" },
    { GET("/ip", "X-Forwarded-For: 203.0.113.9\r\n"), "192.0.2.1", "default" },

    { GET("/", "User-Agent: Some mobile thing\r\n"), "192.0.2.1", "mobile" },
    { GET("/", "uSER-aGENT: IPHONE-12\r\n"), "192.0.2.1", "mobile" },
    { GET("/", "User-Agent: desktop\r\n"), "192.0.2.1", "default" },
    { GET("/", "X-User-Agent: mobile\r\n"), "192.0.2.1", "default" },
    { GET("/", "User-Agent: desktop\r\nUser-Agent: mobile\r\n"), "192.0.2.1", "mobile" },
    { GET("/", "X-One: a\r\n"), "192.0.2.1", "default" },
    { GET("/", "X-One: c\r\nX-Two: B\r\nX-One: A\r\n"), "192.0.2.1", "both-fields" },
    { REQUEST("POST /", "Host: a.test\r\nContent-Length: 5\r\n"), "192.0.2.1", "length" },
    { REQUEST("POST /", "Host: a.test\r\nTransfer-Encoding: chunked\r\n"), "192.0.2.1", "chunked" },
    { GET("/", ""), "192.0.2.1", "default" },

    { GET("/?version=v1", ""), "192.0.2.1", "version" },
    { GET("/?x=1&VERSION=V1&y", ""), "192.0.2.1", "version" },
    { GET("/?version=v12", ""), "192.0.2.1", "default" },
    { GET("/?anything=example", ""), "192.0.2.1", "version" },
    { GET("/?example", ""), "192.0.2.1", "default" }, /* a key with no value */
    { GET("/version=v1", ""), "192.0.2.1", "default" },
    { GET("/?q=what?", ""), "192.0.2.1", "literal" },
    { GET("/?q=whats", ""), "192.0.2.1", "default" },
    { GET("/?r=*abc", ""), "192.0.2.1", "literal" },
    { GET("/?r=abc", ""), "192.0.2.1", "default" },
    { GET("/?a=1", ""), "192.0.2.1", "default" },
    { GET("/?b=2&a=1", ""), "192.0.2.1", "two-pairs" },
    { GET("/?k=x=y", ""), "192.0.2.1", "any-key" },
    { GET("/?utm_source=foo", ""), "192.0.2.1", "wild" },
    { GET("/?utm=foo", ""), "192.0.2.1", "default" },
    { GET("/?version=%76%31", ""), "192.0.2.1", "default" }, /* as sent */
    { GET("/?&&=&", ""), "192.0.2.1", "default" },

    { REQUEST("GET /", "Host: API7.Example.com:8443\r\n"), "192.0.2.1", "host-regex" },
    { REQUEST("GET /", "Host: v2.test\r\n"), "192.0.2.1", "host-regex" },
    { REQUEST("GET /", "Host: api.example.com\r\n"), "192.0.2.1", "default" },
    { GET("/users/12/posts", ""), "192.0.2.1", "path-regex" },
    { GET("/users/12", ""), "192.0.2.1", "path-regex" },
    { GET("/Users/12", ""), "192.0.2.1", "default" },
    { GET("/x?/users/12", ""), "192.0.2.1", "default" },
    { GET("/a/b.jpg", ""), "192.0.2.1", "path-regex" },
    { GET("/", "x-version: V12\r\n"), "192.0.2.1", "header-regex" },
    { GET("/", "x-version: v12b\r\n"), "192.0.2.1", "default" },

    { REQUEST("POST /all?k=v", "Host: shop.example.com\r\n"), "192.0.2.1", "all-of-them" },
    { REQUEST("POST /all?k=v", "Host: shop.example.com\r\n"), "192.0.3.1", "default" },
    { REQUEST("PUT /all?k=v", "Host: shop.example.com\r\n"), "192.0.2.1", "default" },
    { REQUEST("POST /all?k=w", "Host: shop.example.com\r\n"), "192.0.2.1", "default" },
    { REQUEST("POST http://shop.example.com/all?k=v", "Host: other\r\n"), "192.0.2.1",
      "all-of-them" },
};

static void test_conditions(void **state)
{
    struct config *c = read_text(conditions);
    const struct listener_config *web = config_listener(c, SPAN("web"));
    (void)state;

    for (size_t i = 0; i < COUNT(condition_cases); i++) {
        const struct span bytes = span_text(condition_cases[i].request);
        size_t scanned = 0;
        assert_int_equal(http_request_parse(bytes, HTTP_DEFENSIVE, &message, &scanned),
                         HTTP_PARSED);
        const char *got = answer(web, condition_cases[i].peer)->name;
        if (strcmp(got, condition_cases[i].want) != 0)
            fail_msg("%s from %s: got %s, want %s", condition_cases[i].request,
                     condition_cases[i].peer, got, condition_cases[i].want);
    }
    config_free(&c);
}

/* --- groups by weight ------------------------------------------------------------------- */

static void test_weights(void **state)
{
    struct config *c = read_text("[edge]\nallow = any\n[target_group a]\n[target_group b]\n"
                                 "[target_group c]\n[listener l]\nbind = 127.0.0.1:8080\n"
                                 "default_action = forward a:1 b:0 c:3\n");
    const struct action *forward = &c->listeners[0].fallback.action;
    size_t chosen[3] = { 0 };
    (void)state;

    for (uint64_t random = 0; random < 400; random++)
        chosen[action_choose_group(forward, random) - c->groups]++;
    assert_int_equal(chosen[0], 100);
    assert_int_equal(chosen[1], 0);
    assert_int_equal(chosen[2], 300);
    config_free(&c);

    c = read_text("[edge]\nallow = any\n[target_group a]\n[listener l]\nbind = 127.0.0.1:8080\n"
                  "default_action = forward a:0\n");
    assert_null(action_choose_group(&c->listeners[0].fallback.action, 7));
    config_free(&c);
}

static void test_other_readings(void **state)
{
    static const struct {
        const char *path;
        bool other;
    } paths[] = {
        { "/ws/", false },    { "/x", false },       { "/x//y", false },    { "/ws//a", false },
        { "//ws/", true },    { "/%77s/", true },    { "/./ws/", true },    { "/ws%2f", true },
        { "/Exact", false },  { "/Exact/.", false }, { "/%45xact", true },  { "/.//Exact", true },
        { "/a%2ecss", true }, { "/chat/ab", false }, { "/chat/%61", true },
    };
    const struct listener_config *web = config_listener(*state, SPAN("web"));
    struct condition_request request;
    struct ip ip;

    assert_true(ip_parse(SPAN("192.0.2.1"), &ip));
    message.host = SPAN("a.test");
    for (size_t i = 0; i < COUNT(paths); i++) {
        message.path = span_text(paths[i].path);
        condition_request_init(&request, &message, &ip, scratch);
        const struct rule *rule = rules_match(web, &request);
        if (rules_read_otherwise(web, &request, rule) != paths[i].other)
            fail_msg("%s", paths[i].path);
    }
}

static const char near_rules[] = LISTENER RULE("plain", "1", "path-pattern = /plain\n")
    RULE("host", "2", "host-header = chat.example\npath-pattern = /chat*\n")
        RULE("secret", "3", "path-pattern = /secret*\nhttp-header = X-Verify s3cret\n")
            RULE("both", "4",
                 "path-pattern = /both\nhost-header = b.example\nhttp-header = X-V "
                 "1\n") "[rule gone]\nlistener = web\npriority = 5\naction = "
                        "fixed-response 410\n"
                        "host-header = chat.example\npath-pattern = /gone\n"
                        "[rule deny]\nlistener = web\npriority = 6\naction = "
                        "fixed-response 403\n"
                        "path-pattern = /secret* /chat/deny\n"
                        "[rule other]\nlistener = web\npriority = 7\naction = "
                        "fixed-response 410\n"
                        "path-pattern = /chat/theirs\nhost-header = other.example\n"
                        "[rule late]\nlistener = web\npriority = 8\naction = "
                        "forward g\n"
                        "path-pattern = /late /chat/deny\nhost-header = "
                        "late.example\n";

/* Which rule answers, and of those before it, what one that forwards asks for besides. */
static void test_rules_that_miss_one_thing(void **state)
{
    static const struct {
        const char *host, *path, *answers;
        enum rules_miss misses;
    } requests[] = {
        { "origin.example", "/chat/1", "default", RULES_MISS_HOST },
        { "origin.example", "/chat/deny", "deny", RULES_MISS_HOST },
        { "origin.example", "/late", "default", RULES_MISS_HOST },
        { "origin.example", "/other", "default", RULES_MISS_NOTHING },
        { "origin.example", "/gone", "default", RULES_MISS_NOTHING }, /* it does not forward */
        { "origin.example", "/plain", "plain", RULES_MISS_NOTHING },
        { "chat.example", "/other", "default", RULES_MISS_NOTHING },
        { "other.example", "/chat/theirs", "other", RULES_MISS_NOTHING }, /* it knows that host */
        { "origin.example", "/secret/1", "deny", RULES_MISS_HEADER },
        { "origin.example", "/both", "default", RULES_MISS_NOTHING }, /* two things */
        { "b.example", "/both", "default", RULES_MISS_HEADER },
    };
    struct config *c = read_text(near_rules);
    const struct listener_config *web = config_listener(c, SPAN("web"));
    struct condition_request request;
    struct ip ip;
    (void)state;

    assert_true(ip_parse(SPAN("192.0.2.1"), &ip));
    message.field_count = 0;
    for (size_t i = 0; i < COUNT(requests); i++) {
        message.host = span_text(requests[i].host);
        message.path = span_text(requests[i].path);
        const struct rule *rule = answer(web, "192.0.2.1");
        assert_string_equal(rule->name, requests[i].answers);
        condition_request_init(&request, &message, &ip, scratch);
        if (rules_miss_one(web, &request, rule) != requests[i].misses)
            fail_msg("%s %s", requests[i].host, requests[i].path);
    }
    message.host = SPAN("origin.example");
    message.path = SPAN("/chat/1");
    request.left = 0;
    assert_int_equal(rules_miss_one(web, &request, &web->fallback), RULES_MISS_NOTHING);
    config_free(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_other_readings),
        cmocka_unit_test(test_rules_that_miss_one_thing),
        cmocka_unit_test(test_rules_of_another_listener),
        cmocka_unit_test(test_query_is_not_seen),
        cmocka_unit_test(test_conditions),
        cmocka_unit_test(test_weights),
    };

    return cmocka_run_group_tests(tests, read_config, free_config);
}
