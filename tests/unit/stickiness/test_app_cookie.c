/* app_cookie: ours holds only beside the application's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/mem.h"
#include "stickiness/stickiness.h"

enum { GROUP = 11, TARGET = 22, DURATION = 60 };

/* Sun, 22 Nov 2026 14:20:00 GMT */
static const uint64_t now = 1795357200;

static const struct stickiness_app_policy policy = { "SID", STICKINESS_APP_COOKIE, DURATION };

static struct seal_ring *ring;
static char cookies[STICKINESS_SHARDS][STICKINESS_SET_COOKIE_MAX];

static int set_up(void **state)
{
    (void)state;
    ring = seal_ring_random();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    seal_ring_free(&ring);
    return 0;
}

/* What goes with this Set-Cookie of the application: "AWSALBAPP-0=VALUE". */
static const char *issue(const char *set_cookie)
{
    struct stickiness_session session;
    static char out[4][STICKINESS_SET_COOKIE_MAX];
    static int turn;
    char *at = out[turn++ % 4];

    assert_true(stickiness_app_is_set(&policy, span_text(set_cookie), &session));
    stickiness_app_issue(&policy, ring, &session, GROUP, TARGET, now, false, cookies);
    snprintf(at, STICKINESS_SET_COOKIE_MAX, "%.*s", (int)strcspn(cookies[0], ";"), cookies[0]);
    return at;
}

static enum stickiness_lookup read_at(const char *field, uint64_t group, uint64_t at)
{
    const struct span fields[] = { span_text(field) };
    struct stickiness_session session;
    uint64_t id;
    const enum stickiness_lookup is = stickiness_app_read(
        &policy, ring, (struct stickiness_fields){ fields, 1 }, group, at, &id, &session);

    assert_int_equal(id, is == STICKINESS_FOUND ? TARGET : 0);
    return is;
}

static void test_the_four_lines(void **state)
{
    struct stickiness_session session;
    (void)state;

    assert_true(stickiness_app_is_set(&policy, SPAN("SID=1"), &session));
    for (int cross_site = 0; cross_site < 2; cross_site++) {
        const char *end = cross_site ? "; SameSite=None; Secure" : "";
        char want[STICKINESS_SET_COOKIE_MAX];
        stickiness_app_issue(&policy, ring, &session, GROUP, TARGET, now, cross_site, cookies);
        const char *value = strchr(cookies[0], '=') + 1;
        assert_int_equal(strcspn(value, ";"), 87);
        snprintf(want, sizeof(want),
                 "AWSALBAPP-0=%.87s; Expires=Sun, 29 Nov 2026 14:20:00 GMT; "
                 "Path=/%s",
                 value, end);
        assert_string_equal(cookies[0], want);
        for (int i = 1; i < STICKINESS_SHARDS; i++) {
            snprintf(want, sizeof(want),
                     "AWSALBAPP-%d=_remove_; Expires=Sun, 29 Nov 2026 14:20:00 "
                     "GMT; Path=/%s",
                     i, end);
            assert_string_equal(cookies[i], want);
        }
    }
}

/* %s is ours, made for SID=good. */
static const struct {
    const char *name, *field;
    enum stickiness_lookup want;
} fields[] = {
    { "both", "SID=good; %s", STICKINESS_FOUND },
    { "in the other order", "%s;a=1;SID=good", STICKINESS_FOUND },
    { "quoted on its way", "SID=\"good\"; %s", STICKINESS_FOUND },
    { "only ours", "%s", STICKINESS_NONE },
    { "only the application's", "SID=good", STICKINESS_NONE },
    { "another session's", "SID=bad; %s", STICKINESS_INVALID },
    { "an empty session", "SID=; %s", STICKINESS_NONE },
    { "another case", "sid=good; %s", STICKINESS_NONE },
    { "two sessions, for two paths", "SID=bad; SID=good; %s", STICKINESS_FOUND },
    { "behind the managed balancer's rest", "SID=good; AWSALBAPP-1=_remove_; %s",
      STICKINESS_FOUND },
    { "removed", "SID=good; AWSALBAPP-0=_remove_", STICKINESS_FOREIGN },
    { "a twin that is none of ours", "SID=good; AWSALBAPP-0=_remove_; %s", STICKINESS_FOUND },
    { "another shard", "SID=good; AWSALBAPP-1=AAAA", STICKINESS_NONE },
    { "no shard", "SID=good; AWSALBAPP=AAAA", STICKINESS_NONE },
};

static void test_fields(void **state)
{
    const char *ours = issue("SID=good; Path=/; HttpOnly");
    (void)state;

    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        const char *hole = strstr(fields[i].field, "%s");
        char field[512];
        if (hole == NULL)
            snprintf(field, sizeof(field), "%s", fields[i].field);
        else
            snprintf(field, sizeof(field), "%.*s%s%s", (int)(hole - fields[i].field),
                     fields[i].field, ours, hole + 2);
        if (read_at(field, GROUP, now) != fields[i].want)
            fail_msg("%s", fields[i].name);
    }
}

static void test_a_session_of_16_kb(void **state)
{
    enum { SIZE = 16 * 1024 };
    char *field = mem_zero(SIZE + STICKINESS_SET_COOKIE_MAX);
    (void)state;

    memcpy(field, "SID=", 4);
    memset(field + 4, 'x', SIZE);
    const char *ours = issue(field);
    strcat(field, "; ");
    strcat(field, ours);
    assert_int_equal(read_at(field, GROUP, now), STICKINESS_FOUND);
    field[SIZE] = 'y';
    assert_int_equal(read_at(field, GROUP, now), STICKINESS_INVALID);
    free(field);
}

static void test_group_and_time(void **state)
{
    char field[512];
    (void)state;

    snprintf(field, sizeof(field), "SID=1; %s", issue("SID=1"));
    assert_int_equal(read_at(field, GROUP, now + DURATION - 1), STICKINESS_FOUND);
    assert_int_equal(read_at(field, GROUP, now + DURATION), STICKINESS_STALE);
    assert_int_equal(read_at(field, GROUP + 1, now), STICKINESS_STALE);
}

/* Many sessions and many of ours: neither is without end. */
static void test_tries_are_bounded(void **state)
{
    enum { COUNT = 1000, SESSION = sizeof("SID=1234;") - 1 };
    char *field = mem_zero(COUNT * SESSION + STICKINESS_SET_COOKIE_MAX);
    const char *ours = issue("SID=good");
    (void)state;

    for (size_t i = 0; i < COUNT; i++)
        memcpy(field + i * SESSION, "SID=1234;", SESSION);
    strcpy(field + COUNT * SESSION, "SID=good; ");
    strcat(field, ours);
    assert_int_equal(read_at(field, GROUP, now), STICKINESS_INVALID);
    assert_int_equal(read_at(field + (COUNT - 4) * SESSION, GROUP, now), STICKINESS_INVALID);
    assert_int_equal(read_at(field + (COUNT - 3) * SESSION, GROUP, now), STICKINESS_FOUND);
    free(field);
}

/* A cookie of a target is none of a session's, and the other way round. */
static void test_kinds_do_not_mix(void **state)
{
    static struct stickiness_cache cache;
    const struct stickiness_policy lb = { STICKINESS_COOKIE, STICKINESS_CORS_COOKIE, DURATION, 0 };
    char plain[STICKINESS_SET_COOKIE_MAX], cors[STICKINESS_SET_COOKIE_MAX], field[512];
    uint64_t id;
    (void)state;

    stickiness_cache_init(&cache, ring);
    stickiness_issue(&lb, &cache, GROUP, TARGET, now, plain, cors);
    snprintf(field, sizeof(field), "SID=1; AWSALBAPP-0=%.87s", strchr(plain, '=') + 1);
    assert_int_equal(read_at(field, GROUP, now), STICKINESS_INVALID);
    snprintf(field, sizeof(field), "SID=1; AWSALB=%.87s", strchr(issue("SID=1"), '=') + 1);
    const struct span span = span_text(field);
    assert_int_equal(
        stickiness_read(&lb, ring, (struct stickiness_fields){ &span, 1 }, GROUP, now, &id),
        STICKINESS_INVALID);
}

static const struct {
    const char *field;
    bool is_set;
} set_cookies[] = {
    { "SID=1", true },
    { "SID=1; Path=/; HttpOnly; SameSite=Lax", true },
    { "SID = 1 ;Secure", true },
    { "SID=\"a b\"", true },
    { "SID=a=b==; Max-Age=60", true },
    { "SID=", false },
    { "SID=; Expires=Thu, 01 Jan 1970 00:00:00 GMT", false },
    { "SID=\"\"", false },
    { "SID", false },
    { "sid=1", false },
    { "XSID=1", false },
    { "other=1; SID=1", false },
    { "; SID=1", false },
    { "=SID", false },
    { "", false },
};

static void test_what_sets_a_session(void **state)
{
    struct stickiness_session session;
    (void)state;

    for (size_t i = 0; i < sizeof(set_cookies) / sizeof(set_cookies[0]); i++) {
        if (stickiness_app_is_set(&policy, span_text(set_cookies[i].field), &session) !=
            set_cookies[i].is_set)
            fail_msg("%s", set_cookies[i].field);
    }
}

static const struct {
    const char *agent;
    bool is;
} agents[] = {
    { "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/80.0.3987.87 "
      "Safari/537.36",
      true },
    { "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/79.0.3945.130 "
      "Safari/537.36",
      false },
    { "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 "
      "Safari/537.36 Edg/131.0.0.0",
      true },
    { "Mozilla/5.0 (X11) AppleWebKit/537.36 HeadlessChrome/120.0.0.0 Safari/537.36", true },
    { "Mozilla/5.0 (X11) AppleWebKit/537.36 Ubuntu Chromium/83.0.4103 Safari/537.36", true },
    { "Mozilla/5.0 (iPhone) AppleWebKit/605.1.15 CriOS/131.0 Mobile Safari/604.1", false },
    { "Mozilla/5.0 (X11; rv:133.0) Gecko/20100101 Firefox/133.0", false },
    { "Mozilla/5.0 (Macintosh) AppleWebKit/605.1.15 Version/17.6 Safari/605.1.15", false },
    { "Amazon CloudFront", false },
    { "Chrome/", false },
    { "Chrome/x80", false },
    { "Chrome/99999999999999", true },
    { "Chrome/7", false },
    { "Chrome", false },
    { "", false },
};

static void test_chromium(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(agents) / sizeof(agents[0]); i++) {
        if (stickiness_is_chromium_80(span_text(agents[i].agent)) != agents[i].is)
            fail_msg("%s", agents[i].agent);
    }
}

static void test_app_names(void **state)
{
    (void)state;
    assert_true(stickiness_is_app_name(SPAN("JSESSIONID")));
    assert_true(stickiness_is_app_name(SPAN("awsalb")));
    assert_false(stickiness_is_app_name(SPAN("AWSALB")));
    assert_false(stickiness_is_app_name(SPAN("AWSALBAPP-0")));
    assert_false(stickiness_is_app_name(SPAN("AWSALBTG")));
    assert_false(stickiness_is_app_name(SPAN("AWSALBX")));
    assert_false(stickiness_is_app_name(SPAN("")));
    assert_false(stickiness_is_app_name(SPAN("a b")));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_four_lines),
        TEST(test_fields),
        TEST(test_a_session_of_16_kb),
        TEST(test_group_and_time),
        TEST(test_tries_are_bounded),
        TEST(test_kinds_do_not_mix),
        cmocka_unit_test(test_what_sets_a_session),
        cmocka_unit_test(test_chromium),
        cmocka_unit_test(test_app_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
