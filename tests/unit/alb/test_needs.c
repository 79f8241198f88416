/* What a text must contain to fit a pattern: row by row, and never more than all that fit have
 * (tests/fuzz/fuzz_alb_needs.c asks that of any pattern). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "alb/needs.h"
#include "alb/regex.h"

/* As "a&b|c": a and b, or c. "" is nothing. */
static const char *as_text(const struct needs *needs)
{
    static char text[1024];
    size_t n = 0;

    text[0] = '\0';
    for (size_t i = 0; i < needs->count; i++) {
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%s", i > 0 ? "|" : "");
        for (size_t j = 0; j < needs->any_of[i].count; j++)
            n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%.*s", j > 0 ? "&" : "",
                                  SPAN_ARGS(needs->any_of[i].literals[j]));
    }
    return text;
}

static const struct {
    const char *pattern;
    bool escapes;
    const char *needs;
} wildcards[] = {
    { "*.png", false, ".png" },
    { "/img/*.png", false, "/img/&.png" },
    { "a?b", false, "a&b" },
    { "abc", false, "abc" },
    { "*", false, "" },
    { "", false, "" },
    { "**??", false, "" },
    { "a\\*b", false, "a\\&b" },
    { "a\\*b", true, "a*b" },
    { "\\?*\\\\*", true, "?&\\*" },
    { "a\\b*\\", true, "a\\b&\\" },
    { "a*bb*ccc*dddd*eeeee*ffffff*ggggggg", false, "ggggggg&bb&ccc&dddd&eeeee&ffffff" },
};

static void test_wildcards(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(wildcards) / sizeof(wildcards[0]); i++) {
        const struct span pattern = span_text(wildcards[i].pattern);
        struct needs needs;
        char text[64];
        needs_of_wildcard(&needs, pattern, wildcards[i].escapes, text);
        if (strcmp(as_text(&needs), wildcards[i].needs) != 0)
            fail_msg("%s: %s", wildcards[i].pattern, as_text(&needs));
    }
}

static const struct {
    const char *pattern, *needs;
} expressions[] = {
    { "abc", "abc" },
    { "^/a/b$", "/a/b" },
    { "^/api/v[0-9]+/cart$", "/api/v&/cart" },
    { "a.b", "a&b" },
    { "\\.png$", ".png" },
    { "a\\/b", "a/b" },
    { "a\\db", "a&b" },
    { "a\\bb", "a&b" },
    { "a\\x41b", "a&b" },
    { "a\\x4gb", "a&gb" },
    { "a\\x{41}b", "a&b" },
    { "a\\nb", "a&b" },
    /* what may be left out */
    { "ab?c", "a&c" },
    { "ab*c", "a&c" },
    { "ab+c", "ab&c" },
    { "ab+?c", "ab&c" },
    { "ab??c", "a&c" },
    { "ab{2}c", "ab&c" },
    { "ab{0,2}c", "a&c" },
    { "ab{x}c", "ab{x}c" },
    { "\\.?x", "x" },
    { "a*", "" },
    { ".*", "" },
    { "", "" },
    /* groups */
    { "a(b)c", "a&b&c" },
    { "a(bc)+d", "a&bc&d" },
    { "a(bc)?d", "a&d" },
    { "a(bc){0,1}d", "a&d" },
    { "(?:ab)c", "ab&c" },
    { "(?<n>ab)c", "ab&c" },
    { "(?P<n>ab)c", "ab&c" },
    { "(?i)Ab", "Ab" },
    { "(?i:Ab)c", "Ab&c" },
    { "a(?i)b", "a&b" },
    { "((a)(b))?c", "c" },
    /* alternatives */
    { "ab|cd", "ab|cd" },
    { "^/(blue|green)/x", "/&blue&/x|/&green&/x" },
    { "(a|b)(c|d)", "a&c|a&d|b&c|b&d" },
    { "(a|)b", "a&b|b" },
    { "a|", "a|" },
    { "(a|b)?c", "c" },
    { "(a|b|c)(d|e|f)", "a|b|c" },
    { "(a|b|c)(dd|ee|ff)", "dd|ee|ff" },
    { "(a|b|c|d|e|f|g|h|i)x", "x" },
    { "(a|b|c|d|e|f|g|h)x", "a&x|b&x|c&x|d&x|e&x|f&x|g&x|h&x" },
    /* classes */
    { "a[b]c", "a&c" },
    { "a[]b]c", "a&c" },
    { "a[^]b]c", "a&c" },
    { "a[(b]c", "a&c" },
    { "a[\\]b]c", "a&c" },
    { "a[[:digit:]b]c", "a&c" },
    { "a[[:]c", "a&c" },
    { "a[[:](b:]]c)?", "a" },
    { "a[bc]?d", "a&d" },
};

static void check_regex(const char *pattern, const char *want)
{
    char why[128], text[64];
    struct regex *regex = regex_new(span_text(pattern), false, why, sizeof(why));
    struct needs needs;

    if (regex == NULL)
        fail_msg("%s %s", pattern, why);
    needs_of_regex(&needs, span_text(pattern), text);
    if (strcmp(as_text(&needs), want) != 0)
        fail_msg("%s: %s", pattern, as_text(&needs));
    regex_free(&regex);
}

static void test_expressions(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(expressions) / sizeof(expressions[0]); i++)
        check_regex(expressions[i].pattern, expressions[i].needs);
}

/* Not seen by who reads patterns before; nothing is known of them. */
static void test_what_is_odd_needs_nothing(void **state)
{
    static const char *const odd[] = { "(abc", "abc)", "a(b", "(?i", "(?<n", "abc)d|e" };
    (void)state;

    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        char text[64];
        struct needs needs;
        needs_of_regex(&needs, span_text(odd[i]), text);
        if (needs.count != 1 || needs.any_of[0].count != 0)
            fail_msg("%s: %s", odd[i], as_text(&needs));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wildcards),
        cmocka_unit_test(test_expressions),
        cmocka_unit_test(test_what_is_odd_needs_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
