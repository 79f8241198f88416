/* Cookie fields as browsers, libraries and curl write them, and worse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/mem.h"
#include "stickiness/cookie.h"

/* What was read, as "name=value|name=value". */
static const char *read_all(struct span field)
{
    static char out[512];
    struct cookie cookie;
    size_t n = 0;

    out[0] = '\0';
    while (cookie_next(&field, &cookie))
        n += (size_t)snprintf(out + n, sizeof(out) - n, "%s%.*s=%.*s", n == 0 ? "" : "|",
                              SPAN_ARGS(cookie.name), SPAN_ARGS(cookie.value));
    return out;
}

static const struct {
    const char *name, *field, *want;
} cases[] = {
    { "one", "a=1", "a=1" },
    { "two", "a=1; b=2", "a=1|b=2" },
    { "no blank behind the semicolon", "a=1;b=2", "a=1|b=2" },
    { "more blanks than needed", " a = 1 ;\t b\t=\t2\t", "a=1|b=2" },
    { "empty pieces", ";; a=1; ;b=2;;", "a=1|b=2" },
    { "empty field", "", "" },
    { "blanks only", " \t ", "" },
    { "semicolons only", ";;;", "" },
    { "the same name twice, in their order", "a=1; a=2", "a=1|a=2" },
    { "quotes around a value", "a=\"1\"; b=2", "a=1|b=2" },
    { "one pair of quotes only", "a=\"\"1\"\"", "a=\"1\"" },
    { "a lone quote", "a=\"; b=\"1; c=1\"", "a=\"|b=\"1|c=1\"" },
    { "empty quotes", "a=\"\"", "a=" },
    { "a semicolon inside quotes ends it", "a=\"1;b=2\"", "a=\"1|b=2\"" },
    { "equals signs in a value", "a=b=c==; d=1", "a=b=c==|d=1" },
    { "empty value", "a=; b=", "a=|b=" },
    { "no name", "=1; b=2", "b=2" },
    { "no name, no equals sign", "token; b=2", "b=2" },
    { "RFC 2965 attributes", "$Version=1; a=1; $Path=\"/\"", "$Version=1|a=1|$Path=/" },
    { "JSON in a value", "a={\"x\":1,\"y\":[2]}; b=2", "a={\"x\":1,\"y\":[2]}|b=2" },
    { "UTF-8 in a value", "a=\xc3\xa4; b=2", "a=\xc3\xa4|b=2" },
    { "case is kept", "A=1; a=2", "A=1|a=2" },
};

static void test_fields(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *got = read_all(span_text(cases[i].field));
        if (strcmp(got, cases[i].want) != 0)
            fail_msg("%s: \"%s\"", cases[i].name, got);
    }
}

/* A complete cookie in front is read the same, whatever is cut off behind it. */
static void test_what_follows_changes_nothing_before(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (size_t n = 0; n <= strlen(cases[i].field); n++) {
            char field[256];
            snprintf(field, sizeof(field), "first=1;%.*s", (int)n, cases[i].field);
            assert_true(span_starts_with(span_text(read_all(span_text(field))), SPAN("first=1")));
        }
    }
}

static void test_sixteen_kilobytes(void **state)
{
    enum { COUNT = 2048 };
    char *field = mem_zero(COUNT * 8 + 1);
    struct cookie cookie;
    size_t found = 0;
    (void)state;

    for (size_t i = 0; i < COUNT; i++)
        snprintf(field + 8 * i, 9, "a=%04zx; ", i);
    struct span rest = span_text(field);
    while (cookie_next(&rest, &cookie)) {
        char want[5];
        snprintf(want, sizeof(want), "%04zx", found);
        assert_true(span_equal(cookie.value, span_text(want)));
        found++;
    }
    assert_int_equal(found, COUNT);
    free(field);
}

static void test_bytes_that_are_no_text(void **state)
{
    struct span rest = SPAN("a\0b=\0\xff;=;\0");
    struct cookie cookie;
    (void)state;

    assert_true(cookie_next(&rest, &cookie));
    assert_true(span_equal(cookie.name, SPAN("a\0b")));
    assert_true(span_equal(cookie.value, SPAN("\0\xff")));
    assert_false(cookie_next(&rest, &cookie));
    assert_false(cookie_next(&rest, &cookie));
}

/* --- several fields, and Set-Cookie -------------------------------------------------- */

static void test_several_fields(void **state)
{
    const struct span fields[] = { SPAN("a=1; b=2"), SPAN(""),  SPAN(";;"),  SPAN("c=3"),
                                   { NULL, 0 },      SPAN("x"), SPAN("d=4;") };
    static const char want[] = "abcd";
    struct cookie_walk walk = { .fields = { fields, sizeof(fields) / sizeof(fields[0]) } };
    struct cookie cookie;
    size_t n = 0;
    (void)state;

    for (; cookie_walk_next(&walk, &cookie); n++) {
        assert_true(n < 4 && cookie.name.ptr[0] == want[n]);
        assert_int_equal(cookie.value.ptr[0], '1' + (int)n);
    }
    assert_int_equal(n, 4);
    assert_false(cookie_walk_next(&walk, &cookie));
    struct cookie_walk none = { .fields = { NULL, 0 } };
    assert_false(cookie_walk_next(&none, &cookie));
}

static const struct {
    const char *field, *name, *value; /* NULL: it sets none */
} set_cookies[] = {
    { "a=1", "a", "1" },
    { "a=1; Path=/; Secure", "a", "1" },
    { " a = 1 ;Path=/", "a", "1" },
    { "a=\"1\"; Path=/", "a", "1" },
    { "a=b=c", "a", "b=c" },
    { "a=; Max-Age=0", "a", "" },
    { "a=1,b=2", "a", "1,b=2" },
    { "a", NULL, NULL },
    { "=1; b=2", NULL, NULL },
    { "; a=1", NULL, NULL },
    { "", NULL, NULL },
};

static void test_set_cookie(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(set_cookies) / sizeof(set_cookies[0]); i++) {
        struct cookie cookie;
        const bool sets = cookie_of_set_cookie(span_text(set_cookies[i].field), &cookie);
        if (sets != (set_cookies[i].name != NULL) ||
            (sets && (!span_equal(cookie.name, span_text(set_cookies[i].name)) ||
                      !span_equal(cookie.value, span_text(set_cookies[i].value)))))
            fail_msg("%s", set_cookies[i].field);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_what_follows_changes_nothing_before),
        cmocka_unit_test(test_sixteen_kilobytes),
        cmocka_unit_test(test_bytes_that_are_no_text),
        cmocka_unit_test(test_several_fields),
        cmocka_unit_test(test_set_cookie),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
