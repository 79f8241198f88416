/* test_tunnel_top.c -- the first of many: against sorting them all. */
#include "tunnel_fixture.h"

#include "base/random.h"

#include "alb/tunnel_top.h"

enum { MANY = 700 };

static struct tunnel_query query;

static void ask(const char *text)
{
    char why[1024];

    assert_true(tunnel_query_read(&query, span_text(text), false, 0, why, sizeof(why)));
}

static int compare(const void *a, const void *b)
{
    return tunnel_query_before(&query, a, b) ? -1 : tunnel_query_before(&query, b, a);
}

static void make_many(struct target_key *key, struct tunnel_view views[MANY])
{
    for (uint64_t i = 0; i < MANY; i++) {
        views[i] = fixture_view(key, i);
        views[i].age_ms = random_jitter() % 50; /* many of the same */
        views[i].from[FROM_CLIENT].bytes = random_jitter();
        views[i].facts.port = (uint16_t)(i % 2);
        views[i].state = i % 7 == 0 ? TUNNEL_CLOSING : TUNNEL_OPEN;
    }
}

static void check_first(const struct tunnel_top *top, const struct tunnel_view *sorted, size_t n)
{
    assert_int_equal(top->count, n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(top->rows[i].facts.id[0], sorted[i].facts.id[0]);
}

static void test_the_first_of_many(void **state)
{
    static const char *const asked[] = { "limit=10",
                                         "limit=1&sort=bytes",
                                         "limit=699",
                                         "limit=700&order=asc",
                                         "limit=10000&sort=bytes",
                                         "limit=0" };
    struct target_key *key = fixture_key("app", "t");
    struct tunnel_view views[MANY];

    (void)state;
    for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
        struct tunnel_top top, parts[3];
        ask(asked[i]);
        make_many(key, views);
        tunnel_top_init(&top, &query);
        for (int p = 0; p < 3; p++)
            tunnel_top_init(&parts[p], &query);
        for (int v = 0; v < MANY; v++)
            tunnel_top_add(&parts[random_jitter() % 3], &views[v]);
        for (int p = 0; p < 3; p++)
            tunnel_top_merge(&top, &parts[p]);
        tunnel_top_sort(&top);
        qsort(views, MANY, sizeof(views[0]), compare);
        check_first(&top, views, query.limit < MANY ? query.limit : MANY);
        assert_int_equal(top.seen, MANY);
        assert_int_equal(top.matched, MANY);
        assert_int_equal(fixture_refs(key), 1 + top.count);
        tunnel_top_done(&top);
        assert_int_equal(fixture_refs(key), 1);
    }
    target_key_unref(&key);
}

static void test_those_that_do_not_fit_are_counted(void **state)
{
    struct target_key *key = fixture_key("app", "t");
    struct tunnel_view views[MANY];
    struct tunnel_top top;

    (void)state;
    ask("state=closing&limit=5");
    make_many(key, views);
    tunnel_top_init(&top, &query);
    for (int v = 0; v < MANY; v++)
        tunnel_top_add(&top, &views[v]);
    assert_int_equal(top.seen, MANY);
    assert_int_equal(top.matched, MANY / 7);
    assert_int_equal(top.count, 5);
    for (uint32_t i = 0; i < top.count; i++)
        assert_int_equal(top.rows[i].state, TUNNEL_CLOSING);
    tunnel_top_done(&top);
    target_key_unref(&key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_first_of_many),
        cmocka_unit_test(test_those_that_do_not_fit_are_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
