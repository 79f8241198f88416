/*
 * rules_index.h -- which rules of a listener can match a request at all.
 *
 * A thousand rules differ in their hosts, in how their paths begin, or in what they ask
 * for besides. The index is asked with a request and looks only at rules that can
 * fit all three: first by host (exact names and "*.example.com" in a hash), then by the
 * literal start of the path patterns (sorted, each knowing the next shorter one), then by
 * facts (rules_asks.h: X-Tenant is "a"; ".png" is in the path), as many as it takes until few
 * rules are left. What a rule asks beyond that, and rules with none of them, are for the caller's
 * `fits` to decide. The answer is always that of a walk over all rules in order.
 *
 * A request's facts are looked at only where rules are told apart by them; nothing is allocated
 * for a request. Immutable once made; points into the rules.
 */
#ifndef ALB_RULES_INDEX_H
#define ALB_RULES_INDEX_H

#include <stdbool.h>
#include <stddef.h>

struct condition_request;
struct rule;
struct rules_index;

struct rules_index *rules_index_new(const struct rule *rules, size_t count);
void rules_index_free(struct rules_index **index);

/* Do all conditions of this rule hold? */
typedef bool rules_index_fits(const struct rule *rule, struct condition_request *request);

/* The first rule that fits: its place, or `count` when there is none. */
size_t rules_index_find(const struct rules_index *index, struct condition_request *request,
                        rules_index_fits *fits);

#endif
