/* Which rule answers: by priority, by host and path, the default last. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "http/message.h"

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

static const char *match(const struct listener_config *listener, struct span host, struct span path)
{
    message.host = host;
    message.path = path;
    return rules_match(listener, &message)->name;
}

static int read_config(void **state)
{
    struct problems p;

    problems_init(&p, "f");
    struct config *c = config_read_text(SPAN(file), &p);
    if (c == NULL)
        problems_print(&p, stderr);
    problems_done(&p);
    *state = c;
    return c == NULL ? -1 : 0;
}

static int free_config(void **state)
{
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_rules_of_another_listener),
        cmocka_unit_test(test_query_is_not_seen),
    };

    return cmocka_run_group_tests(tests, read_config, free_config);
}
