/*
 * rules_index_private.h -- what the index is made of, for rules_index.c and rules_find.c.
 *
 *   host: "shop.example.com" or ".example.com" or any
 *     -> a node: its prefixes, sorted: "" "/" "/api/" "/api/v2/" "/ws/"
 *          -> a prefix: the places of the rules whose path begins so
 *               -> and its cells, sorted: a fact, and the places of those that have it in
 *                  their key, which are not among the prefix's own
 *
 * A rule is under each triple of a host, a prefix and a fact that its values give. All
 * prefixes of a path that a node has are on one chain: the last one that is not
 * behind the path in order, and from there always the next shorter.
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

/* Rules in order. */
struct list {
    uint32_t first, count; /* in `places` */
};

struct cell {
    uint32_t fact;
    struct list list;
};

struct prefix {
    struct span text;
    uint32_t shorter;                /* the longest other that this one begins with; NONE */
    struct list list;                /* rules without a key */
    uint32_t first_cell, cell_count; /* in `cells` */
    uint32_t earliest;               /* place in its cells; NONE: it has no cells */
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
    bool has_hosts;     /* nodes of other hosts than any */
};

/* In the order of the bytes: < 0, 0, > 0. */
int rules_index_compare(struct span a, struct span b);

#endif
