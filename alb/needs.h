/*
 * needs.h -- what a text must contain to fit a pattern of a rule.
 *
 * Literals, in any case: of the wildcards "*.png" it is ".png", of the expression
 * "^/(blue|green)/[0-9]+/cart$" it is "/cart" and "blue", or "/cart" and "green". What a text
 * needs can be looked up for thousands of patterns at once (base/literals.h); whether it fits is
 * then asked of the few that are left. So less than all may be known of a pattern, down to nothing
 * at all, but never more than what each text that fits has.
 */
#ifndef ALB_NEEDS_H
#define ALB_NEEDS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"

enum { NEEDS_MAX = 8, NEED_LITERALS_MAX = 6 };

/* All of these. */
struct need {
    struct span literals[NEED_LITERALS_MAX]; /* none is empty */
    size_t count;
};

/* One of these. A need without literals: nothing is known. */
struct needs {
    struct need any_of[NEEDS_MAX];
    size_t count; /* at least 1 */
};

/* The literals point into `text`, which has room for as many bytes as the pattern has, and not into
 * the pattern. With `escapes`, "\*" and "\?" are the characters. An expression is one that
 * regex_new() took (regex.h). */
void needs_of_wildcard(struct needs *out, struct span pattern, bool escapes, char *text);
void needs_of_regex(struct needs *out, struct span pattern, char *text);

/* --- what they are put together from ---------------------------------------------------- */

struct needs needs_nothing(void);
/* Both hold. Of literals that are too many, the shortest are left out; when there are too many
 * alternatives, all those of one of both are, of that with the shorter literals. */
void needs_and(struct needs *of, const struct needs *other);
void needs_and_literal(struct needs *of, struct span literal); /* an empty one changes nothing */
/* One of both holds. When there are too many alternatives, nothing is known. */
void needs_or(struct needs *of, const struct needs *other);

#endif
