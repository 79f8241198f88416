/* rules_facts_private.h -- the facts, for rules_facts.c, which learns them, and
 * rules_facts_find.c, which finds them in a request. */
#ifndef ALB_RULES_FACTS_PRIVATE_H
#define ALB_RULES_FACTS_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ip.h"
#include "base/literals.h"
#include "base/slots.h"
#include "base/span.h"

#include "alb/rules_asks.h"
#include "alb/rules_facts.h"

/* Which text a literal is looked for in: one of these, or one for each field's name. */
enum { PIECES_OF_HOST, PIECES_OF_PATH, PIECES_OF_QUERY, PIECES_OF_FIELDS };
#define PIECES_OF_NOTHING UINT32_MAX

struct known {
    struct fact fact;
    char *text; /* owned; what the spans of `fact` point into */
    uint64_t hash;
    uint32_t asks;  /* how often it is asked for: by each alternative of each value */
    uint32_t group; /* of a FACT_FIELD: of the literals that are looked for in it */
    bool is_used;
};

struct rules_facts {
    struct known *known;
    size_t count, room;
    struct slots slots; /* of `known` */
    struct cidr *masks; /* one for each length of blocks in use; the addresses are 0 */
    size_t mask_count;
    struct literals *pieces; /* NULL: none is in use */
    /* Bit n: a fact of this kind is looked for that has a name, or a value, of n bytes modulo 64.
     * Most of what a request has is told by it to be none. */
    uint64_t name_lengths[FACT_KINDS], value_lengths[FACT_KINDS];
    bool has_pieces[PIECES_OF_FIELDS];
};

static inline uint64_t facts_length_bit(struct span text)
{
    return UINT64_C(1) << text.len % 64;
}

#endif
