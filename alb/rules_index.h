/*
 * rules_index.h -- which rules of a listener can match a request at all.
 *
 * A thousand rules differ in their hosts or in how their paths begin. The index is
 * asked with a host and a path and looks only at rules that can fit both: first by
 * host (exact names and "*.example.com" in a hash), then by the literal start of
 * the path patterns (sorted, each knowing the next shorter one). What a rule asks
 * beyond that, and rules with neither, are for the caller's `fits` to decide. The
 * answer is always that of a walk over all rules in order.
 *
 * Immutable once made; points into the rules.
 */
#ifndef ALB_RULES_INDEX_H
#define ALB_RULES_INDEX_H

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"

struct rule;
struct rules_index;

struct rules_index *rules_index_new(const struct rule *rules, size_t count);
void rules_index_free(struct rules_index **index);

/* Do all conditions of this rule hold? */
typedef bool rules_index_fits(const struct rule *rule, void *user);

/* The first rule that fits: its place, or `count` when there is none. `host` is
 * without a port. */
size_t rules_index_find(const struct rules_index *index, struct span host, struct span path,
                        rules_index_fits *fits, void *user);

#endif
