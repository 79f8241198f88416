/*
 * tunnel_ring.h -- the close records of the last tunnels.
 *
 * One ring for all loops, under a mutex that is held for the copy of one record, or by a
 * reader for a few dozen: a ring for each loop would have to be as large as this one
 * to be sure to hold the last 10,000, or lose those of a busy loop first.
 * It knows no configuration, so that a reload does not touch it. Any thread.
 */
#ifndef ALB_TUNNEL_RING_H
#define ALB_TUNNEL_RING_H

#include <pthread.h>
#include <stddef.h>

#include "alb/tunnel_view.h"

enum { TUNNEL_RING_SIZE = 10000 };

struct tunnel_ring {
    pthread_mutex_t lock;
    struct tunnel_view *rows; /* owned; NULL before the first */
    uint64_t first, next;     /* numbers: of the oldest that is there, of the one to come */
};

void tunnel_ring_init(struct tunnel_ring *ring);
void tunnel_ring_done(struct tunnel_ring *ring);

/* A copy of it is kept; the oldest goes when there is no room. */
void tunnel_ring_add(struct tunnel_ring *ring, const struct tunnel_view *r);

/* One that is older than all that are there, from another process: kept if there is room. */
void tunnel_ring_add_older(struct tunnel_ring *ring, const struct tunnel_view *r);

/* Call `see` for each, the oldest first. What is added or goes meanwhile may be missed, but
 * none comes twice. `see` must not use the ring. */
void tunnel_ring_each(struct tunnel_ring *ring,
                      void (*see)(void *user, const struct tunnel_view *r), void *user);

/* For whoever reads it bit by bit, by numbers: that of the oldest, of the one to come... */
uint64_t tunnel_ring_first(struct tunnel_ring *ring);
uint64_t tunnel_ring_next(struct tunnel_ring *ring);

/* ... and copies of at most `most` before *number, the newest first, or from it on, the oldest
 * first. *number moves past them; each is to be let go (tunnel_view_done()). Returns how many. */
size_t tunnel_ring_before(struct tunnel_ring *ring, uint64_t *number, struct tunnel_view *out,
                          size_t most);
size_t tunnel_ring_since(struct tunnel_ring *ring, uint64_t *number, struct tunnel_view *out,
                         size_t most);

#endif
