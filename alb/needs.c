/* needs.c -- see needs.h. */
#include "alb/needs.h"

struct needs needs_nothing(void)
{
    return (struct needs){ .count = 1 };
}

/* --- and, or ---------------------------------------------------------------------------- */

static size_t find_shortest(const struct need *need)
{
    size_t shortest = 0;

    for (size_t i = 1; i < need->count; i++) {
        if (need->literals[i].len < need->literals[shortest].len)
            shortest = i;
    }
    return shortest;
}

static void add_literal(struct need *need, struct span literal)
{
    if (need->count < NEED_LITERALS_MAX) {
        need->literals[need->count++] = literal;
        return;
    }
    const size_t shortest = find_shortest(need);
    if (need->literals[shortest].len < literal.len)
        need->literals[shortest] = literal;
}

void needs_and_literal(struct needs *of, struct span literal)
{
    for (size_t i = 0; literal.len > 0 && i < of->count; i++)
        add_literal(&of->any_of[i], literal);
}

static size_t length_of(const struct need *need)
{
    size_t sum = 0;

    for (size_t i = 0; i < need->count; i++)
        sum += need->literals[i].len;
    return sum;
}

/* How much the weakest of them tells. */
static size_t strength(const struct needs *needs)
{
    size_t least = length_of(&needs->any_of[0]);

    for (size_t i = 1; i < needs->count; i++) {
        const size_t length = length_of(&needs->any_of[i]);
        least = length < least ? length : least;
    }
    return least;
}

static struct need both(const struct need *a, const struct need *b)
{
    struct need sum = *a;

    for (size_t i = 0; i < b->count; i++)
        add_literal(&sum, b->literals[i]);
    return sum;
}

void needs_and(struct needs *of, const struct needs *other)
{
    struct needs sum = { .count = 0 };

    if (of->count * other->count > NEEDS_MAX) {
        if (strength(other) > strength(of))
            *of = *other;
        return;
    }
    for (size_t i = 0; i < of->count; i++) {
        for (size_t j = 0; j < other->count; j++)
            sum.any_of[sum.count++] = both(&of->any_of[i], &other->any_of[j]);
    }
    *of = sum;
}

void needs_or(struct needs *of, const struct needs *other)
{
    if (of->count + other->count > NEEDS_MAX) {
        *of = needs_nothing();
        return;
    }
    for (size_t i = 0; i < other->count; i++)
        of->any_of[of->count++] = other->any_of[i];
}

/* --- wildcards -------------------------------------------------------------------------- */

static bool is_escaped(struct span pattern, bool escapes)
{
    return escapes && pattern.len > 1 && pattern.ptr[0] == '\\' &&
           (pattern.ptr[1] == '*' || pattern.ptr[1] == '?');
}

void needs_of_wildcard(struct needs *out, struct span pattern, bool escapes, char *text)
{
    char *start = text;

    *out = needs_nothing();
    while (pattern.len > 0) {
        const bool escaped = is_escaped(pattern, escapes);
        const char c = pattern.ptr[escaped];
        pattern = span_after(pattern, escaped ? 2 : 1);
        if (escaped || (c != '*' && c != '?')) {
            *text++ = c;
            continue;
        }
        needs_and_literal(out, span_of(start, (size_t)(text - start)));
        start = text;
    }
    needs_and_literal(out, span_of(start, (size_t)(text - start)));
}
