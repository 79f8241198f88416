/* What a condition's value asks for, as far as it can be looked up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/ip.h"

#include "alb/conditions.h"
#include "alb/regex.h"
#include "alb/rules_asks.h"

static const char *const names[FACT_KINDS] = {
    [FACT_HEADER] = "header",           [FACT_QUERY] = "query",
    [FACT_QUERY_VALUE] = "value",       [FACT_SOURCE_IP] = "block",
    [FACT_METHOD] = "method",           [FACT_FIELD] = "field",
    [FACT_FIELD_PIECE] = "field piece", [FACT_HOST_PIECE] = "host piece",
    [FACT_PATH_PIECE] = "path piece",   [FACT_QUERY_PIECE] = "query piece",
};

struct out {
    char text[1024];
    size_t n;
};

__attribute__((format(printf, 2, 3))) static void put(struct out *out, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    out->n += (size_t)vsnprintf(out->text + out->n, sizeof(out->text) - out->n, format, args);
    va_end(args);
}

static void put_ask(struct out *out, const struct ask *ask)
{
    if (ask->host.len > 0)
        put(out, "[host %.*s]", SPAN_ARGS(ask->host));
    if (ask->prefix.len > 0)
        put(out, "[path %.*s]", SPAN_ARGS(ask->prefix));
    for (size_t i = 0; i < ask->count; i++) {
        const struct fact *f = &ask->facts[i];
        put(out, "[%s %.*s=%.*s]", names[f->kind], SPAN_ARGS(f->name),
            f->kind == FACT_SOURCE_IP ? 1 : (int)f->value.len,
            f->kind == FACT_SOURCE_IP ? "#" : f->value.ptr);
    }
}

static const struct row {
    enum condition_kind kind;
    const char *name, *text; /* name: of a field, or the query's key */
    const char *asks;
} rows[] = {
    { CONDITION_HOST, NULL, "a.test", "[host a.test]" },
    { CONDITION_HOST, NULL, "*.a.test", "[host .a.test]" },
    { CONDITION_HOST, NULL, "*a.test", "[host piece =a.test]" },
    { CONDITION_HOST, NULL, "*.a?test", "[host piece =.a][host piece =test]" },
    { CONDITION_HOST, NULL, "eu-*.a.test", "[host piece =eu-][host piece =.a.test]" },
    { CONDITION_HOST, NULL, "*", "" },
    { CONDITION_PATH, NULL, "/a", "[path /a]" },
    { CONDITION_PATH, NULL, "/a/*", "[path /a/]" },
    { CONDITION_PATH, NULL, "/a/*.png", "[path /a/][path piece =.png]" },
    { CONDITION_PATH, NULL, "*.png", "[path piece =.png]" },
    { CONDITION_PATH, NULL, "*", "" },
    { CONDITION_METHOD, NULL, "PURGE", "[method =PURGE]" },
    { CONDITION_SOURCE_IP, NULL, "10.0.0.0/8", "[block =#]" },
    { CONDITION_HEADER, "X-A", "b", "[header X-A=b]" },
    { CONDITION_HEADER, "X-A", "", "[header X-A=]" },
    { CONDITION_HEADER, "X-A", "b*", "[field piece X-A=b]" },
    { CONDITION_HEADER, "X-A", "\\*", "[field piece X-A=\\]" },
    { CONDITION_HEADER, "X-A", "*", "[field X-A=]" },
    { CONDITION_HEADER, "X-A", "?", "[field X-A=]" },
    { CONDITION_QUERY, "a", "b", "[query a=b]" },
    { CONDITION_QUERY, "", "b", "[query =b]" },
    { CONDITION_QUERY, "\\?", "x\\*", "[query ?=x*]" },
    { CONDITION_QUERY, NULL, "b", "[value =b]" },
    { CONDITION_QUERY, "a", "b*", "[query piece =a=b]" },
    { CONDITION_QUERY, "a*", "b", "[query piece =a][query piece ==b]" },
    { CONDITION_QUERY, "a", "?", "[query piece =a=]" },
    { CONDITION_QUERY, "a", "*", "[query piece =a]" }, /* "a" alone has it */
    { CONDITION_QUERY, "*", "**", "" },
    { CONDITION_QUERY, NULL, "*", "" },
    { CONDITION_QUERY, NULL, "*b\\**", "[query piece =b*]" },
};

static void check(const struct row *row, bool is_regex)
{
    struct condition_value v = { .text = (char *)row->text };
    struct condition c = { .kind = row->kind, .setting = "test", .values = &v, .count = 1 };
    struct asks asks;
    struct out out = { "", 0 };
    char why[128];

    if (row->kind == CONDITION_HEADER)
        c.name = (char *)row->name;
    if (row->kind == CONDITION_QUERY)
        v.key = (char *)row->name;
    if (row->kind == CONDITION_SOURCE_IP)
        assert_true(cidr_parse(span_text(row->text), &v.block, why, sizeof(why)));
    if (is_regex)
        v.regex = regex_new(span_text(row->text), true, why, sizeof(why));
    assert_int_equal(is_regex, v.regex != NULL);
    rules_asks_read(&asks, &c, 0);
    for (size_t i = 0; i < asks.count; i++) {
        put(&out, i > 0 ? " or " : "");
        put_ask(&out, &asks.any_of[i]);
    }
    if (strcmp(out.text, row->asks) != 0)
        fail_msg("%s: %s", row->text, out.text);
    rules_asks_done(&asks);
    regex_free(&v.regex);
}

static void check_all(const struct row *all, size_t count, bool are_regexes)
{
    for (size_t i = 0; i < count; i++)
        check(&all[i], are_regexes);
}

static void test_rows(void **state)
{
    (void)state;
    check_all(rows, sizeof(rows) / sizeof(rows[0]), false);
}

static void test_expressions(void **state)
{
    static const struct row expressions[] = {
        { CONDITION_HOST, NULL, "^a\\.test$", "[host piece =a.test]" },
        { CONDITION_HOST, NULL, "atest", "[host piece =atest]" },
        { CONDITION_PATH, NULL, "^/a/", "[path piece =/a/]" },
        { CONDITION_PATH, NULL, "/a/", "[path piece =/a/]" },
        { CONDITION_PATH, NULL, "a|b", "[path piece =a] or [path piece =b]" },
        { CONDITION_HEADER, "X-A", "ab", "[field piece X-A=ab]" },
        { CONDITION_HEADER, "X-A", "ab|", "[field piece X-A=ab] or [field X-A=]" },
        { CONDITION_HEADER, "X-A", "[a-z]", "[field X-A=]" },
    };
    (void)state;

    check_all(expressions, sizeof(expressions) / sizeof(expressions[0]), true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_expressions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
