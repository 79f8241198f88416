/* regex_syntax.c -- see regex_syntax.h. */
#include "alb/regex_syntax.h"

#include <stdbool.h>

enum { REPEAT_MAX = 1000 /* RE2's */ };

/* Walks over a pattern; each step returns what is wrong, or NULL. */
struct walk {
    struct span rest;
};

static bool next_is(const struct walk *w, const char *text)
{
    return span_starts_with(w->rest, span_text(text));
}

static const char *step_escape(struct walk *w)
{
    if (w->rest.len < 2)
        return "ends in a backslash";
    const char c = w->rest.ptr[1];
    const bool is_word = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    if ((c >= '1' && c <= '9') || c == 'g' || c == 'k')
        return "has a backreference, which the managed balancer does not take";
    if (c == 'p' || c == 'P')
        return "has a Unicode class (\\p), which the managed balancer does not take";
    if (is_word && strchr("dDsSwWbBAzafnrtvx", c) == NULL)
        return "has an escape that the managed balancer does not take";
    w->rest = span_after(w->rest, 2);
    return NULL;
}

/* The length of the "[:alpha:]" or "[:^alpha:]" at the front; 0 when it is none: a '[' in a class
 * is one like any other, and ends where the next ']' is. */
static size_t posix_len(struct span text)
{
    size_t n = span_starts_with(text, SPAN("[:^")) ? 3 : 2;

    if (!span_starts_with(text, SPAN("[:")))
        return 0;
    while (n < text.len && text.ptr[n] >= 'a' && text.ptr[n] <= 'z')
        n++;
    return span_starts_with(span_after(text, n), SPAN(":]")) ? n + 2 : 0;
}

static const char *step_class(struct walk *w)
{
    const char *wrong = NULL;

    w->rest = span_after(w->rest, next_is(w, "[^") ? 2 : 1);
    if (next_is(w, "]"))
        w->rest = span_after(w->rest, 1);
    while (wrong == NULL && w->rest.len > 0 && !next_is(w, "]")) {
        const size_t posix = posix_len(w->rest);
        if (next_is(w, "\\"))
            wrong = step_escape(w);
        else
            w->rest = span_after(w->rest, posix > 0 ? posix : 1);
    }
    w->rest = span_after(w->rest, 1);
    return wrong;
}

static const struct {
    const char *start, *wrong;
} groups[] = {
    { "(?=", "has a lookahead, which the managed balancer does not take" },
    { "(?!", "has a lookahead, which the managed balancer does not take" },
    { "(?<=", "has a lookbehind, which the managed balancer does not take" },
    { "(?<!", "has a lookbehind, which the managed balancer does not take" },
    { "(?>", "has an atomic group, which the managed balancer does not take" },
    { "(?R", "has a recursion, which the managed balancer does not take" },
    { "(?&", "has a recursion, which the managed balancer does not take" },
    { "(?P>", "has a recursion, which the managed balancer does not take" },
    { "(?+", "has a recursion, which the managed balancer does not take" },
    { "(?-1", "has a recursion, which the managed balancer does not take" },
    { "(?P=", "has a backreference, which the managed balancer does not take" },
    { "(?(", "has a conditional group, which the managed balancer does not take" },
    { "(*", "has a verb, which the managed balancer does not take" },
};

/* "(?i)", "(?s-i:": letters of flags, up to ')' or ':'. */
static bool is_flags(struct span text)
{
    size_t n = 0;

    while (n < text.len && strchr("imsU-", text.ptr[n]) != NULL)
        n++;
    return n < text.len && (text.ptr[n] == ')' || text.ptr[n] == ':');
}

static const char *step_group(struct walk *w)
{
    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
        if (next_is(w, groups[i].start))
            return groups[i].wrong;
    }
    if (next_is(w, "(?") && w->rest.len > 2 && w->rest.ptr[2] >= '0' && w->rest.ptr[2] <= '9')
        return "has a recursion, which the managed balancer does not take";
    if (next_is(w, "(?") && !next_is(w, "(?P<") && !next_is(w, "(?<") &&
        !is_flags(span_after(w->rest, 2)))
        return "has a group of a kind that the managed balancer does not take";
    w->rest = span_after(w->rest, next_is(w, "(?") ? 2 : 1);
    return NULL;
}

size_t regex_repeat_len(struct span text, struct regex_repeat *out)
{
    size_t n = 1;
    unsigned number = 0;
    bool has_digit = false, is_first = true;

    *out = (struct regex_repeat){ 0, 0 };
    for (; n < text.len && text.ptr[n] != '}'; n++) {
        if (text.ptr[n] == ',' && has_digit) {
            number = 0;
            is_first = false;
        } else if (text.ptr[n] >= '0' && text.ptr[n] <= '9') {
            has_digit = true;
            number = number > REPEAT_MAX ? number : number * 10 + (unsigned)(text.ptr[n] - '0');
            out->most = number > out->most ? number : out->most;
            out->least = is_first ? number : out->least;
        } else {
            return 0;
        }
    }
    return n < text.len && has_digit ? n + 1 : 0;
}

/* "{,2}" and "{ 2 }" are plain text to some engines and to others, newer ones of PCRE2 among
 * them, a repetition. */
static bool is_odd_repeat(struct span text)
{
    size_t n = 1;

    while (n < text.len && strchr("0123456789, ", text.ptr[n]) != NULL)
        n++;
    return n > 1 && n < text.len && text.ptr[n] == '}';
}

static const char *step_quantifier(struct walk *w, bool *is_one)
{
    struct regex_repeat repeat = { 0, 0 };
    size_t n = strchr("*+?", w->rest.ptr[0]) != NULL ? 1
               : w->rest.ptr[0] == '{'               ? regex_repeat_len(w->rest, &repeat)
                                                     : 0;

    *is_one = n > 0;
    if (n == 0)
        return w->rest.ptr[0] == '{' && is_odd_repeat(w->rest)
                   ? "has a repetition that not all engines take for one; write {0,2}, {2} or {2,}"
                   : NULL;
    if (repeat.most > REPEAT_MAX)
        return "repeats more than 1000 times";
    w->rest = span_after(w->rest, n);
    if (next_is(w, "+"))
        return "has a possessive quantifier, which the managed balancer does not take";
    if (next_is(w, "?"))
        w->rest = span_after(w->rest, 1);
    return NULL;
}

const char *regex_refusal(struct span pattern)
{
    struct walk w = { .rest = pattern };
    const char *wrong = NULL;

    while (wrong == NULL && w.rest.len > 0) {
        bool is_quantifier = false;
        const char c = w.rest.ptr[0];
        if (c < 0x20 || c > 0x7e)
            wrong = "may hold visible ASCII characters only";
        else if (c == '\\')
            wrong = step_escape(&w);
        else if (c == '[')
            wrong = step_class(&w);
        else if (c == '(')
            wrong = step_group(&w);
        else
            wrong = step_quantifier(&w, &is_quantifier);
        if (wrong == NULL && !is_quantifier && c != '\\' && c != '[' && c != '(')
            w.rest = span_after(w.rest, 1);
    }
    return wrong;
}

size_t regex_class_len(struct span text)
{
    struct walk w = { .rest = text };

    step_class(&w);
    return text.len - w.rest.len;
}
