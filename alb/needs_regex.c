/*
 * needs_regex.c -- see needs.h: those of a regular expression.
 *
 * Read by recursive descent, as regex_syntax.h lets patterns be. A run of ordinary characters is
 * a literal; whatever else there is ends the run and may mean anything, but for groups, which
 * have needs of their own, and what may be left out ('?', '*', "{0,2}"), which has none. What is
 * not understood for certain has no needs.
 */
#include "alb/needs.h"

#include "alb/regex_syntax.h"

struct reader {
    struct span rest;
    char *text;  /* where the next character of a literal goes */
    bool is_odd; /* something was not as it should be */
};

/* A sequence of items so far: what it needs, and the literal that is being read. */
struct run {
    struct needs needs;
    char *start;
};

static char peek(const struct reader *r)
{
    return r->rest.len == 0 ? '\0' : r->rest.ptr[0];
}

static void skip(struct reader *r, size_t n)
{
    r->rest = span_after(r->rest, n);
}

static void end_literal(struct reader *r, struct run *run)
{
    needs_and_literal(&run->needs, span_of(run->start, (size_t)(r->text - run->start)));
    run->start = r->text;
}

/* --- what comes behind an item ------------------------------------------------------------ */

enum repeat { REPEAT_NO, REPEAT_SOME, REPEAT_MAYBE_NONE };

static size_t repeat_at(const struct reader *r, enum repeat *kind)
{
    struct regex_repeat counts = { 0, 0 };
    const size_t braces = peek(r) == '{' ? regex_repeat_len(r->rest, &counts) : 0;
    const size_t n = braces > 0 ? braces : (peek(r) == '*' || peek(r) == '+' || peek(r) == '?');
    const bool has_least = braces > 0 ? counts.least > 0 : peek(r) == '+';

    *kind = n == 0 ? REPEAT_NO : has_least ? REPEAT_SOME : REPEAT_MAYBE_NONE;
    return n;
}

/* All that are there, "a{2}{3}?" has two; a '?' behind one is its own. */
static enum repeat read_repeats(struct reader *r)
{
    enum repeat all = REPEAT_NO, kind;

    for (size_t n = repeat_at(r, &kind); n > 0; n = repeat_at(r, &kind)) {
        skip(r, n);
        skip(r, peek(r) == '?');
        all = kind > all ? kind : all;
    }
    return all;
}

/* --- items ------------------------------------------------------------------------------ */

static struct needs read_alternatives(struct reader *r);

static void read_character(struct reader *r, struct run *run, char c)
{
    *r->text++ = c;
    const enum repeat repeat = read_repeats(r);
    if (repeat == REPEAT_MAYBE_NONE)
        r->text--;
    if (repeat != REPEAT_NO)
        end_literal(r, run);
}

/* Any one character, or a place between two. */
static void read_anything(struct reader *r, struct run *run, size_t n)
{
    end_literal(r, run);
    skip(r, n);
    read_repeats(r);
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* "\x41" or "\x{41}" */
static size_t hex_len(struct span text)
{
    size_t n = 2;

    if (text.len > n && text.ptr[n] == '{') {
        while (n < text.len && text.ptr[n] != '}')
            n++;
        return n + 1;
    }
    while (n < text.len && n < 4 && is_hex(text.ptr[n]))
        n++;
    return n;
}

static void read_escape(struct reader *r, struct run *run)
{
    const char c = r->rest.len < 2 ? '\0' : r->rest.ptr[1];

    if (c == 'x')
        read_anything(r, run, hex_len(r->rest));
    else if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '\0')
        read_anything(r, run, 2);
    else {
        skip(r, 2);
        read_character(r, run, c);
    }
}

/* What is behind the '(': "?<name>" or "?i:" or nothing. True: and that is all, "?i)". */
static bool read_group_kind(struct reader *r)
{
    if (peek(r) != '?')
        return false;
    const bool is_named =
        span_starts_with(r->rest, SPAN("?<")) || span_starts_with(r->rest, SPAN("?P<"));
    while (r->rest.len > 0 && peek(r) != (is_named ? '>' : ':') && peek(r) != ')')
        skip(r, 1);
    if (peek(r) == ')')
        return true;
    skip(r, 1);
    return false;
}

static void read_group(struct reader *r, struct run *run)
{
    struct needs inner = needs_nothing();

    end_literal(r, run);
    skip(r, 1);
    if (!read_group_kind(r))
        inner = read_alternatives(r);
    r->is_odd = r->is_odd || peek(r) != ')';
    skip(r, 1);
    if (read_repeats(r) != REPEAT_MAYBE_NONE)
        needs_and(&run->needs, &inner);
    run->start = r->text;
}

static void read_item(struct reader *r, struct run *run)
{
    const char c = peek(r);

    if (c == '(')
        read_group(r, run);
    else if (c == '[')
        read_anything(r, run, regex_class_len(r->rest));
    else if (c == '\\')
        read_escape(r, run);
    else if (c == '.' || c == '^' || c == '$')
        read_anything(r, run, 1);
    else {
        skip(r, 1);
        read_character(r, run, c);
    }
}

/* --- all -------------------------------------------------------------------------------- */

static struct needs read_sequence(struct reader *r)
{
    struct run run = { needs_nothing(), r->text };

    while (r->rest.len > 0 && peek(r) != '|' && peek(r) != ')')
        read_item(r, &run);
    end_literal(r, &run);
    return run.needs;
}

static struct needs read_alternatives(struct reader *r)
{
    struct needs all = read_sequence(r);

    while (peek(r) == '|') {
        skip(r, 1);
        const struct needs next = read_sequence(r);
        needs_or(&all, &next);
    }
    return all;
}

void needs_of_regex(struct needs *out, struct span pattern, char *text)
{
    struct reader r = { pattern, text, false };

    *out = read_alternatives(&r);
    if (r.is_odd || r.rest.len > 0)
        *out = needs_nothing();
}
