/*
 * balance.h -- choosing a target: the cookie's first, then the next in turn, by
 * the targets' weights.
 */
#ifndef ALB_BALANCE_H
#define ALB_BALANCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/seal.h"

struct group;
struct http_message;
struct target;

struct choice {
    struct target *target; /* NULL: the group has none at all */
    bool by_cookie;
};

/* A healthy target; when no target of the group is, any of them (fail open).
 * The reference stays the snapshot's: take one before the turn ends. */
struct choice balance_choose(struct group *group, const struct seal_ring *ring,
                             const struct http_message *request, uint64_t now_s);

#endif
