/*
 * soft_bound.h -- has a target so much more than its part that stickiness must not add to it?
 *
 * Pure: numbers in, a verdict out. Counted are open requests and WebSockets. A target's part is
 * its weight's of all that the targets of its group have which may get requests now, with
 * the one that is being placed. It is over the bound when with that one it has more than so
 * many percent of its part, and SOFT_BOUND_SLACK more than it: among few, chance alone makes
 * multiples.
 */
#ifndef ALB_SOFT_BOUND_H
#define ALB_SOFT_BOUND_H

#include <stdbool.h>
#include <stdint.h>

enum { SOFT_BOUND_SLACK = 8, SOFT_BOUND_PERCENT_LEAST = 110, SOFT_BOUND_PERCENT_MOST = 10000 };

struct soft_bound {
    uint32_t percent;
    uint64_t outstanding, weights; /* sums over those targets, of which this is one */
};

/* A target of weight 0 is never over: it gets nothing but by its cookies. */
bool soft_bound_is_over(const struct soft_bound *bound, uint32_t outstanding, uint32_t weight);

/* It is not over, whatever the others have. */
static inline bool soft_bound_is_far(uint32_t outstanding)
{
    return outstanding < SOFT_BOUND_SLACK;
}

#endif
