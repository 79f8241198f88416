/* The index of rules always finds what a walk over all of them finds, and looks at few. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/random.h"
#include "http/message.h"

#include "alb/config.h"
#include "alb/rules.h"
#include "alb/rules_index.h"

enum { RULES = 40, ROUNDS = 300, ASKED = 60, MANY = 1000 };

static struct http_message message;

static size_t below(size_t n)
{
    return (size_t)(random_jitter() % n);
}

/* Few letters, so that random texts and patterns often meet. */
static char *random_text(const char *letters, size_t max)
{
    const size_t n = below(max + 1);
    char *text = mem_zero(n + 1);

    for (size_t i = 0; i < n; i++)
        text[i] = letters[below(strlen(letters))];
    return text;
}

static void add_condition(struct rule *rule, enum condition_kind kind, const char *letters)
{
    struct condition *c = &rule->conditions[rule->condition_count++];

    *c = (struct condition){ .kind = kind, .setting = "test", .count = 1 + below(3) };
    c->values = mem_array(struct condition_value, c->count);
    for (size_t i = 0; i < c->count; i++)
        c->values[i].text = random_text(letters, 6);
}

static void make_rule(struct rule *rule)
{
    *rule = (struct rule){ .conditions = mem_array(struct condition, 3) };
    if (below(3) > 0)
        add_condition(rule, CONDITION_HOST, below(2) == 0 ? "aB." : "ab.*?");
    if (below(4) > 0)
        add_condition(rule, CONDITION_PATH, below(2) == 0 ? "/a" : "/ab*?");
    if (below(4) == 0)
        add_condition(rule, CONDITION_METHOD, "G");
}

static void free_rules(struct rule *rules, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < rules[i].condition_count; j++)
            condition_done(&rules[i].conditions[j]);
        free(rules[i].conditions);
    }
}

static void ask(const struct listener_config *l)
{
    char *host = random_text("aAbB.", 8), *path = random_text("/ab", 8);
    struct condition_request request;
    const struct ip peer = { .family = 4 };
    size_t walked = 0;

    message.method = below(2) == 0 ? SPAN("G") : SPAN("GG");
    message.host = span_text(host);
    message.path = span_text(path);
    condition_request_init(&request, &message, &peer, NULL);
    while (walked < l->rule_count && !rule_holds(&l->rules[walked], &request))
        walked++;
    const struct rule *want = walked < l->rule_count ? &l->rules[walked] : &l->fallback;
    if (rules_match(l, &request) != want)
        fail_msg("host \"%s\" path \"%s\": the index does not find rule %zu", host, path, walked);
    free(host);
    free(path);
}

static void test_agrees_with_a_walk(void **state)
{
    struct rule rules[RULES];
    (void)state;

    for (int round = 0; round < ROUNDS; round++) {
        struct listener_config l = { .rules = rules, .rule_count = below(RULES + 1) };
        for (size_t i = 0; i < l.rule_count; i++)
            make_rule(&rules[i]);
        l.index = rules_index_new(rules, l.rule_count);
        for (int i = 0; i < ASKED; i++)
            ask(&l);
        rules_index_free(&l.index);
        free_rules(rules, l.rule_count);
    }
}

/* --- few are looked at ------------------------------------------------------------------- */

static size_t looked_at;

static bool count_and_hold(const struct rule *rule, void *user)
{
    looked_at++;
    return rule_holds(rule, user);
}

static void set_condition(struct rule *rule, enum condition_kind kind, const char *form, int n)
{
    struct condition *c = &rule->conditions[rule->condition_count++];
    char text[64];

    snprintf(text, sizeof(text), form, n);
    *c = (struct condition){ .kind = kind, .setting = "test", .count = 1 };
    c->values = mem_array(struct condition_value, 1);
    c->values[0].text = mem_text(text);
}

/* Rules of this form; the request is for number 617. NULL: no such condition. */
static size_t count_looks(const char *host_form, const char *path_form, int hosts)
{
    struct rule *rules = mem_array(struct rule, MANY);
    struct condition_request request;
    const struct ip peer = { .family = 4 };

    for (int i = 0; i < MANY; i++) {
        rules[i].conditions = mem_array(struct condition, 2);
        if (host_form != NULL)
            set_condition(&rules[i], CONDITION_HOST, host_form, i % hosts);
        if (path_form != NULL)
            set_condition(&rules[i], CONDITION_PATH, path_form, i);
    }
    struct rules_index *index = rules_index_new(rules, MANY);
    char host[32];
    snprintf(host, sizeof(host), "h%d.example.com", 617 % hosts);
    message.host = span_text(host);
    message.path = SPAN("/svc617/x");
    condition_request_init(&request, &message, &peer, NULL);
    looked_at = 0;
    assert_int_equal(rules_index_find(index, request.host, message.path, count_and_hold, &request),
                     617);
    rules_index_free(&index);
    free_rules(rules, MANY);
    free(rules);
    return looked_at;
}

static void test_looks_at_few(void **state)
{
    (void)state;
    assert_int_equal(count_looks(NULL, "/svc%d/*", MANY), 1);
    assert_int_equal(count_looks("h%d.example.com", NULL, MANY), 1);
    assert_int_equal(count_looks("h%d.example.com", "/svc%d/*", 30), 1);
    assert_int_equal(count_looks("*.example.com", "/svc%d/x", 30), 1);
    assert_int_equal(count_looks("h%d.example.com", "/*", MANY), 1);
}

static void test_no_rules(void **state)
{
    struct rules_index *index = rules_index_new(NULL, 0);
    (void)state;

    assert_int_equal(rules_index_find(index, SPAN("a"), SPAN("/"), count_and_hold, NULL), 0);
    rules_index_free(&index);
    assert_null(index);
    rules_index_free(&index);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_agrees_with_a_walk),
        cmocka_unit_test(test_looks_at_few),
        cmocka_unit_test(test_no_rules),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
