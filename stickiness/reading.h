/*
 * reading.h -- what all kinds of sticky cookies have in common when one is looked for among a
 * request's. Only for the files of this library.
 */
#ifndef STICKINESS_READING_H
#define STICKINESS_READING_H

#include "stickiness.h"

/* One search: what makes a cookie good, and what was found so far. */
struct reading {
    const struct seal_ring *ring;
    uint64_t scope, now_s;
    uint32_t duration_s;
    unsigned tries; /* values that may still be opened */
    enum stickiness_lookup best;
    uint64_t id; /* when best is STICKINESS_FOUND */
};

static inline bool reading_goes_on(const struct reading *r)
{
    return r->best != STICKINESS_FOUND && r->tries > 0;
}

/* The value of a cookie whose name is right. What has another length than ours costs no try. */
void reading_try(struct reading *r, struct span purpose, struct span value);

#endif
