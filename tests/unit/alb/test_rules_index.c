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
#include "alb/regex.h"
#include "alb/rules.h"
#include "alb/rules_facts.h"
#include "alb/rules_index.h"

enum { RULES = 40, ROUNDS = 300, ASKED = 60, MANY = 1000, CONDITIONS = 6 };

static struct http_message message;
static struct regex_scratch *scratch;

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

static struct condition *add_condition(struct rule *rule, enum condition_kind kind,
                                       const char *letters)
{
    struct condition *c = &rule->conditions[rule->condition_count++];

    *c = (struct condition){ .kind = kind, .setting = "test", .count = 1 + below(3) };
    c->values = mem_array(struct condition_value, c->count);
    for (size_t i = 0; i < c->count; i++)
        c->values[i].text = random_text(letters, 6);
    return c;
}

static const char *const expressions[] = {
    "^a+b",  "a/b",   "ab|ba", "(a|b)*bb", "^(ab|b)a?", "[ab]b", "b\\.a", "(?i)aB?b",
    "^/a|b", "a{2,}", "(a|)b", "^.?b",     "b(ab)?$",   "a?",    "A",     "a$",
};

/* One of its values is an expression. */
static void make_regex(struct condition *c)
{
    struct condition_value *v = &c->values[below(c->count)];
    char why[128];

    free(v->text);
    v->text = mem_text(expressions[below(sizeof(expressions) / sizeof(expressions[0]))]);
    v->regex = regex_new(span_text(v->text), c->kind != CONDITION_PATH, why, sizeof(why));
    assert_non_null(v->regex);
}

static void add_header(struct rule *rule)
{
    struct condition *c = add_condition(rule, CONDITION_HEADER, below(3) == 0 ? "aB*?" : "aB");

    c->name = random_text("xY", 2);
    if (below(4) == 0)
        make_regex(c);
    if (below(8) == 0) {
        free(c->name);
        c->name = mem_text(below(2) == 0 ? "content-LENGTH" : "Transfer-Encoding");
        regex_free(&c->values[0].regex);
        free(c->values[0].text);
        c->values[0].text = mem_text(below(2) == 0 ? "12" : below(2) == 0 ? "Chunked" : "*h*k?d");
    }
}

static void add_query(struct rule *rule)
{
    const char *letters = below(2) == 0 ? "aB=" : "aB*?\\";
    struct condition *c = add_condition(rule, CONDITION_QUERY, letters);

    for (size_t i = 0; i < c->count; i++) {
        if (below(2) == 0)
            c->values[i].key = random_text("aB*\\", 2);
    }
}

static const uint8_t random_bits[] = { 0, 1, 3, 8, 30, 31, 32 };

static struct ip random_ip(void)
{
    struct ip ip = { .family = below(2) == 0 ? 4 : 6 };

    ip.bytes[0] = (uint8_t)(below(4) * 0x40);
    ip.bytes[3] = (uint8_t)below(4);
    return ip;
}

static void add_blocks(struct rule *rule)
{
    struct condition *c = add_condition(rule, CONDITION_SOURCE_IP, "a");

    for (size_t i = 0; i < c->count; i++) {
        const uint8_t bits = random_bits[below(sizeof(random_bits))];
        c->values[i].block = (struct cidr){ ip_network(random_ip(), bits), bits };
    }
}

static void make_rule(struct rule *rule)
{
    *rule = (struct rule){ .conditions = mem_array(struct condition, CONDITIONS) };
    if (below(3) == 0)
        add_condition(rule, CONDITION_HOST, below(2) == 0 ? "aB." : "ab.*?");
    if (rule->condition_count == 1 && below(4) == 0)
        make_regex(&rule->conditions[0]);
    if (below(3) == 0)
        add_condition(rule, CONDITION_PATH, below(2) == 0 ? "/a" : "/ab*?");
    if (rule->condition_count > 0 && below(8) == 0 &&
        rule->conditions[rule->condition_count - 1].kind == CONDITION_PATH)
        make_regex(&rule->conditions[rule->condition_count - 1]);
    if (below(4) == 0)
        add_condition(rule, CONDITION_METHOD, "Gg");
    if (below(6) == 0)
        add_blocks(rule);
    if (below(3) == 0)
        add_header(rule);
    if (below(3) == 0)
        add_query(rule);
}

static void free_rules(struct rule *rules, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < rules[i].condition_count; j++)
            condition_done(&rules[i].conditions[j]);
        free(rules[i].conditions);
    }
}

/* The texts of a request; free() them. */
struct texts {
    char *host, *path, *query, *method, *fields[8];
};

static void make_request(struct texts *t)
{
    *t = (struct texts){ random_text("aAbB.", 8),
                         random_text("/ab", 8),
                         random_text("aAbB=&*?\\", 20),
                         random_text("Gg", 6),
                         { NULL } };
    message.host = span_text(t->host);
    message.path = span_text(t->path);
    message.query = span_text(t->query);
    message.method = span_text(t->method);
    message.has_length = below(2) == 0;
    message.content_length = 12;
    message.framing = below(2) == 0 ? HTTP_BODY_CHUNKED : HTTP_BODY_NONE;
    message.field_count = below(5);
    for (size_t i = 0; i < message.field_count; i++) {
        t->fields[2 * i] = random_text("XyY", 2);
        t->fields[2 * i + 1] = random_text("AbB", 6);
        message.fields[i] = (struct http_field){ .name = span_text(t->fields[2 * i]),
                                                 .value = span_text(t->fields[2 * i + 1]) };
    }
}

static void free_texts(struct texts *t)
{
    for (size_t i = 0; i < sizeof(t->fields) / sizeof(t->fields[0]); i++)
        free(t->fields[i]);
    free(t->host);
    free(t->path);
    free(t->query);
    free(t->method);
}

/* By the index as by a walk: the place. */
static size_t check_request(const struct listener_config *l, const struct ip *peer)
{
    struct condition_request request, same;
    size_t walked = 0;

    condition_request_init(&request, &message, peer, scratch);
    same = request;
    request.left = UINT32_MAX; /* a walk may cost more */
    while (walked < l->rule_count && !rule_holds(&l->rules[walked], &request))
        walked++;
    const struct rule *want = walked < l->rule_count ? &l->rules[walked] : &l->fallback;
    if (rules_match(l, &same) != want)
        fail_msg("host \"%.*s\" path \"%.*s\" query \"%.*s\": the index does not find rule %zu",
                 SPAN_ARGS(message.host), SPAN_ARGS(message.path), SPAN_ARGS(message.query),
                 walked);
    return walked;
}

static size_t ask(const struct listener_config *l)
{
    const struct ip peer = random_ip();
    struct texts texts;

    make_request(&texts);
    const size_t place = check_request(l, &peer);
    free_texts(&texts);
    return place;
}

static void check_random_rules(size_t count, int asked)
{
    struct rule *rules = mem_array(struct rule, count);
    struct listener_config l = { .rules = rules, .rule_count = count };

    for (size_t i = 0; i < count; i++)
        make_rule(&rules[i]);
    l.index = rules_index_new(rules, count);
    for (int i = 0; i < asked; i++)
        ask(&l);
    rules_index_free(&l.index);
    free_rules(rules, count);
    free(rules);
}

static void test_agrees_with_a_walk(void **state)
{
    (void)state;

    for (int round = 0; round < ROUNDS; round++)
        check_random_rules(below(RULES + 1), ASKED);
}

/* --- few are looked at ------------------------------------------------------------------- */

static size_t looked_at;

static bool count_and_hold(const struct rule *rule, struct condition_request *request)
{
    looked_at++;
    return rule_holds(rule, request);
}

static char *text_with(const char *form, int n)
{
    char text[64];

    snprintf(text, sizeof(text), form, n);
    return mem_text(text);
}

static struct condition *set_condition(struct rule *rule, enum condition_kind kind,
                                       const char *form, int n)
{
    struct condition *c = &rule->conditions[rule->condition_count++];

    *c = (struct condition){ .kind = kind, .setting = "test", .count = 1 };
    c->values = mem_array(struct condition_value, 1);
    c->values[0].text = text_with(form, n);
    return c;
}

/* What a rule asks for: `%d` is its number, of hosts modulo `hosts`. NULL: no such condition. */
struct form {
    const char *host, *path, *header, *query, *method, *block;
    int hosts;
    enum { TEXTS, HOSTS, PATHS, HEADERS } expressions; /* which of them are some */
    size_t looks;                                      /* so many rules are; 0: one */
    const char *name, *key; /* of the field, "X-Tenant"; of the parameter, "Tenant" in odd rules */
};

static void set_expression(struct condition *c)
{
    struct condition_value *v = &c->values[0];
    char why[128];

    v->regex = regex_new(span_text(v->text), c->kind != CONDITION_PATH, why, sizeof(why));
    assert_non_null(v->regex);
}

static void set_rule(struct rule *rule, const struct form *form, int n)
{
    *rule = (struct rule){ .conditions = mem_array(struct condition, CONDITIONS) };
    struct condition *c;

    if (form->host != NULL) {
        c = set_condition(rule, CONDITION_HOST, form->host, n % form->hosts);
        if (form->expressions == HOSTS)
            set_expression(c);
    }
    if (form->path != NULL) {
        c = set_condition(rule, CONDITION_PATH, form->path, n);
        if (form->expressions == PATHS)
            set_expression(c);
    }
    if (form->method != NULL)
        set_condition(rule, CONDITION_METHOD, form->method, n);
    if (form->block != NULL) {
        struct condition_value *v = set_condition(rule, CONDITION_SOURCE_IP, "", n)->values;
        char *text = text_with(form->block, n), why[128];
        if (!cidr_parse(span_text(text), &v->block, why, sizeof(why)))
            fail_msg("%s", why);
        free(text);
    }
    if (form->header != NULL) {
        c = set_condition(rule, CONDITION_HEADER, form->header, n);
        c->name = text_with(form->name == NULL ? "X-Tenant" : form->name, n);
        if (form->expressions == HEADERS)
            set_expression(c);
    }
    if (form->query != NULL)
        set_condition(rule, CONDITION_QUERY, form->query, n)->values[0].key =
            form->key != NULL ? text_with(form->key, n) : mem_text(n % 2 == 0 ? "OTHER" : "Tenant");
}

/* Rules of this form; the request is for number 617, and finds it. */
static size_t count_looks(struct form form)
{
    struct rule *rules = mem_array(struct rule, MANY);
    struct condition_request request;
    const struct ip peer = { .family = 6, .bytes = { 0x20, 1, 0xd, 0xb8, 6, 0x17, 1 } };
    char *host = text_with("h%d.example.com", 617 % (form.hosts == 0 ? 1 : form.hosts));

    for (int i = 0; i < MANY; i++)
        set_rule(&rules[i], &form, i);
    struct rules_index *index = rules_index_new(rules, MANY);
    message = (struct http_message){ .host = span_text(host),
                                     .path = SPAN("/svc617/x"),
                                     .query = SPAN("a=1&&b&tenant=T617"),
                                     .method = SPAN("M617"),
                                     .field_count = 4 };
    message.fields[3] = (struct http_field){ .name = SPAN("x-617"), .value = SPAN("") };
    message.fields[0] = (struct http_field){ .name = SPAN("Accept"), .value = SPAN("*") };
    message.fields[1] = (struct http_field){ .name = SPAN("x-tenant"), .value = SPAN("none") };
    message.fields[2] = (struct http_field){ .name = SPAN("x-TENANT"), .value = SPAN("T617") };
    condition_request_init(&request, &message, &peer, scratch);
    looked_at = 0;
    assert_int_equal(rules_index_find(index, &request, count_and_hold), 617);
    rules_index_free(&index);
    free_rules(rules, MANY);
    free(rules);
    free(host);
    return looked_at;
}

static void test_looks_at_few(void **state)
{
    static const struct form forms[] = {
        { .path = "/svc%d/*" },
        { .host = "h%d.example.com", .hosts = MANY },
        { .host = "h%d.example.com", .path = "/svc%d/*", .hosts = 30 },
        { .host = "*.example.com", .path = "/svc%d/x", .hosts = 30 },
        { .host = "h%d.example.com", .path = "/*", .hosts = MANY },
        { .header = "t%d" },
        { .query = "t%d" },
        { .method = "M%d" },
        { .block = "2001:db8:%d::/48" },
        { .path = "/*", .header = "t%d" },
        { .path = "*/x", .query = "t%d" },
        { .host = "*.example.com", .header = "t%d", .hosts = 1 },
        { .method = "M617", .query = "t%d" }, /* the key is what few ask for */
        { .header = "t%d", .query = "*" },    /* ... and that is nothing */
        { .header = "*", .name = "X-%d" },
        { .block = "2001:db8:617::/48", .header = "t%d" }, /* in decimal digits */
        /* wildcards */
        { .path = "*/svc%d/x" },
        { .path = "/s*vc%d/x" },
        { .path = "*svc%d?x*", .looks = 3 }, /* 6 and 61, too */
        { .host = "h%d.*.com", .hosts = MANY },
        { .host = "*h%d.example.com", .hosts = MANY },
        { .header = "*t%d", .looks = 3 },
        { .header = "?%d", .looks = 6 }, /* 6, 1, 7, 61 and 17, too */
        { .query = "?%d", .looks = 6 },
        { .query = "*t%d", .key = "t*nt", .looks = 3 },
        { .query = "*", .key = "ten?nt", .header = "t%d" },
        { .path = "/s*/x*", .header = "*t%d", .query = "*", .key = "t*", .looks = 3 },
        { .host = "h%d.e*", .path = "/*", .hosts = MANY },
        { .path = "*x", .header = "t%d" },
        { .path = "*/x", .header = "*t%d", .looks = 3 },
        { .path = "*/svc%d/*", .header = "t*" },
        /* expressions */
        { .path = "^/svc%d/[a-z]+$", .expressions = PATHS },
        { .path = "^/(svc|service)%d/", .expressions = PATHS, .looks = 3 }, /* 7/ and 17/, too */
        { .path = "svc%d/x|service%d/x", .expressions = PATHS },
        { .path = "^/svc%d(/x)?$", .expressions = PATHS, .looks = 3 },
        { .host = "^h%d\\.example\\.(com|net)$", .hosts = MANY, .expressions = HOSTS },
        { .header = "^t%d$", .expressions = HEADERS, .looks = 3 },
        { .header = "^[tT]%d$", .query = "t%d", .expressions = HEADERS },
    };
    (void)state;

    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        const size_t most = forms[i].looks == 0 ? 1 : forms[i].looks;
        if (count_looks(forms[i]) > most)
            fail_msg("form %zu: %zu rules looked at", i, looked_at);
    }
}

/* A thousand rules that differ in no one condition, and in no two: 10 x 10 x 10. */
static size_t count_looks_together(const char *path, const char *query)
{
    struct rule *rules = mem_array(struct rule, MANY);
    struct condition_request request;
    const struct ip peer = { .family = 4 };

    for (int i = 0; i < MANY; i++) {
        rules[i] = (struct rule){ .conditions = mem_array(struct condition, CONDITIONS) };
        set_condition(&rules[i], CONDITION_METHOD, "M%d", i / 100);
        set_condition(&rules[i], CONDITION_HEADER, "t%d", i / 10 % 10)->name = mem_text("X-Tenant");
        set_condition(&rules[i], CONDITION_PATH, path, i % 10);
        set_condition(&rules[i], CONDITION_QUERY, query, i % 10);
    }
    struct rules_index *index = rules_index_new(rules, MANY);
    message = (struct http_message){
        .path = SPAN("/a.v7"), .query = SPAN("k=v7"), .method = SPAN("M6"), .field_count = 1
    };
    message.fields[0] = (struct http_field){ .name = SPAN("X-Tenant"), .value = SPAN("t1") };
    condition_request_init(&request, &message, &peer, NULL);
    looked_at = 0;
    assert_int_equal(rules_index_find(index, &request, count_and_hold), 617);
    rules_index_free(&index);
    free_rules(rules, MANY);
    free(rules);
    return looked_at;
}

/* Ten are not worth a walk through the path. */
static void test_looks_at_few_that_differ_together(void **state)
{
    (void)state;
    assert_int_equal(count_looks_together("*", "v%d"), 1);
    assert_in_range(count_looks_together("*.v%d", "*"), 1, 10);
}

/* What has no literal is for a walk: the length of the path. */
static void test_looks_at_all_when_it_must(void **state)
{
    enum { COUNT = 100 };
    struct rule *rules = mem_array(struct rule, COUNT);
    struct condition_request request;
    const struct ip peer = { .family = 4 };
    char path[COUNT];
    (void)state;

    for (int i = 0; i < COUNT; i++) {
        rules[i] = (struct rule){ .conditions = mem_array(struct condition, CONDITIONS) };
        set_expression(set_condition(&rules[i], CONDITION_PATH, "^.{%d}$", i + 1));
    }
    struct rules_index *index = rules_index_new(rules, COUNT);
    memset(path, '/', sizeof(path));
    message = (struct http_message){ .path = span_of(path, sizeof(path)) };
    condition_request_init(&request, &message, &peer, scratch);
    looked_at = 0;
    assert_int_equal(rules_index_find(index, &request, count_and_hold), COUNT - 1);
    assert_int_equal(looked_at, COUNT);
    rules_index_free(&index);
    free_rules(rules, COUNT);
    free(rules);
}

/* --- many ------------------------------------------------------------------------------- */

static void test_thousands_agree_with_a_walk(void **state)
{
    (void)state;
    for (int round = 0; round < 4; round++)
        check_random_rules(3000, 500);
}

/* Random rules answer almost every request early; these are found late, or not at all. */
static void test_thousands_of_facts_agree_with_a_walk(void **state)
{
    static const struct form forms[] = { { .header = "t%d" },
                                         { .query = "t%d" },
                                         { .method = "M%d" },
                                         { .path = "/svc*", .header = "t%d" },
                                         { .path = "/svc%d", .query = "t%d" },
                                         { .path = "*c%d" },
                                         { .path = "*svc%d", .method = "M?*" },
                                         { .header = "?%d" },
                                         { .path = "^/s.c%d$", .expressions = PATHS },
                                         { .query = "t%d*" } };
    enum { FORMS = sizeof(forms) / sizeof(forms[0]) };
    struct rule *rules = mem_array(struct rule, 5 * MANY);
    struct listener_config l = { .rules = rules, .rule_count = 5 * MANY };
    const struct ip peer = { .family = 4 };
    size_t found = 0;
    (void)state;

    for (int i = 0; i < 5 * MANY; i++)
        set_rule(&rules[i], &forms[below(FORMS)], i);
    l.index = rules_index_new(rules, l.rule_count);
    for (int i = 0; i < MANY; i++) {
        char *texts[] = { text_with("t%d", (int)below(6 * MANY)),
                          text_with("a=b&tenant=T%d", (int)below(6 * MANY)),
                          text_with("M%d", (int)below(6 * MANY)),
                          text_with("/svc%d", (int)below(6 * MANY)) };
        message = (struct http_message){ .field_count = 1,
                                         .query = span_text(texts[1]),
                                         .method = span_text(texts[2]),
                                         .path = span_text(texts[3]) };
        message.fields[0] =
            (struct http_field){ .name = SPAN("X-TENANT"), .value = span_text(texts[0]) };
        found += check_request(&l, &peer) < l.rule_count;
        for (size_t j = 0; j < 4; j++)
            free(texts[j]);
    }
    assert_in_range(found, MANY / 10, MANY - 1);
    rules_index_free(&l.index);
    free_rules(rules, l.rule_count);
    free(rules);
}

/* Past what is told apart: all rules of the place are looked at, and the first that fits is found.
 */
static void test_more_facts_than_fit_are_a_walk(void **state)
{
    const int facts[] = { 1, REQUEST_FACTS_MAX - 1, REQUEST_FACTS_MAX, REQUEST_FACTS_MAX + 1, 400 };
    struct rule *rules = mem_array(struct rule, MANY);
    struct listener_config l = { .rules = rules, .rule_count = MANY };
    const struct ip peer = { .family = 4 };
    static char query[16 * 1024];
    (void)state;

    for (int i = 0; i < MANY; i++)
        set_rule(&rules[i], &(struct form){ .query = "t%d", .path = "/*" }, i);
    l.index = rules_index_new(rules, MANY);
    for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++) {
        size_t used = 0;
        for (int j = 0; j < facts[i]; j++) /* the first is the last, and each is there twice */
            used += (size_t)snprintf(query + used, sizeof(query) - used, "tenant=t%d&tenant=T%d&",
                                     MANY - 1 - 2 * j, MANY - 1 - 2 * j);
        message = (struct http_message){ .path = SPAN("/x"), .query = span_of(query, used) };
        assert_int_equal(check_request(&l, &peer), MANY - 1 - 2 * (facts[i] - 1));
    }
    rules_index_free(&l.index);
    free_rules(rules, MANY);
    free(rules);
}

static void test_no_rules(void **state)
{
    struct rules_index *index = rules_index_new(NULL, 0);
    (void)state;

    struct condition_request request = { .message = &message, .host = SPAN("a") };

    message = (struct http_message){ .path = SPAN("/") };
    assert_int_equal(rules_index_find(index, &request, count_and_hold), 0);
    rules_index_free(&index);
    assert_null(index);
    rules_index_free(&index);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_agrees_with_a_walk),
        cmocka_unit_test(test_looks_at_few),
        cmocka_unit_test(test_looks_at_few_that_differ_together),
        cmocka_unit_test(test_looks_at_all_when_it_must),
        cmocka_unit_test(test_thousands_agree_with_a_walk),
        cmocka_unit_test(test_thousands_of_facts_agree_with_a_walk),
        cmocka_unit_test(test_more_facts_than_fit_are_a_walk),
        cmocka_unit_test(test_no_rules),
    };

    scratch = regex_scratch_new();
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    regex_scratch_free(&scratch);
    return failed;
}
