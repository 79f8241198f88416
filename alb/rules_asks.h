/*
 * rules_asks.h -- what a value of a rule's condition asks of a request, as far as it can be looked
 * up: how the host ends, how the path begins, and facts.
 *
 * A fact is something that a request has or has not: a field with its value, a query parameter with
 * its value, a value of any parameter, the method, the block of addresses that the peer is in, a
 * field of some name, or a piece, which is a literal somewhere in the host, the path, the query or
 * a field (needs.h).
 *
 *   host-header = *.example.com     the host ends in ".example.com"
 *   path-pattern = /img/?*.png      the path begins with "/img/", and ".png" is in it
 *   http-header = X-Tenant a        the field X-Tenant is "a"
 *   http-header = X-Tenant a* *b    "a" is in the field X-Tenant; or "b" is
 *
 * A value asks for any one of several things, an expression with alternatives for one of each. Of
 * a condition some value fits only if the request has all of something that this value asks for;
 * whether it does fit is for condition_holds() to say.
 */
#ifndef ALB_RULES_ASKS_H
#define ALB_RULES_ASKS_H

#include <stddef.h>

#include "base/span.h"

#include "alb/needs.h"

struct condition;

enum fact_kind {
    FACT_HEADER,
    FACT_QUERY,
    FACT_QUERY_VALUE,
    FACT_SOURCE_IP,
    FACT_METHOD,
    FACT_FIELD,
    FACT_FIELD_PIECE,
    FACT_HOST_PIECE,
    FACT_PATH_PIECE,
    FACT_QUERY_PIECE,
    FACT_KINDS
};

/* All but methods and addresses are compared in any case, as most conditions do. */
struct fact {
    enum fact_kind kind;
    struct span name;  /* of the field, or the query's key; else empty */
    struct span value; /* of a FACT_SOURCE_IP: a struct cidr as bytes */
};

/* All of this. */
struct ask {
    struct span host;   /* all of it, or what it ends in from a '.' on; empty: any */
    struct span prefix; /* of the path */
    struct fact facts[NEED_LITERALS_MAX];
    size_t count;
};

/* One of these. */
struct asks {
    struct ask any_of[NEEDS_MAX];
    size_t count; /* at least 1 */
    char *text;   /* owned: most spans point into it, the others into the condition */
};

/* Of the condition's value of this number. Points into the condition; ends in rules_asks_done(). */
void rules_asks_read(struct asks *out, const struct condition *c, size_t value);
void rules_asks_done(struct asks *asks);

#endif
