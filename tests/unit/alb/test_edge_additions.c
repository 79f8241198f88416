/* test_edge_additions.c -- who may connect for a while, over time and as text. */
#include "alb/edge_additions.h"

#include "alb/registrations.h"

#include "config_fixture.h"

static struct cidr cidr(const char *text)
{
    struct cidr block;
    char why[160];

    if (!cidr_parse(span_text(text), &block, why, sizeof(why)))
        fail_msg("%s", why);
    return block;
}

static void add(struct edge_additions *a, const char *block, uint64_t until_s)
{
    assert_true(edge_additions_add(a, &(struct edge_addition){ cidr(block), until_s }));
}

/* Their blocks, in order. */
static const char *list(const struct edge_additions *a)
{
    static char text[400];
    char block[CIDR_TEXT_MAX];

    text[0] = '\0';
    for (size_t i = 0; i < a->count; i++) {
        strcat(text, i == 0 ? "" : " ");
        strcat(text, cidr_format(&a->items[i].block, block));
    }
    return text;
}

static char gone[400];

static void on_gone(const struct edge_addition *item)
{
    char block[CIDR_TEXT_MAX];

    strcat(gone, cidr_format(&item->block, block));
    strcat(gone, ";");
}

static void test_each_ends_at_its_second(void **state)
{
    struct edge_additions a = { .count = 0 };
    (void)state;

    assert_true(edge_additions_next_s(&a) == UINT64_MAX);
    add(&a, "10.1.0.0/16", 100);
    add(&a, "10.2.0.0/16", 90);
    add(&a, "fd00::/8", 110);
    assert_int_equal(edge_additions_next_s(&a), 90);
    assert_int_equal(edge_additions_expire(&a, 89, on_gone), 0);
    assert_string_equal(list(&a), "10.1.0.0/16 10.2.0.0/16 fd00::/8");
    gone[0] = '\0';
    assert_int_equal(edge_additions_expire(&a, 90, on_gone), 1);
    assert_string_equal(gone, "10.2.0.0/16;");
    assert_string_equal(list(&a), "10.1.0.0/16 fd00::/8");
    assert_int_equal(edge_additions_expire(&a, 1000, NULL), 2);
    assert_int_equal(a.count, 0);
    edge_additions_done(&a);
}

static void test_the_same_block_gets_another_end(void **state)
{
    struct edge_additions a = { .count = 0 };
    const struct cidr block = cidr("10.1.0.0/16"), inside = cidr("10.1.2.0/24");
    (void)state;

    add(&a, "10.1.0.0/16", 100);
    add(&a, "10.1.0.0/16", 50);
    assert_int_equal(a.count, 1);
    assert_int_equal(edge_additions_find(&a, &block)->until_s, 50);
    assert_null(edge_additions_find(&a, &inside));
    edge_additions_done(&a);
}

static void test_a_copy_is_its_own(void **state)
{
    struct edge_additions a = { .count = 0 };
    (void)state;

    add(&a, "10.1.0.0/16", 100);
    add(&a, "10.2.0.0/16", 100);
    struct edge_additions copy = edge_additions_copy(&a);
    edge_additions_remove(&a, &a.items[0]);
    add(&copy, "10.3.0.0/16", 1);
    assert_string_equal(list(&a), "10.2.0.0/16");
    assert_string_equal(list(&copy), "10.1.0.0/16 10.2.0.0/16 10.3.0.0/16");
    edge_additions_done(&a);
    edge_additions_done(&copy);
}

static void test_there_is_a_bound(void **state)
{
    struct edge_additions a = { .count = 0 };
    (void)state;

    for (unsigned i = 0; i < EDGE_ADDITIONS_MAX; i++) {
        const struct edge_addition item = { { { 4, { 10, (uint8_t)(i >> 8), (uint8_t)i } }, 24 },
                                            5 };
        assert_true(edge_additions_add(&a, &item));
    }
    assert_false(edge_additions_add(&a, &(struct edge_addition){ cidr("192.0.2.1"), 5 }));
    assert_true(edge_additions_add(&a, &(struct edge_addition){ cidr("10.0.7.0/24"), 6 }));
    edge_additions_done(&a);
}

static const struct {
    const char *text;
    uint32_t seconds; /* 0: refused */
} times[] = {
    { "1s", 1 },
    { "10m", 600 },
    { "2h", 7200 },
    { "30d", 30 * 86400 },
    { "1000ms", 1 },
    { "1001ms", 2 },
    { "720h", 30 * 86400 },
    { "", 0 },
    { "10", 0 },
    { "0", 0 },
    { "999ms", 0 },
    { "30d1", 0 },
    { "31d", 0 },
    { "-10m", 0 },
    { "10 m", 0 },
    { "1.5h", 0 },
    { "forever", 0 },
    { "99999999999999999999d", 0 },
};

static void test_times(void **state)
{
    (void)state;

    for (size_t i = 0; i < COUNT(times); i++) {
        uint32_t seconds = 0;
        char why[256];
        const bool ok = edge_addition_time(span_text(times[i].text), &seconds, why, sizeof(why));
        if (ok != (times[i].seconds != 0) || (ok && seconds != times[i].seconds))
            fail_msg("\"%s\": %u", times[i].text, seconds);
    }
}

/* --- in the state file ------------------------------------------------------------------- */

#define FIRST "postern-alb-state 1\n"

static void test_they_are_read_as_they_were_printed(void **state)
{
    static const char text[] = FIRST "register chat 10.0.1.12:9001 weight=100\n"
                                     "edge 10.0.9.0/24 until=1795766400\n"
                                     "edge 2001:db8::1/128 until=1\n"
                                     "end 3\n";
    struct registrations r = { .count = 0 };
    struct problems p;
    struct buf out;
    (void)state;

    problems_init(&p, "f");
    assert_true(registrations_read(&r, SPAN(text), &p));
    assert_int_equal(r.count, 1);
    assert_string_equal(list(&r.edge), "10.0.9.0/24 2001:db8::1/128");
    assert_int_equal(r.edge.items[0].until_s, 1795766400);
    buf_init(&out, 4096);
    registrations_print(&r, &out);
    assert_true(span_equal(buf_data(&out), SPAN(text)));
    buf_done(&out);
    problems_done(&p);
    registrations_done(&r);
}

static const struct {
    const char *name, *text, *says;
} bad[] = {
    { "no end", "edge 10.0.9.0/24\nend 1\n", "is none of" },
    { "host bits", "edge 10.0.9.1/24 until=5\nend 1\n", "10.0.9.0/24" },
    { "no prefix", "edge 10.0.9.1 until=5\nend 1\n", "has to be written \"edge 10.0.9.1/32" },
    { "leading zeros", "edge 10.0.9.1/32 until=05\nend 1\n", "has to be written" },
    { "another word", "edge 10.0.9.1/32 for=5\nend 1\n", "is not \"edge CIDR until=SECONDS\"" },
    { "too large", "edge 10.0.9.1/32 until=18446744073709551616\nend 1\n", "is not \"edge CIDR" },
    { "twice", "edge 10.0.9.1/32 until=5\nedge 10.0.9.1/32 until=6\nend 2\n", "is there before" },
    { "a target behind", "edge 10.0.9.1/32 until=5\ndrain c 10.0.0.1:1\nend 2\n",
      "stands behind an \"edge\" line" },
    { "not counted", "edge 10.0.9.1/32 until=5\nend 0\n", "some are missing" },
};

static void test_bad_lines(void **state)
{
    char text[256];
    (void)state;

    for (size_t i = 0; i < COUNT(bad); i++) {
        struct registrations r = { .count = 0 };
        struct problems p;
        problems_init(&p, "f");
        snprintf(text, sizeof(text), FIRST "%s", bad[i].text);
        if (registrations_read(&r, span_text(text), &p) || p.errors != 1 ||
            strstr(p.items[0].text, bad[i].says) == NULL)
            fail_msg("%s: %s", bad[i].name, p.count == 0 ? "taken" : p.items[0].text);
        problems_done(&p);
        registrations_done(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_ends_at_its_second),
        cmocka_unit_test(test_the_same_block_gets_another_end),
        cmocka_unit_test(test_a_copy_is_its_own),
        cmocka_unit_test(test_there_is_a_bound),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_they_are_read_as_they_were_printed),
        cmocka_unit_test(test_bad_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
