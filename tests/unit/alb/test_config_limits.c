/*
 * test_config_limits.c -- the limits of a configuration, each at its edge: so much is taken
 * without a word, and one more (or less) is refused, at its line and with the limit. What the
 * managed balancer raises when it is asked to is a warning.
 */
#include "config_fixture.h"

enum kind {
    TIMES, /* the unit so many times, one behind the other; a %d in it is its number, from 1 */
    MOST,  /* the number itself, in place of the unit; one more is too much */
    LEAST, /* ... and one less too little */
};

struct limit {
    const char *name;
    enum kind kind;
    int edge;
    const char *before, *unit, *after;
    const char *want; /* what is said beyond it; '*' is anything */
};

#define BASE EDGE LISTENER GROUP /* 7 lines */
#define IN_ALB BASE "[alb]\n"
#define IN_GROUP EDGE LISTENER GROUP
#define IN_LISTENER EDGE GROUP LISTENER
#define IN_HTTPS IN_LISTENER "protocol = HTTPS\ncertificate = both.pem\n"
#define IN_RULE BASE RULE("") /* the next is line 12 */
#define IN_PATH BASE RULE("path-pattern = /\n")
#define IN_ACTION EDGE GROUP "[listener web]\nbind = 127.0.0.1:8080\ndefault_action = "

#define NUMBER(kind, edge, in, line, key, range)                                                   \
    {                                                                                              \
        key, kind, edge, in key " = ", NULL, "\n",                                                 \
            "f:" #line ": " key ": * is outside " range "\n"                                       \
    }
#define RANGE(least, most, in, line, key, range)                                                   \
    NUMBER(LEAST, least, in, line, key, range), NUMBER(MOST, most, in, line, key, range)
#define LENGTH(key, most, in, line, value, after, said)                                            \
    {                                                                                              \
        key, TIMES, most, in key " = " value, "a", after "\n", "f:" #line ": " key ": " said "\n"  \
    }
#define LONGER(most) "* is longer than " #most " characters"

#define MANY_GROUPS                                                                                \
    EDGE GROUP "[target_group g1]\n[target_group g2]\n[target_group g3]\n[target_group g4]\n"      \
               "[target_group g5]\n[listener web]\nbind = 127.0.0.1:8080\ndefault_action = "

static const struct limit limits[] = {
    /* [alb] */
    RANGE(1, 4000, IN_ALB, 9, "idle_timeout.timeout_seconds", "1..4000*"),
    RANGE(60, 604800, IN_ALB, 9, "client_keep_alive.seconds", "60..604800*"),
    RANGE(1, 256, IN_ALB, 9, "workers", "1..256*"),
    RANGE(1, 10000000, IN_ALB, 9, "max_connections", "1..10000000*"),
    { "dns.servers", TIMES, 8, IN_ALB "dns.servers =", " 127.0.0.%d", "\n",
      "f:9: dns.servers: there are more than 8 servers\n" },
    LENGTH("control", 107, IN_ALB, 9, "", "",
           "the path is longer than the 107 characters that a socket takes"),

    /* [listener] */
    { "bind", MOST, 65535,
      IN_ACTION "forward chat\n[listener b]\ndefault_action = forward chat\n"
                "bind = 127.0.0.1:",
      NULL, "\n", "f:10: bind: \"127.0.0.1:65536\" is no address: *\n" },
    LENGTH("routing.http.response.content_security_policy.header_value", 1024, IN_LISTENER, 8, "",
           "", "the value has at most 1024 characters"),
    LENGTH("routing.http.request.x_amzn_tls_version.header_name", 128, IN_HTTPS, 10, "", "",
           "* is not a header's name: 1 to 128 letters*"),

    /* [target_group] */
    RANGE(1, 65535, IN_GROUP, 8, "port", "1..65535*"),
    { "the port of a target", MOST, 65535, IN_GROUP "target = 127.0.0.2:", NULL, "\n",
      "f:8: target: *65535*\n" },
    { "the weight of a target", MOST, 999, IN_GROUP "target = 127.0.0.2:1 weight=", NULL, "\n",
      "f:8: target: * a whole number of 0..999\n" },
    NUMBER(MOST, 3600, IN_GROUP, 8, "deregistration_delay.timeout_seconds", "0..3600*"),
    NUMBER(MOST, 900, IN_GROUP, 8, "slow_start.duration_seconds", "0..900*"),
    RANGE(1, 1000, IN_GROUP, 8,
          "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count", "1..1000*"),
    RANGE(1, 100, IN_GROUP, 8,
          "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage",
          "1..100*"),
    RANGE(1, 1000000, IN_GROUP, 8, "target.max_connections", "1..1000000*"),
    NUMBER(MOST, 3, IN_GROUP, 8, "retry.max", "0..3*"),
    NUMBER(MOST, 300, IN_GROUP, 8, "health_check.interval_seconds", "100ms..5m"),
    NUMBER(MOST, 120, IN_GROUP "health_check.interval_seconds = 300\n", 9,
           "health_check.timeout_seconds", "100ms..2m"),
    RANGE(2, 10, IN_GROUP, 8, "health_check.healthy_threshold_count", "2..10*"),
    RANGE(2, 10, IN_GROUP, 8, "health_check.unhealthy_threshold_count", "2..10*"),
    LENGTH("health_check.path", 1023, IN_GROUP, 8, "/", "", "*at most 1024 visible*"),
    { "health_check.port", MOST, 65535, IN_GROUP "health_check.port = ", NULL, "\n",
      "f:8: health_check.port: * 1-65535\n" },
    { "health_check.matcher", LEAST, 200, IN_GROUP "health_check.matcher = ", NULL, "\n",
      "f:8: health_check.matcher: * within 200-499,*\n" },
    { "health_check.matcher", MOST, 499, IN_GROUP "health_check.matcher = 200-", NULL, "\n",
      "f:8: health_check.matcher: * within 200-499,*\n" },
    RANGE(1, 604800, IN_GROUP, 8, "stickiness.lb_cookie.duration_seconds", "1..604800*"),
    LENGTH("stickiness.lb_cookie.cookie_name", 64, IN_GROUP, 8, "", "",
           "* is not a cookie name: 1 to 64 letters*"),
    LENGTH("stickiness.lb_cookie.cors_cookie_name", 64, IN_GROUP, 8, "", "",
           "* is not a cookie name: 1 to 64 letters*"),
    RANGE(1, 604800, IN_GROUP, 8, "stickiness.app_cookie.duration_seconds", "1..604800*"),
    LENGTH("stickiness.app_cookie.cookie_name", 64, IN_GROUP, 8, "", "",
           "* is not a cookie name: 1 to 64 letters*"),
    LENGTH("stickiness.app_cookie.lb_cookie_name", 62, IN_GROUP, 8, "", "",
           "* is not a cookie name: 1 to 62 letters*"),

    /* [rule] */
    RANGE(1, 50000, BASE "[rule r]\nlistener = web\npath-pattern = /\naction = forward chat\n", 12,
          "priority", "1..50000*"),
    LENGTH("host-header", 126, IN_RULE, 12, "a.", "", LONGER(128)),
    LENGTH("host-header-regex", 128, IN_RULE, 12, "", "", LONGER(128)),
    LENGTH("path-pattern", 127, IN_RULE, 12, "/", "", LONGER(128)),
    LENGTH("path-pattern-regex", 128, IN_RULE, 12, "", "", LONGER(128)),
    { "http-request-method", TIMES, 40, IN_RULE "http-request-method = ", "A", "\n",
      "f:12: http-request-method: " LONGER(40) "\n" },
    LENGTH("http-header", 40, IN_RULE, 12, "", " x", LONGER(40)),
    LENGTH("http-header", 128, IN_RULE, 12, "X-A ", "", LONGER(128)),
    LENGTH("http-header-regex", 40, IN_RULE, 12, "", " x", LONGER(40)),
    LENGTH("http-header-regex", 128, IN_RULE, 12, "X-A ", "", LONGER(128)),
    LENGTH("query-string", 128, IN_RULE, 12, "", "", LONGER(128)),
    LENGTH("query-string", 128, IN_RULE, 12, "key=", "", LONGER(128)),
    LENGTH("query-string", 128, IN_RULE, 12, "", "=value", "* a key of more than 128 characters"),
    { "values of a condition", TIMES, 5, IN_RULE "source-ip =", " 10.0.0.%d", "\n",
      "f:8: [rule r] has 6 condition values; at most 5\n" },
    { "values of conditions", TIMES, 4, IN_PATH, "query-string = a%d\n", "",
      "f:8: [rule r] has 6 condition values; at most 5\n" },
    { "wildcards", TIMES, 5, IN_RULE "path-pattern = /", "*", "\n",
      "f:8: [rule r] has 6 wildcards; at most 5\n" },
    { "wildcards of conditions", TIMES, 4, IN_RULE "path-pattern = /*\nquery-string = a", "?", "\n",
      "f:8: [rule r] has 6 wildcards; at most 5\n" },
    { "host-header-rewrite", TIMES, 1024, IN_PATH "host-header-rewrite = ", "a", " b\n",
      "f:13: host-header-rewrite: the regex is longer than 1024 characters\n" },
    { "host-header-rewrite", TIMES, 1024, IN_PATH "host-header-rewrite = b ", "a", "\n",
      "f:13: host-header-rewrite: the replacement is longer than 1024 characters\n" },
    { "url-rewrite", TIMES, 1024, IN_PATH "url-rewrite = ", "a", " /b\n",
      "f:13: url-rewrite: the regex is longer than 1024 characters\n" },
    { "url-rewrite", TIMES, 1024, IN_PATH "url-rewrite = b ", "a", "\n",
      "f:13: url-rewrite: the replacement is longer than 1024 characters\n" },
    { "url-rewrites", TIMES, 1, IN_PATH, "url-rewrite = a b\n", "",
      "f:14: url-rewrite: a rule has only one; it is at line 13\n" },

    /* actions */
    { "groups of an action", TIMES, 4, MANY_GROUPS "forward chat", " g%d", "\n",
      "f:12: default_action: more than 5 target groups; *\n" },
    { "the weight of a group", MOST, 999, IN_ACTION "forward chat:", NULL, "\n",
      "f:7: default_action: * 0 to 999\n" },
    { "a redirect's host", TIMES, 128, IN_ACTION "redirect 301 https://", "a", "/\n",
      "f:7: default_action: the host is longer than 128 characters\n" },
    { "a redirect's path", TIMES, 127, IN_ACTION "redirect 301 https://a/", "a", "\n",
      "f:7: default_action: the path is longer than 128 characters\n" },
    { "a redirect's query", TIMES, 128, IN_ACTION "redirect 301 https://a/?", "a", "\n",
      "f:7: default_action: the query is longer than 128 characters\n" },
    { "a redirect's port", MOST, 65535, IN_ACTION "redirect 301 https://a:", NULL, "/\n",
      "f:7: default_action: * 1 to 65535 *\n" },
    { "a fixed response's text", TIMES, 1024, IN_ACTION "fixed-response 200 text/plain ", "a", "\n",
      "f:7: default_action: the text has 1025 bytes; at most 1024, in a file too\n" },
    { "a fixed response's status", LEAST, 200, IN_ACTION "fixed-response ", NULL, "\n",
      "f:7: default_action: \"199\" is not a status of 2XX, 4XX or 5XX\n" },
    { "a fixed response's status", MOST, 299, IN_ACTION "fixed-response ", NULL, "\n",
      "f:7: default_action: \"300\" is not a status of 2XX, 4XX or 5XX\n" },
    { "a fixed response's status", LEAST, 400, IN_ACTION "fixed-response ", NULL, "\n",
      "f:7: default_action: \"399\" is not a status of 2XX, 4XX or 5XX\n" },
    { "a fixed response's status", MOST, 599, IN_ACTION "fixed-response ", NULL, "\n",
      "f:7: default_action: \"600\" is not a status of 2XX, 4XX or 5XX\n" },
};

#define TARGETS_3(a)                                                                               \
    "target = 127." a ".1.%d:1\ntarget = 127." a ".2.%d:1\ntarget = 127." a ".3.%d:1\n"
#define TARGETS_9(a) TARGETS_3(a "1") TARGETS_3(a "2") TARGETS_3(a "3")
#define TARGETS_27 TARGETS_9("1") TARGETS_9("2") TARGETS_9("3")

/* Beside what else is warned of in so bare a file. */
static const struct limit quotas[] = {
    { "rules", TIMES, 100, BASE,
      "[rule r%d]\nlistener = web\npriority = %d\npath-pattern = /\naction = forward chat\n", "",
      "*f:508: warning: 101 rules: * takes 100 unless its quota is raised\n*" },
    { "target groups", TIMES, 99, BASE, "[target_group g%d]\ntarget = 127.0.0.1:%d\n", "",
      "*f:206: warning: 101 target groups: * takes 100 unless its quota is raised\n*" },
    { "listeners", TIMES, 49, BASE,
      "[listener l%d]\nbind = 127.0.0.1:%d\ndefault_action = forward chat\n", "",
      "*f:155: warning: 51 listeners: * takes 50 unless its quota is raised\n*" },
    { "targets", TIMES, 999, BASE, "target = 127.0.0.2:%d\n", "",
      "*f:1007: warning: [target_group chat] has 1001 targets: * at most 1000\n*" },
    { "targets of all groups", TIMES, 37, BASE, "[target_group g%d]\n" TARGETS_27, "",
      "*f:1044: warning: 1027 targets in all: * takes 1000 unless its quota is raised\n*" },
    { "sni_certificate", TIMES, 25, IN_HTTPS, "sni_certificate = both.pem\n", "",
      "*f:35: warning: sni_certificate: there are 26; the managed balancer takes 25\n*" },
    { "certificates of all listeners", TIMES, 24,
      IN_HTTPS "sni_certificate = both.pem\n[listener b]\nbind = 127.0.0.1:1\n"
               "default_action = forward chat\nprotocol = HTTPS\ncertificate = both.pem\n",
      "sni_certificate = both.pem\n", "",
      "*f:11: warning: 26 certificates beside the listeners' first: * takes 25 unless its quota is "
      "raised\n*" },
};

static char *text_of(const struct limit *l, int n)
{
    struct buf text;

    buf_init(&text, 1 << 20);
    buf_print(&text, "%s", l->before);
    if (l->kind != TIMES)
        buf_print(&text, "%d", n);
    for (int i = 1; l->kind == TIMES && i <= n; i++) {
        for (const char *at = l->unit; *at != '\0'; at++) {
            if (at[0] == '%' && at[1] == 'd')
                buf_print(&text, "%d", i), at++;
            else
                buf_put(&text, span_of(at, 1));
        }
    }
    buf_print(&text, "%s", l->after);
    buf_put(&text, span_of("", 1));
    char *copy = mem_copy(buf_data(&text).ptr, buf_len(&text));
    buf_done(&text);
    return copy;
}

/* What is said of it at `n`; free() it. */
static char *said_of(const struct limit *l, int n, bool warnings)
{
    struct problems p;
    char *text = text_of(l, n);
    struct config *c = read_text(text, &p);
    char *got = said(&p, warnings);

    config_free(&c);
    problems_done(&p);
    free(text);
    return got;
}

static void test_errors(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(limits); i++) {
        const struct limit *l = &limits[i];
        char *at = said_of(l, l->edge, false);
        char *beyond = said_of(l, l->kind == LEAST ? l->edge - 1 : l->edge + 1, false);
        if (at[0] != '\0' || !text_wildcard(span_text(l->want), span_text(beyond), false))
            fail_msg("%s, %d:\n--- at it\n%s--- beyond\n%s--- want\n%s", l->name, l->edge, at,
                     beyond, l->want);
        free(at);
        free(beyond);
    }
}

static void test_quotas(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(quotas); i++) {
        const struct limit *l = &quotas[i];
        char *errors = said_of(l, l->edge + 1, false);
        char *at = said_of(l, l->edge, true), *beyond = said_of(l, l->edge + 1, true);
        assert_string_equal(errors, "");
        if (text_wildcard(SPAN("*managed balancer*"), span_text(at), false) ||
            !text_wildcard(span_text(l->want), span_text(beyond), false))
            fail_msg("%s, %d:\n--- at it\n%s--- beyond\n%s--- want\n%s", l->name, l->edge, at,
                     beyond, l->want);
        free(errors);
        free(at);
        free(beyond);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_quotas),
    };

    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
