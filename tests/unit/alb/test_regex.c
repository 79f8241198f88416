/* Regular expressions: what is refused and why, what matches, and that none takes long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/text.h"

#include "alb/regex.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NOT_TAKEN ", which the managed balancer does not take"

enum { LONG = 16384 };

static struct regex_scratch *scratch;

static int set_up(void **state)
{
    (void)state;
    scratch = regex_scratch_new();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    regex_scratch_free(&scratch);
    assert_null(scratch);
    return 0;
}

static void test_refused(void **state)
{
    static const struct {
        const char *pattern, *why;
    } cases[] = {
        { "a(?=b)", "has a lookahead" NOT_TAKEN },
        { "a(?!b)", "has a lookahead" NOT_TAKEN },
        { "(?<=a)b", "has a lookbehind" NOT_TAKEN },
        { "(?<!a)b", "has a lookbehind" NOT_TAKEN },
        { "(a)\\1", "has a backreference" NOT_TAKEN },
        { "(?<n>a)\\k<n>", "has a backreference" NOT_TAKEN },
        { "(?P<n>a)(?P=n)", "has a backreference" NOT_TAKEN },
        { "(a)\\g1", "has a backreference" NOT_TAKEN },
        { "(?>a)", "has an atomic group" NOT_TAKEN },
        { "a++", "has a possessive quantifier" NOT_TAKEN },
        { "a*+", "has a possessive quantifier" NOT_TAKEN },
        { "a?+", "has a possessive quantifier" NOT_TAKEN },
        { "a{1,2}+", "has a possessive quantifier" NOT_TAKEN },
        { "(a(?R)?b)", "has a recursion" NOT_TAKEN },
        { "(a(?1)?b)", "has a recursion" NOT_TAKEN },
        { "(?<n>a)(?&n)", "has a recursion" NOT_TAKEN },
        { "(?P<n>a)(?P>n)", "has a recursion" NOT_TAKEN },
        { "(a)(?(1)b)", "has a conditional group" NOT_TAKEN },
        { "(*FAIL)", "has a verb" NOT_TAKEN },
        { "(?#x)", "has a group of a kind that the managed balancer does not take" },
        { "(?|a|b)", "has a group of a kind that the managed balancer does not take" },
        { "\\p{L}", "has a Unicode class (\\p)" NOT_TAKEN },
        { "[\\PL]", "has a Unicode class (\\p)" NOT_TAKEN },
        { "\\K", "has an escape that the managed balancer does not take" },
        { "\\R", "has an escape that the managed balancer does not take" },
        { "[[:](?=x):]", "has a lookahead" NOT_TAKEN }, /* "[:](?=x):]" is no name of a class */
        { "a{1001}", "repeats more than 1000 times" },
        { "a{,2}", "has a repetition that not all engines take for one; write {0,2}, {2} or {2,}" },
        { "a{ 2}", "has a repetition that not all engines take for one; write {0,2}, {2} or {2,}" },
        { "a\\", "ends in a backslash" },
        { "a\xc3\xa4", "may hold visible ASCII characters only" },
        { "(a", "is no regular expression: *parenthesis* (at character *)" },
        { "[a", "is no regular expression: * (at character *)" },
        { "*a", "is no regular expression: *quantifier* (at character *)" },
    };
    char why[256];
    (void)state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct regex *r = regex_new(span_text(cases[i].pattern), false, why, sizeof(why));
        if (r != NULL)
            fail_msg("%s is not refused", cases[i].pattern);
        if (!text_wildcard(span_text(cases[i].why), span_text(why), false)) /* PCRE2's words */
            fail_msg("%s: got \"%s\", want \"%s\"", cases[i].pattern, why, cases[i].why);
    }
}

static void test_matches(void **state)
{
    static const struct {
        const char *pattern, *text;
        bool nocase, want;
    } cases[] = {
        { "b", "abc", false, true },
        { "^b", "abc", false, false },
        { "B", "abc", true, true },
        { "B", "abc", false, false },
        { "^/a(?:b|c)+$", "/abcbc", false, true },
        { "(?i)ABC", "abc", false, true },
        { "(?i:A)B", "aB", false, true },
        { "[[:digit:]]{2,3}$", "a12", false, true },
        { "[]a]", "]", false, true },
        { "[^\\d+(?=]", "(", false, false }, /* all of it is a class */
        { "\\(\\?=\\)", "(?=)", false, true },
        { "a{b,2}", "a{b,2}", false, true },
        { "^a{}$", "a{}", false, true },
        { "\\.png$", "/x.png", false, true },
        { "\\x41", "A", false, true },
        { "(?P<name>x)y", "xy", false, true },
        { "a+?b", "aab", false, true },
        { "", "", false, true },
        { "^$", "", false, true },
    };
    char why[256];
    (void)state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct regex *r = regex_new(span_text(cases[i].pattern), cases[i].nocase, why, sizeof(why));
        if (r == NULL)
            fail_msg("%s: %s", cases[i].pattern, why);
        if ((regex_search(r, span_text(cases[i].text), scratch) == REGEX_MATCH) != cases[i].want)
            fail_msg("%s on %s", cases[i].pattern, cases[i].text);
        regex_free(&r);
        assert_null(r);
    }
}

static void test_groups(void **state)
{
    char why[256];
    struct regex *r = regex_new(SPAN("^(a)(b)?(c*)"), false, why, sizeof(why));
    const struct span text = SPAN("acc!");
    (void)state;

    assert_int_equal(regex_groups(r), 3);
    assert_int_equal(regex_search(r, text, scratch), REGEX_MATCH);
    assert_true(span_equal(regex_group(scratch, text, 0), SPAN("acc")));
    assert_true(span_equal(regex_group(scratch, text, 1), SPAN("a")));
    assert_int_equal(regex_group(scratch, text, 2).len, 0);
    assert_true(span_equal(regex_group(scratch, text, 3), SPAN("cc")));
    assert_int_equal(regex_group(scratch, text, 9).len, 0);
    assert_int_equal(regex_group(scratch, text, 99).len, 0);
    regex_free(&r);

    /* More groups than a replacement can name. */
    r = regex_new(SPAN("(a)(b)(c)(d)(e)(f)(g)(h)(i)(j)(k)"), false, why, sizeof(why));
    assert_int_equal(regex_search(r, SPAN("abcdefghijk"), scratch), REGEX_MATCH);
    assert_true(span_equal(regex_group(scratch, SPAN("abcdefghijk"), 9), SPAN("i")));
    assert_int_equal(regex_group(scratch, SPAN("abcdefghijk"), 10).len, 0);
    regex_free(&r);
}

/* --- what would take for ever --------------------------------------------------------------- */

static double cpu_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

enum { CELLS = 4096 };

static void step(unsigned char *cells, size_t n)
{
    cells[n % CELLS]++;
}

/* What two million plain steps take here: some 4 ms, or much more under valgrind and sanitizers. A
 * step is a call and memory, as an item of a pattern is: all else is slowed in another measure. */
static double yardstick_ms(void)
{
    static void (*volatile const step_by)(unsigned char *cells, size_t n) = step;
    static double took;

    if (took > 0)
        return took;
    unsigned char *cells = calloc(CELLS, 1);
    const double before = cpu_ms();
    for (size_t n = 0; n < 2 * 1000 * 1000; n++)
        step_by(cells, n);
    took = cpu_ms() - before;
    free(cells);
    return took;
}

/* The milliseconds of the first search with a pattern and a scratch. */
static double first_search_ms(const char *pattern, struct span text, enum regex_result *got)
{
    char why[256];
    struct regex *r = regex_new(span_text(pattern), false, why, sizeof(why));
    struct regex_scratch *fresh = regex_scratch_new();
    const double before = cpu_ms();

    assert_non_null(r);
    *got = regex_search(r, text, fresh);
    const double took = cpu_ms() - before;
    regex_scratch_free(&fresh);
    regex_free(&r);
    return took;
}

/* Without a budget these take from ten times that to the age of the universe. A virtual machine
 * counts as ours what its processor did for others: a search that is slow is so every time. */
static void search_in_time(const char *pattern, struct span text, enum regex_result want)
{
    enum { TRIES = 5 };
    enum regex_result got;
    double took = first_search_ms(pattern, text, &got);

    for (int i = 1; i < TRIES && took > 3 * yardstick_ms(); i++)
        took = first_search_ms(pattern, text, &got);
    if (took > 3 * yardstick_ms() || (want != got && want != REGEX_GAVE_UP))
        fail_msg("%s took %.1f ms, result %d", pattern, took, got);
}

static void test_hostile_patterns_are_bounded(void **state)
{
    static const char *const patterns[] = {
        "(a+)+$",           "^(a+)+$",         "(a|aa)+$",     "(a*)*b$",     "a{0,80}a{0,80}b",
        "([a-z]+/?)+[0-9]", "a+?a+?a+?$",      "(\\w+\\s?)*$", "(aaaa*)*bb$", "(.*)(.*)(.*)(.*)c",
        "[a-b]*[a-c]*$d",   "((a?){20}){20}$", "(x?a?)*y?$",   "a*b$",        "(.*,)*x",
        "((((a*)*)*)*)*!",
    };
    static char same[LONG], last[LONG], slashes[LONG];
    (void)state;

    memset(same, 'a', LONG);
    memset(last, 'a', LONG);
    last[LONG - 1] = '!';
    memset(slashes, '/', LONG);
    for (size_t i = 0; i < COUNT(patterns); i++) {
        search_in_time(patterns[i], span_of(same, LONG), REGEX_GAVE_UP);
        search_in_time(patterns[i], span_of(last, LONG), REGEX_GAVE_UP);
        search_in_time(patterns[i], span_of(slashes, LONG), REGEX_GAVE_UP);
    }
    search_in_time("(a+)+$", span_of(same, LONG), REGEX_MATCH);
}

static void test_giving_up_is_counted_and_warned_of_once(void **state)
{
    static char text[LONG];
    char why[256], log[2048];
    int ends[2];
    struct regex *r = regex_new(SPAN("^(a+)+$"), false, why, sizeof(why));
    (void)state;

    memset(text, 'a', LONG);
    text[LONG - 1] = '!';
    assert_int_equal(pipe(ends), 0);
    log_set_fd(ends[1]);
    regex_scratch_take_exceeded(scratch);
    for (int i = 0; i < 3; i++)
        assert_int_equal(regex_search(r, span_of(text, LONG), scratch), REGEX_GAVE_UP);
    log_set_fd(2);
    assert_int_equal(regex_scratch_take_exceeded(scratch), 3);
    assert_int_equal(regex_scratch_take_exceeded(scratch), 0);
    close(ends[1]);
    const ssize_t n = read(ends[0], log, sizeof(log) - 1);
    assert_true(n > 0);
    log[n] = '\0';
    close(ends[0]);
    assert_non_null(strstr(log, "regex gave up pattern=\"^(a+)+$\" text_bytes=16384"));
    assert_ptr_equal(strchr(log, '\n'), log + n - 1); /* one line */
    regex_free(&r);
}

/* What people write costs little of the budget, on the longest path there is. */
static void test_usual_patterns_do_not_give_up(void **state)
{
    static const char *const patterns[] = {
        "^/api/v[0-9]+/(.*)$",     "^/(.+)/([^/]+)$", "\\.(png|jpe?g)$",
        "^/users/([0-9]+)(/.*)?$", "foo.*bar",
    };
    static char path[LONG];
    char why[256];
    (void)state;

    for (size_t i = 0; i < LONG; i++)
        path[i] = "/api/v2/foo-ba.pn"[i % 17];
    for (size_t i = 0; i < COUNT(patterns); i++) {
        struct regex *r = regex_new(span_text(patterns[i]), false, why, sizeof(why));
        if (regex_search(r, span_of(path, LONG), scratch) == REGEX_GAVE_UP)
            fail_msg("%s gives up", patterns[i]);
        regex_free(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_matches),
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_hostile_patterns_are_bounded),
        cmocka_unit_test(test_giving_up_is_counted_and_warned_of_once),
        cmocka_unit_test(test_usual_patterns_do_not_give_up),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
