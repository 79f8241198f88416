/*
 * rules_index_private.h -- what the index is made of, for rules_index.c and rules_find.c.
 *
 *   host: "shop.example.com" or ".example.com" or any
 *     -> a node: its prefixes, sorted: "" "/" "/api/" "/api/v2/" "/ws/"
 *          -> a prefix: its cell
 *               -> a cell: the places of rules that ask for nothing more, or are few
 *                    -> by a fact: a cell of those that ask for this one, too
 *
 * A rule is under each combination of a host, a prefix and facts that its conditions' values give.
 * All prefixes of a path that a node has are on one chain: the last one that is not
 * behind the path in order, and from there always the next shorter. Facts lead from cell to cell
 * in the order of their numbers, so a request goes on from each with its later ones only.
 */
#ifndef ALB_RULES_INDEX_PRIVATE_H
#define ALB_RULES_INDEX_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slots.h"
#include "base/span.h"

struct rule;
struct rules_facts;

#define NONE UINT32_MAX /* no place in an array */

/* Rules in order, none twice. */
struct list {
    uint32_t first, count; /* in `places` */
};

struct cell {
    uint32_t parent, fact; /* how it is come to; both NONE: by a prefix */
    struct list list;
    uint32_t earliest; /* place in the cells behind it; NONE: there are none */
};

struct prefix {
    struct span text;
    uint32_t shorter; /* the longest other that this one begins with; NONE */
    uint32_t cell;
    struct list all; /* of its cell and those behind */
};

struct node {
    struct span host;      /* "" is any */
    uint32_t first, count; /* in `prefixes` */
};

struct rules_index {
    const struct rule *rules;
    size_t rule_count;
    struct node *nodes;
    struct prefix *prefixes;
    struct cell *cells;
    uint32_t *places;
    size_t node_count, prefix_count, cell_count, place_count;
    struct rules_facts *facts;
    struct slots hosts; /* of `nodes` */
    struct slots steps; /* of `cells` that a fact leads to, by parent and fact */
    bool has_hosts;     /* nodes of other hosts than any */
};

/* In the order of the bytes: < 0, 0, > 0. */
int rules_index_compare(struct span a, struct span b);
int rules_index_compare_hosts(struct span a, struct span b); /* in any case */

static inline uint64_t rules_index_hash_step(uint32_t parent, uint32_t fact)
{
    return ((uint64_t)parent << 32 | fact) * UINT64_C(0x9e3779b97f4a7c15) >> 20;
}

#endif
