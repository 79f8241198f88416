/* What is a fact, which requests have it, and which of a rule's conditions is its key. */
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
#include "alb/regex.h"
#include "alb/rules_facts.h"

static struct http_message message;

/* A condition with one value; its texts are literals. */
struct asked {
    enum condition_kind kind;
    const char *name, *text; /* name: of a field, or the query's key */
};

/* A request: one field, the query, the method, the peer. */
struct sent {
    const char *field, *value, *query, *method, *peer;
};

static const struct row {
    const char *what;
    struct asked asked;
    bool is_fact;
    struct sent sent;
    bool has_it;
} rows[] = {
    { "header", { CONDITION_HEADER, "X-A", "b" }, true, { "X-A", "b" }, true },
    { "header, any case", { CONDITION_HEADER, "X-A", "b" }, true, { "x-a", "B" }, true },
    { "header, other name", { CONDITION_HEADER, "X-A", "b" }, true, { "X-C", "b" }, false },
    { "header, other value", { CONDITION_HEADER, "X-A", "b" }, true, { "X-A", "c" }, false },
    { "header, longer", { CONDITION_HEADER, "X-A", "b" }, true, { "X-A", "b, c" }, false },
    { "header, moved", { CONDITION_HEADER, "X-A", "bc" }, true, { "X-Ab", "c" }, false },
    { "header, as a parameter", { CONDITION_HEADER, "a", "b" }, true, { .query = "a=b" }, false },
    { "header, star", { CONDITION_HEADER, "X-A", "b*" }, false, { "X-A", "b" }, false },
    { "header, one of any", { CONDITION_HEADER, "X-A", "?" }, false, { "X-A", "b" }, false },
    { "header, no escapes", { CONDITION_HEADER, "X-A", "\\*" }, false, { "X-A", "*" }, false },
    { "header, backslash", { CONDITION_HEADER, "X-A", "\\n" }, true, { "X-A", "\\n" }, true },
    { "length", { CONDITION_HEADER, "content-length", "12" }, true, { "X-A", "b" }, true },
    { "other length", { CONDITION_HEADER, "Content-Length", "13" }, true, { "X-A", "b" }, false },
    { "query", { CONDITION_QUERY, "a", "b" }, true, { .query = "x&a=b" }, true },
    { "query, any case", { CONDITION_QUERY, "a", "b" }, true, { .query = "A=B&" }, true },
    { "query, other key", { CONDITION_QUERY, "a", "b" }, true, { .query = "c=b" }, false },
    { "query, empty key", { CONDITION_QUERY, "a", "b" }, true, { .query = "=b" }, false },
    { "query, key alone", { CONDITION_QUERY, "a", "b" }, true, { .query = "a&b" }, false },
    { "query, two '='", { CONDITION_QUERY, "a", "b=c" }, true, { .query = "a=b=c" }, true },
    { "query, nothing decoded", { CONDITION_QUERY, "a", "b" }, true, { .query = "%61=b" }, false },
    { "query, as sent", { CONDITION_QUERY, "%61", "b" }, true, { .query = "%61=b" }, true },
    { "query, plus", { CONDITION_QUERY, "a", "b c" }, true, { .query = "a=b+c" }, false },
    { "query, star", { CONDITION_QUERY, "a", "*" }, false, { .query = "a=b" }, false },
    { "query, star in key", { CONDITION_QUERY, "*", "b" }, false, { .query = "a=b" }, false },
    { "query, escaped", { CONDITION_QUERY, "\\?", "x\\*" }, true, { .query = "?=x*" }, true },
    { "query, escaped, as is", { CONDITION_QUERY, "a", "\\*" }, true, { .query = "a=\\*" }, false },
    { "query, backslash", { CONDITION_QUERY, "a", "\\x" }, true, { .query = "a=\\x" }, true },
    { "query, backslash and star",
      { CONDITION_QUERY, "a", "\\\\*" },
      true,
      { .query = "a=\\*" },
      true },
    { "value alone", { CONDITION_QUERY, NULL, "b" }, true, { .query = "k=b" }, true },
    { "value alone, no key", { CONDITION_QUERY, NULL, "b" }, true, { .query = "=b" }, true },
    { "value alone, is a key", { CONDITION_QUERY, NULL, "b" }, true, { .query = "b" }, false },
    { "method", { CONDITION_METHOD, NULL, "PURGE" }, true, { .method = "PURGE" }, true },
    { "method minds case",
      { CONDITION_METHOD, NULL, "PURGE" },
      true,
      { .method = "Purge" },
      false },
    { "block", { CONDITION_SOURCE_IP, NULL, "10.0.0.0/8" }, true, { .peer = "10.1.2.3" }, true },
    { "other block",
      { CONDITION_SOURCE_IP, NULL, "10.0.0.0/8" },
      true,
      { .peer = "11.1.2.3" },
      false },
    { "block of all",
      { CONDITION_SOURCE_IP, NULL, "0.0.0.0/0" },
      true,
      { .peer = "1.2.3.4" },
      true },
    { "other family", { CONDITION_SOURCE_IP, NULL, "0.0.0.0/0" }, true, { .peer = "::1" }, false },
    { "one address",
      { CONDITION_SOURCE_IP, NULL, "2001:db8::1" },
      true,
      { .peer = "2001:db8::1" },
      true },
    { "odd length",
      { CONDITION_SOURCE_IP, NULL, "2001:db8::/33" },
      true,
      { .peer = "2001:db8:7fff::1" },
      true },
    { "odd length, behind",
      { CONDITION_SOURCE_IP, NULL, "2001:db8::/33" },
      true,
      { .peer = "2001:db8:8000::1" },
      false },
    { "host", { CONDITION_HOST, NULL, "a.test" }, false, { "X-A", "b" }, false },
    { "path", { CONDITION_PATH, NULL, "/a" }, false, { "X-A", "b" }, false },
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
        look_up(facts, rows[i].sent, &found);
        if ((rules_facts_key(facts, 0) == &condition) != rows[i].is_fact)
            fail_msg("%s: is %s", rows[i].what, rows[i].is_fact ? "no fact" : "a fact");
        if (found.count != rows[i].has_it || found.too_many)
            fail_msg("%s: %zu found", rows[i].what, found.count);
        if (rows[i].has_it)
            assert_int_equal(found.numbers[0], rules_facts_number(facts, &condition, 0));
        rules_facts_free(&facts);
        assert_null(facts);
    }
}

static void test_an_expression_is_no_fact(void **state)
{
    struct condition condition;
    struct condition_value value;
    struct rule rule = { .conditions = &condition, .condition_count = 1 };
    char why[128];
    (void)state;

    set_condition(&condition, &value, (struct asked){ CONDITION_HEADER, "X-A", "b" });
    value.regex = regex_new(SPAN("b"), true, why, sizeof(why));
    struct rules_facts *facts = rules_facts_new(&rule, 1);
    assert_null(rules_facts_key(facts, 0));
    rules_facts_free(&facts);
    regex_free(&value.regex);
}

/* One value that is none spoils the condition. */
static void test_a_key_has_facts_only(void **state)
{
    struct condition_value values[] = { { .text = (char *)"a" }, { .text = (char *)"b*" } };
    struct condition c = {
        .kind = CONDITION_HEADER, .name = (char *)"X-A", .values = values, .count = 2
    };
    struct rule rule = { .conditions = &c, .condition_count = 1 };
    (void)state;

    struct rules_facts *facts = rules_facts_new(&rule, 1);
    assert_null(rules_facts_key(facts, 0));
    rules_facts_free(&facts);
    values[1].text = (char *)"b";
    facts = rules_facts_new(&rule, 1);
    assert_ptr_equal(rules_facts_key(facts, 0), &c);
    assert_int_not_equal(rules_facts_number(facts, &c, 0), rules_facts_number(facts, &c, 1));
    rules_facts_free(&facts);
}

/* All ask for the same field, and each for a parameter of its own; or the other way round. */
static void check_key(const char *field, const char *parameter, size_t key)
{
    enum { COUNT = 3 };
    struct condition conditions[COUNT][2];
    struct condition_value values[COUNT][2];
    struct rule rules[COUNT];
    char texts[COUNT][2][16];
    struct request_facts found;

    for (int i = 0; i < COUNT; i++) {
        snprintf(texts[i][0], sizeof(texts[i][0]), field, i);
        snprintf(texts[i][1], sizeof(texts[i][1]), parameter, i);
        set_condition(&conditions[i][0], &values[i][0],
                      (struct asked){ CONDITION_HEADER, "X-A", texts[i][0] });
        set_condition(&conditions[i][1], &values[i][1],
                      (struct asked){ CONDITION_QUERY, "k", texts[i][1] });
        rules[i] = (struct rule){ .conditions = conditions[i], .condition_count = 2 };
    }
    struct rules_facts *facts = rules_facts_new(rules, COUNT);
    for (size_t i = 0; i < COUNT; i++)
        assert_ptr_equal(rules_facts_key(facts, i), &conditions[i][key]);
    look_up(facts, (struct sent){ "X-A", texts[1][0], .query = "k=p1" }, &found);
    assert_int_equal(found.count, 1); /* what is no key does not count */
    assert_int_equal(found.numbers[0], rules_facts_number(facts, &conditions[1][key], 0));
    rules_facts_free(&facts);
}

static void test_the_key_is_what_the_fewest_ask_for(void **state)
{
    (void)state;
    check_key("all", "p%d", 1);
    check_key("f%d", "p1", 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_facts),
        cmocka_unit_test(test_an_expression_is_no_fact),
        cmocka_unit_test(test_a_key_has_facts_only),
        cmocka_unit_test(test_the_key_is_what_the_fewest_ask_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
