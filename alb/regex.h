/*
 * regex.h -- regular expressions that cannot stall a loop: PCRE2 under a budget.
 *
 * The managed balancer's engine takes time in proportion to the text, and has no
 * lookaround, backreferences, atomic groups, possessive quantifiers, recursion or
 * Unicode classes. PCRE2 has them and goes back over its text; so what the
 * managed one does not take is refused when a pattern is read, and each search has a
 * budget of steps that depends on nothing but pattern and text. A search that
 * uses it up has not matched: it is counted, and warned of once for each pattern.
 *
 * A struct regex is immutable and shared by all threads. What a search writes to is
 * in a struct regex_scratch, one a thread. Never compiled by JIT: its code keeps no
 * such count.
 */
#ifndef ALB_REGEX_H
#define ALB_REGEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

struct regex;
struct regex_scratch;

enum {
    REGEX_BUDGET = 32768, /* steps of one search: a millisecond or less */
    REGEX_GROUPS_MAX = 9, /* that a replacement can name: $1 to $9 */
};

/* NULL with a sentence in `why` that begins behind the pattern's quotes: "has a lookahead, ...". */
struct regex *regex_new(struct span pattern, bool nocase, char *why, size_t why_size);
void regex_free(struct regex **regex);

/* How many groups it captures. */
uint32_t regex_groups(const struct regex *regex);

struct regex_scratch *regex_scratch_new(void);
void regex_scratch_free(struct regex_scratch **scratch);

enum regex_result {
    REGEX_NO_MATCH,
    REGEX_MATCH,
    REGEX_GAVE_UP, /* the budget is used up; counted and warned of */
};

/* Does it match anywhere in the text? */
enum regex_result regex_search(const struct regex *regex, struct span text,
                               struct regex_scratch *scratch);

/* What the last search used of its budget. */
uint32_t regex_steps(const struct regex_scratch *scratch);

/* After a search that matched: what group `n` matched, 0 for all of it. Points into
 * the text; a group that took no part is empty. */
struct span regex_group(const struct regex_scratch *scratch, struct span text, uint32_t n);

/* How many searches used up their budget since this was last asked. */
uint64_t regex_scratch_take_exceeded(struct regex_scratch *scratch);

#endif
