/* test_tunnel_query.c -- the query of GET /tunnels and GET /closed: read, and asked. */
#include "tunnel_fixture.h"

#include "alb/tunnel_query.h"

enum { WHY = 1024 };

#define NOW 1709251200000000

static bool read_query(struct tunnel_query *q, const char *text, bool is_closed, char why[WHY])
{
    why[0] = '\0';
    return tunnel_query_read(q, span_text(text), is_closed, NOW, why, WHY);
}

static void test_nothing_asks_for_all(void **state)
{
    struct tunnel_query q;
    char why[WHY];

    (void)state;
    assert_true(read_query(&q, "", false, why));
    assert_int_equal(q.sort, SORT_AGE);
    assert_false(q.is_ascending);
    assert_int_equal(q.limit, 1000);
    assert_true(read_query(&q, "&&", true, why));
    assert_int_equal(q.sort, SORT_ENDED);
}

static const struct {
    const char *text;
    bool live, closed; /* where it is understood */
    const char *why;   /* of what is not understood: begins so */
} cases[] = {
    { "group=app", true, true, NULL },
    { "group=app&target=10.0.0.1:80&listener=web", true, true, NULL },
    { "target=%5B::1%5D:80", true, true, NULL },
    { "target=unix%3a/run/a+b", true, true, NULL },
    { "client=10.0.0.0/8", true, true, NULL },
    { "client=10.0.0.1", true, true, NULL },
    { "client=2001:db8::/32&", true, true, NULL },
    { "state=open", true, true, NULL },
    { "state=half-closed", true, true, NULL },
    { "min_age=5m", true, true, NULL },
    { "min_age=90", true, true, NULL },
    { "sort=frames&order=asc&limit=0", true, true, NULL },
    { "limit=10000", true, true, NULL },
    { "sort=ended", false, true,
      "sort: \"ended\" is not understood: it takes one of: age, idle, "
      "bytes, frames" },
    { "end=closed+by+client", false, true,
      "end: there is no such parameter: they are group, target, "
      "listener, client, state, min_age, pid, sort, order, limit" },
    { "pid=4711", true, false,
      "pid: there is no such parameter: they are group, target, listener, client, state, min_age, "
      "end, by, since, sort, order, limit" },
    { "pid=0", false, false, "pid: " },
    { "pid=4294967297", false, false, "pid: " },
    { "end=idle:%20target%20silent%20longer&by=us", false, true, "end: there is no such" },
    { "since=10m", false, true, "since: there is no such parameter" },
    { "since=2024-02-29T23:59:59Z", false, true, "since: there" },
    { "group", false, false, "group: \"\" is not understood: it takes the name of a target group" },
    { "group=", false, false, "group: \"\" is not" },
    { "group=a&group=a", false, false, "group: it is given twice" },
    { "group=a%0", false, false, "group: \"a%0\" is not understood" },
    { "group=a%zz", false, false, "group: \"a%zz\" is not understood" },
    { "group=a%00b", false, false, "group: \"a" },
    { "Group=a", false, false, "Group: there is no such parameter" },
    { "=a", false, false, ": there is no such parameter" },
    { "client=10.0.0.1/8", false, false, "client: \"10.0.0.1/8\" is not understood, " },
    { "client=x", false, false, "client: \"x\" is not understood" },
    { "state=", false, false,
      "state: \"\" is not understood: it takes one of: open, draining, "
      "half-closed, closing" },
    { "state=Open", false, false, "state: \"Open\" is not understood" },
    { "min_age=1w", false, false, "min_age: \"1w\" is not understood: it takes a duration" },
    { "min_age=-1s", false, false, "min_age: \"-1s\" is" },
    { "order=up", false, false, "order: \"up\" is not understood: it takes one of: desc, asc" },
    { "limit=10001", false, false, "limit: \"10001\" is not understood: it takes 0 to 10000" },
    { "limit=", false, false, "limit: \"\"" },
    { "limit=1e3", false, false, "limit: \"1e3\"" },
};

static void check_case(size_t i, bool is_closed)
{
    const bool ok = is_closed ? cases[i].closed : cases[i].live;
    struct tunnel_query q;
    char why[WHY];

    if (read_query(&q, cases[i].text, is_closed, why) != ok)
        fail_msg("%s: %s", cases[i].text, why);
    if (!ok && strncmp(why, cases[i].why, strlen(cases[i].why)) != 0)
        fail_msg("%s: %s", cases[i].text, why);
}

static void test_what_is_understood(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        check_case(i, false);
        check_case(i, true);
    }
}

static void test_closed_only_values(void **state)
{
    static const struct {
        const char *text, *why;
    } wrong[] = {
        { "end=alive", "end: \"alive\" is not understood: it takes one of: closed by client, " },
        { "by=", "by: \"\" is not understood: it takes one of: client, target, us" },
        { "since=2024-02-30T00:00:00Z",
          "since: \"2024-02-30T00:00:00Z\" is not understood: it takes "
          "a duration (10m: the last ten minutes) or a time" },
        { "foo=1",
          "foo: there is no such parameter: they are group, target, listener, client, state, "
          "min_age, end, by, since, sort, order, limit" },
    };
    struct tunnel_query q;
    char why[WHY];

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_false(read_query(&q, wrong[i].text, true, why));
        if (strncmp(why, wrong[i].why, strlen(wrong[i].why)) != 0)
            fail_msg("%s: %s", wrong[i].text, why);
    }
}

/* Each prefix is a query, or is refused with a sentence that begins with a name. */
static void test_cut_anywhere(void **state)
{
    static const char all[] =
        "group=app&target=%5b::1%5d:80&client=10.0.0.0/8&state=closing&min_age="
        "5m&end=closed+by+client&by=client&since=2024-02-29T23:59:59.5Z&"
        "sort=ended&order=asc&limit=10000";
    struct tunnel_query q;
    char why[WHY];

    (void)state;
    assert_true(read_query(&q, all, true, why));
    for (size_t n = 0; n < sizeof(all) - 1; n++) {
        why[0] = '\0';
        if (!tunnel_query_read(&q, span_of(all, n), true, NOW, why, sizeof(why)))
            assert_non_null(strchr(why, ':'));
    }
}

/* A sentence of any length stays within its room. */
static void test_a_long_value(void **state)
{
    char text[2000], why[WHY];
    struct tunnel_query q;

    (void)state;
    memset(text, 'a', sizeof(text) - 1);
    memcpy(text, "group=", 6);
    for (size_t n = 7; n < sizeof(text); n++) {
        text[n] = '\0';
        assert_int_equal(read_query(&q, text, false, why), n - 6 < QUERY_NAME_MAX);
        text[n] = 'a';
    }
    text[sizeof(text) - 1] = '\0';
    text[0] = 'x';
    for (size_t size = 1; size < 300; size++) {
        memset(why, '!', sizeof(why));
        assert_false(tunnel_query_read(&q, span_text(text), false, NOW, why, size));
        assert_true(strlen(why) < size);
        assert_true(why[size] == '!');
    }
}

static void test_what_fits(void **state)
{
    static const struct {
        const char *text;
        bool fits;
    } asked[] = {
        { "", true },
        { "group=app", true },
        { "group=ap", false },
        { "target=10.9.9.9:80", true },
        { "target=10.9.9.9", false },
        { "listener=web", true },
        { "listener=https", false },
        { "client=10.1.2.3", true },
        { "client=10.1.2.4", false },
        { "client=10.1.0.0/16", true },
        { "client=::/0", false },
        { "state=half-closed", true },
        { "state=open", false },
        { "min_age=61s", true },
        { "min_age=61001ms", true },
        { "min_age=61002ms", false },
        { "end=client+reset", true },
        { "end=target+reset", false },
        { "by=client", true },
        { "by=us", false },
        { "since=876544us", false },
        { "since=1s", true },
        { "since=876ms", false },
        { "since=877ms", true },
        { "since=2024-02-29T23:59:59.123456Z", true },
        { "since=2024-02-29T23:59:59.123457Z", false },
        { "since=4000000000ms", true },
        { "group=app&client=10.1.2.3&by=client&min_age=1h", false },
    };
    struct target_key *key = fixture_key("app", "10.9.9.9:80");
    struct tunnel_view v = fixture_view(key, 1);

    (void)state;
    v.state = TUNNEL_HALF_CLOSED;
    v.end = TUNNEL_CLIENT_RESET;
    for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
        struct tunnel_query q;
        char why[WHY];
        const bool ok = read_query(&q, asked[i].text, true, why);
        if ((ok && tunnel_query_fits(&q, &v)) != asked[i].fits)
            fail_msg("%s: %s", asked[i].text, why);
    }
    target_key_unref(&key);
}

static void test_order(void **state)
{
    static const char *const sorts[] = { "age", "idle", "bytes", "frames", "ended" };
    struct target_key *key = fixture_key("app", "t");
    struct tunnel_view views[2] = { fixture_view(key, 1), fixture_view(key, 2) };
    struct tunnel_view *more = &views[1];

    (void)state;
    more->age_ms++;
    more->seen_us++;
    more->from[FROM_TARGET].bytes = 1;
    more->from[FROM_CLIENT].frames[WS_KIND_PONG] = 1;
    more->from[FROM_CLIENT].idle_ms = 5;
    more->from[FROM_TARGET].idle_ms = 3;
    views[0].from[FROM_CLIENT].idle_ms = 2;
    views[0].from[FROM_TARGET].idle_ms = 50;
    for (size_t i = 0; i < sizeof(sorts) / sizeof(sorts[0]); i++) {
        for (int is_asc = 0; is_asc < 2; is_asc++) {
            struct tunnel_query q;
            char text[64], why[WHY];
            snprintf(text, sizeof(text), "sort=%s%s", sorts[i], is_asc ? "&order=asc" : "");
            assert_true(read_query(&q, text, true, why));
            assert_int_equal(tunnel_query_before(&q, &views[0], more), is_asc);
            assert_int_equal(tunnel_query_before(&q, more, &views[0]), !is_asc);
            assert_false(tunnel_query_before(&q, more, more));
        }
    }
    target_key_unref(&key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_asks_for_all),
        cmocka_unit_test(test_what_is_understood),
        cmocka_unit_test(test_closed_only_values),
        cmocka_unit_test(test_cut_anywhere),
        cmocka_unit_test(test_a_long_value),
        cmocka_unit_test(test_what_fits),
        cmocka_unit_test(test_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
