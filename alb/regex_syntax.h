/*
 * regex_syntax.h -- the regular expressions that the managed balancer takes, as they are written.
 *
 * Its engine is of RE2's kind: what PCRE2 has beyond that is refused here, before PCRE2 sees it, so
 * who reads a pattern otherwise (needs_regex.c) need not know of it either.
 */
#ifndef ALB_REGEX_SYNTAX_H
#define ALB_REGEX_SYNTAX_H

#include <stddef.h>

#include "base/span.h"

/* What it has that is not taken, as a sentence behind the pattern: "has a lookahead, which ...".
 * NULL: nothing; it may still be no regular expression. */
const char *regex_refusal(struct span pattern);

struct regex_repeat {
    unsigned least, most; /* of "{2,5}"; of "{2,}" both are 2 */
};

/* The length of the "{2}", "{2,}" or "{2,5}" at the front of this; 0: it is none. */
size_t regex_repeat_len(struct span text, struct regex_repeat *out);

/* The length of the "[a-z]" at the front of this, of which regex_refusal() says NULL. */
size_t regex_class_len(struct span text);

#endif
