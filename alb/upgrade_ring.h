/*
 * upgrade_ring.h -- the last upgrades that failed.
 *
 * One for all loops, under a mutex that is held for a moment: upgrades do not fail by the
 * hundred thousand, and their peers are in the edge set. Any thread.
 */
#ifndef ALB_UPGRADE_RING_H
#define ALB_UPGRADE_RING_H

#include <pthread.h>
#include <stddef.h>

#include "alb/upgrade_case.h"

enum { UPGRADE_RING_SIZE = 1000 };

struct upgrade_ring {
    pthread_mutex_t lock;
    uint64_t added;       /* ever */
    uint64_t first, next; /* numbers: of the oldest that is there, of the one to come */
    struct upgrade_case *rows[UPGRADE_RING_SIZE];
};

void upgrade_ring_init(struct upgrade_ring *ring);
void upgrade_ring_done(struct upgrade_ring *ring);

/* Takes it, and clears the variable; the oldest goes when there is no room. */
void upgrade_ring_add(struct upgrade_ring *ring, struct upgrade_case **c);

/* One that is older than all that are there, from another process: kept if there is room. */
void upgrade_ring_add_older(struct upgrade_ring *ring, struct upgrade_case **c);

/* Call `see` for each, the newest first, until it is false. What goes
 * meanwhile is missed. `see` must not use the ring.
 * Returns how many were ever added. */
uint64_t upgrade_ring_each(struct upgrade_ring *ring,
                           bool (*see)(void *user, const struct upgrade_case *c), void *user);

/* For whoever reads it bit by bit, by numbers: that of the oldest, of the one to come... */
uint64_t upgrade_ring_first(struct upgrade_ring *ring);
uint64_t upgrade_ring_next(struct upgrade_ring *ring);

/* ... and a few before *number, the newest first, or from it on, the oldest first, for each of
 * which `see` is called. *number moves past them. Returns how many. */
size_t upgrade_ring_before(struct upgrade_ring *ring, uint64_t *number,
                           void (*see)(void *user, const struct upgrade_case *c), void *user);
size_t upgrade_ring_since(struct upgrade_ring *ring, uint64_t *number,
                          void (*see)(void *user, const struct upgrade_case *c), void *user);

#endif
