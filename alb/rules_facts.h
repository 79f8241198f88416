/*
 * rules_facts.h -- what rules ask of a request word for word, numbered.
 *
 * A fact is a field with its value, a query parameter with its value, a value of any
 * parameter, the method, or the block of addresses that the peer is in. A rule has a key
 * when one of its conditions asks for nothing but facts (no wildcards, no expressions): it
 * can only fit a request that has one of them. With several such conditions the key is the
 * one whose facts the fewest rules ask for, so that it tells most.
 *
 *   http-header = X-Tenant a b     the key of its rule: two facts
 *   http-request-method = GET      not the key: a thousand other rules ask for it, too
 *
 * Those of a request that no rule has in its key do not count. Immutable once made; points
 * into the rules.
 */
#ifndef ALB_RULES_FACTS_H
#define ALB_RULES_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct condition;
struct condition_request;
struct rule;
struct rules_facts;

#define FACT_NONE UINT32_MAX

struct rules_facts *rules_facts_new(const struct rule *rules, size_t count);
void rules_facts_free(struct rules_facts **facts);

/* The key of the rule in this place, or NULL; and the fact that its value number `i` is. */
const struct condition *rules_facts_key(const struct rules_facts *facts, size_t place);
uint32_t rules_facts_number(const struct rules_facts *facts, const struct condition *key, size_t i);

/* A request may have more than that. Then what is here is not all, and who asks must look at
 * every rule with a key. */
enum { REQUEST_FACTS_MAX = 64 };

struct request_facts {
    uint32_t numbers[REQUEST_FACTS_MAX]; /* of `count`; none twice */
    size_t count;
    bool too_many;
};

/* Takes time in proportion to the request's head, and allocates nothing. */
void rules_facts_of(const struct rules_facts *facts, const struct condition_request *request,
                    struct request_facts *out);

#endif
