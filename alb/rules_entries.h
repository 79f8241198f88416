/*
 * rules_entries.h -- the rules of a listener as entries of its index: one for each combination of
 * what the values of a rule's conditions ask for (rules_asks.h), sorted.
 *
 *   host-header = a.test b.test, http-header = X-A 1, path-pattern = /x
 *     -> a.test  /x  { X-A is 1 }
 *     -> b.test  /x  { X-A is 1 }
 */
#ifndef ALB_RULES_ENTRIES_H
#define ALB_RULES_ENTRIES_H

#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

struct rule;
struct rules_facts;

enum {
    ENTRY_FACTS_MAX = 8,   /* of more, those with the lowest numbers */
    RULE_ENTRIES_MAX = 64, /* a condition with which a rule would have more is left out */
};

struct entry {
    struct span host, prefix;        /* empty: any */
    uint32_t facts[ENTRY_FACTS_MAX]; /* in order */
    uint32_t fact_count;
    uint32_t place; /* of its rule */
};

struct entries {
    struct entry *items; /* owned: free() it. By host, prefix, facts, place */
    size_t count;
};

/* Points into the rules. `facts` has learned all that they ask for. */
void rules_entries_make(struct entries *out, const struct rules_facts *facts,
                        const struct rule *rules, size_t count);

/* Takes from each its facts from the one at `from` on that are pieces, and puts the entries in
 * order again. Those in front of it they have in common, as they have their host and prefix. */
void rules_entries_leave_out_pieces(struct entry *entries, size_t count, size_t from,
                                    const struct rules_facts *facts);

#endif
