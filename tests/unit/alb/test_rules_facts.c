/* Which requests have a fact, and how facts are numbered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "http/message.h"

#include "alb/conditions.h"
#include "alb/config.h"
#include "alb/rules_asks.h"
#include "alb/rules_facts.h"

static struct http_message message;

/* A condition with one value; its texts are literals. */
struct asked {
    enum condition_kind kind;
    const char *name, *text; /* name: of a field, or the query's key */
};

/* A request: one field, the query, the method, the peer. */
struct sent {
    const char *field, *value, *query, *method, *peer, *host, *path;
};

static const struct row {
    const char *what;
    struct asked asked;
    struct sent sent;
    bool has_it;
} rows[] = {
    { "header", { CONDITION_HEADER, "X-A", "b" }, { "X-A", "b" }, true },
    { "header, any case", { CONDITION_HEADER, "X-A", "b" }, { "x-a", "B" }, true },
    { "header, other name", { CONDITION_HEADER, "X-A", "b" }, { "X-C", "b" }, false },
    { "header, other value", { CONDITION_HEADER, "X-A", "b" }, { "X-A", "c" }, false },
    { "header, longer", { CONDITION_HEADER, "X-A", "b" }, { "X-A", "b, c" }, false },
    { "header, moved", { CONDITION_HEADER, "X-A", "bc" }, { "X-Ab", "c" }, false },
    { "header, as a parameter", { CONDITION_HEADER, "a", "b" }, { .query = "a=b" }, false },
    { "header, star", { CONDITION_HEADER, "X-A", "b*" }, { "X-A", "b" }, true },
    { "header, one of any", { CONDITION_HEADER, "X-A", "?" }, { "X-A", "b" }, true },
    { "header, no escapes", { CONDITION_HEADER, "X-A", "\\*" }, { "X-A", "*" }, false },
    { "header, backslash", { CONDITION_HEADER, "X-A", "\\n" }, { "X-A", "\\n" }, true },
    { "length", { CONDITION_HEADER, "content-length", "12" }, { "X-A", "b" }, true },
    { "other length", { CONDITION_HEADER, "Content-Length", "13" }, { "X-A", "b" }, false },
    { "query", { CONDITION_QUERY, "a", "b" }, { .query = "x&a=b" }, true },
    { "query, any case", { CONDITION_QUERY, "a", "b" }, { .query = "A=B&" }, true },
    { "query, other key", { CONDITION_QUERY, "a", "b" }, { .query = "c=b" }, false },
    { "query, empty key", { CONDITION_QUERY, "a", "b" }, { .query = "=b" }, false },
    { "query, key alone", { CONDITION_QUERY, "a", "b" }, { .query = "a&b" }, false },
    { "query, two '='", { CONDITION_QUERY, "a", "b=c" }, { .query = "a=b=c" }, true },
    { "query, nothing decoded", { CONDITION_QUERY, "a", "b" }, { .query = "%61=b" }, false },
    { "query, as sent", { CONDITION_QUERY, "%61", "b" }, { .query = "%61=b" }, true },
    { "query, plus", { CONDITION_QUERY, "a", "b c" }, { .query = "a=b+c" }, false },
    { "query, star", { CONDITION_QUERY, "a", "*" }, { .query = "a=b" }, true },
    { "query, star in key", { CONDITION_QUERY, "*", "b" }, { .query = "a=b" }, true },
    { "query, escaped", { CONDITION_QUERY, "\\?", "x\\*" }, { .query = "?=x*" }, true },
    { "query, escaped, as is", { CONDITION_QUERY, "a", "\\*" }, { .query = "a=\\*" }, false },
    { "query, backslash", { CONDITION_QUERY, "a", "\\x" }, { .query = "a=\\x" }, true },
    { "query, backslash and star", { CONDITION_QUERY, "a", "\\\\*" }, { .query = "a=\\*" }, true },
    { "value alone", { CONDITION_QUERY, NULL, "b" }, { .query = "k=b" }, true },
    { "value alone, no key", { CONDITION_QUERY, NULL, "b" }, { .query = "=b" }, true },
    { "value alone, is a key", { CONDITION_QUERY, NULL, "b" }, { .query = "b" }, false },
    { "method", { CONDITION_METHOD, NULL, "PURGE" }, { .method = "PURGE" }, true },
    { "method minds case", { CONDITION_METHOD, NULL, "PURGE" }, { .method = "Purge" }, false },
    { "block", { CONDITION_SOURCE_IP, NULL, "10.0.0.0/8" }, { .peer = "10.1.2.3" }, true },
    { "other block", { CONDITION_SOURCE_IP, NULL, "10.0.0.0/8" }, { .peer = "11.1.2.3" }, false },
    { "block of all", { CONDITION_SOURCE_IP, NULL, "0.0.0.0/0" }, { .peer = "1.2.3.4" }, true },
    { "other family", { CONDITION_SOURCE_IP, NULL, "0.0.0.0/0" }, { .peer = "::1" }, false },
    { "one address",
      { CONDITION_SOURCE_IP, NULL, "2001:db8::1" },
      { .peer = "2001:db8::1" },
      true },
    { "odd length",
      { CONDITION_SOURCE_IP, NULL, "2001:db8::/33" },
      { .peer = "2001:db8:7fff::1" },
      true },
    { "odd length, behind",
      { CONDITION_SOURCE_IP, NULL, "2001:db8::/33" },
      { .peer = "2001:db8:8000::1" },
      false },
    { "piece of a host", { CONDITION_HOST, NULL, "eu*" }, { .host = "X.EU" }, true },
    { "not of the port", { CONDITION_HOST, NULL, "8*" }, { .host = "a:80" }, false },
    { "piece of a path", { CONDITION_PATH, NULL, "*.png" }, { .path = "/a.png" }, true },
    { "not of the query", { CONDITION_PATH, NULL, "*.png" }, { .query = "a.png" }, false },
    { "piece of a query", { CONDITION_QUERY, "a", "b*" }, { .query = "c&A=Bc" }, true },
    { "not of another key", { CONDITION_QUERY, "a", "b*" }, { .query = "c=bc" }, false },
    { "a key alone", { CONDITION_QUERY, "a", "*" }, { .query = "c&a" }, true },
    { "two pieces", { CONDITION_PATH, NULL, "*b*cd" }, { .path = "/bcd" }, true },
    { "two pieces, one there", { CONDITION_PATH, NULL, "*b*cd" }, { .path = "/b" }, false },
};

static void set_condition(struct condition *c, struct condition_value *v, struct asked asked)
{
    char why[128];

    *v = (struct condition_value){ .text = (char *)asked.text };
    *c = (struct condition){ .kind = asked.kind, .setting = "test", .values = v, .count = 1 };
    if (asked.kind == CONDITION_HEADER)
        c->name = (char *)asked.name;
    if (asked.kind == CONDITION_QUERY)
        v->key = (char *)asked.name;
    if (asked.kind == CONDITION_SOURCE_IP)
        assert_true(cidr_parse(span_text(asked.text), &v->block, why, sizeof(why)));
}

static void look_up(const struct rules_facts *facts, struct sent sent, struct request_facts *out)
{
    struct condition_request request;
    struct ip peer = { .family = 0 };

    message = (struct http_message){
        .query = span_text(sent.query == NULL ? "" : sent.query),
        .method = span_text(sent.method == NULL ? "GET" : sent.method),
        .host = span_text(sent.host == NULL ? "" : sent.host),
        .path = span_text(sent.path == NULL ? "" : sent.path),
        .has_length = true,
        .content_length = 12,
        .field_count = sent.field != NULL,
    };
    message.fields[0] =
        (struct http_field){ .name = span_text(sent.field), .value = span_text(sent.value) };
    if (sent.peer != NULL)
        assert_true(ip_parse(span_text(sent.peer), &peer));
    condition_request_init(&request, &message, &peer, NULL);
    rules_facts_of(facts, &request, out);
}

/* Those that the condition's value asks for, all in use. */
static size_t use_all(struct rules_facts *facts, const struct condition *c)
{
    struct asks asks;

    rules_asks_read(&asks, c, 0);
    const size_t count = asks.any_of[0].count;
    for (size_t i = 0; i < count; i++)
        rules_facts_use(facts, rules_facts_number(facts, &asks.any_of[0].facts[i]));
    rules_asks_done(&asks);
    rules_facts_ready(facts);
    return count;
}

static void test_facts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct condition condition;
        struct condition_value value;
        struct rule rule = { .conditions = &condition, .condition_count = 1 };
        struct request_facts found;
        set_condition(&condition, &value, rows[i].asked);
        struct rules_facts *facts = rules_facts_new(&rule, 1);
        const size_t asked = use_all(facts, &condition);
        look_up(facts, rows[i].sent, &found);
        if ((asked > 0 && found.count == asked) != rows[i].has_it || found.too_many)
            fail_msg("%s: %zu of %zu found", rows[i].what, found.count, asked);
        rules_facts_free(&facts);
        assert_null(facts);
    }
}

static void test_what_is_not_used_is_not_found(void **state)
{
    struct condition condition;
    struct condition_value value;
    struct rule rule = { .conditions = &condition, .condition_count = 1 };
    struct request_facts found;
    (void)state;

    set_condition(&condition, &value, (struct asked){ CONDITION_HEADER, "X-A", "b" });
    struct rules_facts *facts = rules_facts_new(&rule, 1);
    rules_facts_ready(facts);
    look_up(facts, (struct sent){ "X-A", "b" }, &found);
    assert_int_equal(found.count, 0);
    rules_facts_free(&facts);
}

/* All ask for a field, two for one parameter, and one for another. */
static void test_what_few_ask_for_comes_first(void **state)
{
    static const struct asked asked[][2] = {
        { { CONDITION_HEADER, "X-A", "all" }, { CONDITION_QUERY, "k", "some*" } },
        { { CONDITION_HEADER, "X-A", "all" }, { CONDITION_QUERY, "k", "some*" } },
        { { CONDITION_HEADER, "X-A", "all" }, { CONDITION_QUERY, "k", "one" } },
    };
    struct condition conditions[3][2];
    struct condition_value values[3][2];
    struct rule rules[3];
    const struct fact in_order[] = { { FACT_QUERY, SPAN("k"), SPAN("one") },
                                     { FACT_QUERY_PIECE, SPAN(""), SPAN("k=some") },
                                     { FACT_HEADER, SPAN("x-a"), SPAN("ALL") },
                                     { FACT_HEADER, SPAN("x-b"), SPAN("all") } };
    (void)state;

    for (size_t i = 0; i < 3; i++) {
        for (size_t j = 0; j < 2; j++)
            set_condition(&conditions[i][j], &values[i][j], asked[i][j]);
        rules[i] = (struct rule){ .conditions = conditions[i], .condition_count = 2 };
    }
    struct rules_facts *facts = rules_facts_new(rules, 3);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(rules_facts_number(facts, &in_order[i]), i);
    assert_true(rules_facts_number(facts, &in_order[3]) == FACT_NONE);
    rules_facts_free(&facts);
}

/* In order, and each once. */
static void test_more_than_there_is_room_for(void **state)
{
    enum { COUNT = REQUEST_FACTS_MAX + 1 };
    static struct condition_value values[COUNT];
    static char texts[COUNT][8], query[COUNT * 24];
    struct condition c = { .kind = CONDITION_QUERY, .setting = "test", .values = values };
    struct rule rule = { .conditions = &c, .condition_count = 1 };
    struct request_facts found;
    size_t n = 0;
    (void)state;

    for (size_t i = 0; i < COUNT; i++) {
        snprintf(texts[i], sizeof(texts[i]), "v%zu", i);
        values[i] = (struct condition_value){ .text = texts[i] };
        n += (size_t)snprintf(query + n, sizeof(query) - n, "a=v%zu&b=V%zu&", i, i);
        c.count = i + 1;
        struct rules_facts *facts = rules_facts_new(&rule, 1);
        for (uint32_t j = 0; j <= i; j++)
            rules_facts_use(facts, j);
        rules_facts_ready(facts);
        look_up(facts, (struct sent){ .query = query }, &found);
        assert_int_equal(found.too_many, i + 1 > REQUEST_FACTS_MAX);
        for (size_t j = 1; j < found.count; j++)
            assert_true(found.numbers[j - 1] < found.numbers[j]);
        assert_int_equal(found.count, i + 1 > REQUEST_FACTS_MAX ? REQUEST_FACTS_MAX : i + 1);
        rules_facts_free(&facts);
    }
}

/* Literals that are in one another, "a", "aa", ... and a text that has all of them everywhere: what
 * is known to be there is not found anew at each place. */
static void test_literals_in_one_another_cost_one_walk(void **state)
{
    enum { COUNT = 120, LONG = 16000 };
    static struct condition_value values[COUNT];
    static char texts[COUNT][COUNT + 2], path[LONG];
    const struct condition c = {
        .kind = CONDITION_PATH, .setting = "test", .values = values, .count = COUNT
    };
    const struct rule rule = { .conditions = (struct condition *)&c, .condition_count = 1 };
    const struct ip peer = { .family = 4 };
    struct condition_request request;
    struct request_facts found;
    (void)state;

    for (size_t i = 0; i < COUNT; i++) {
        texts[i][0] = '*';
        memset(texts[i] + 1, 'a', i + 1);
        values[i].text = texts[i];
    }
    struct rules_facts *facts = rules_facts_new(&rule, 1);
    for (uint32_t i = 0; i < COUNT; i++)
        rules_facts_use(facts, i);
    rules_facts_ready(facts);
    memset(path, 'a', sizeof(path));
    message = (struct http_message){ .path = span_of(path, sizeof(path)) };
    condition_request_init(&request, &message, &peer, NULL);
    rules_facts_of(facts, &request, &found);
    assert_int_equal(found.count, COUNT);
    assert_in_range(CONDITION_BUDGET - request.left, LONG, 2 * LONG + COUNT);
    rules_facts_free(&facts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_facts),
        cmocka_unit_test(test_what_is_not_used_is_not_found),
        cmocka_unit_test(test_what_few_ask_for_comes_first),
        cmocka_unit_test(test_more_than_there_is_room_for),
        cmocka_unit_test(test_literals_in_one_another_cost_one_walk),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
