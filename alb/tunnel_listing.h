/*
 * tunnel_listing.h -- the live tunnels of all loops that a query fits, for GET /tunnels.
 *
 * Each loop looks at a few hundred of its tunnels in a turn, so that none of them waits
 * for a list of thousands, and keeps no more rows than are asked for. One listing is under way
 * at a time; the others wait for their turn, so that memory is bounded as well. What is seen
 * of each tunnel was true in the turn in which it was looked at. A process before this one that
 * still has tunnels is asked for them; it has a moment to answer.
 *
 * The control thread's.
 */
#ifndef ALB_TUNNEL_LISTING_H
#define ALB_TUNNEL_LISTING_H

#include <ev.h>
#include <stdatomic.h>

#include "base/list.h"
#include "base/span.h"
#include "net/wheel.h"

#include "alb/tunnel_query.h"
#include "alb/tunnel_top.h"
#include "alb/tunnel_walk.h"

struct balancer;
struct loop;

/* One loop's part. */
struct tunnel_listing_part {
    struct tunnel_listing *listing;
    struct loop *loop;
    struct tunnel_walk walk;
    struct tunnel_top top;
    struct wheel_timer again; /* when the loop's inbox has no room for the next turn */
    bool is_begun;
};

struct tunnel_listing {
    struct list link; /* in balancer->listings */
    struct balancer *balancer;
    struct tunnel_query query;
    char *text;                /* owned: the query as it was asked */
    uint64_t number;           /* from 1 */
    uint32_t pid;              /* our own */
    struct tunnel_top top;     /* of all, when it is ready */
    uint64_t missing;          /* tunnels of processes that did not answer */
    void (*ready)(void *user); /* NULL: nobody wants it any more */
    void *user;
    struct tunnel_listing_part *parts; /* owned; NULL before its turn */
    int part_count;
    atomic_int waiting; /* loops that are not done */
    ev_async done;
    bool loops_are_done;
    bool is_asking; /* the process before this one has not answered yet */
    ev_timer patience;
};

/* `text` is what `query` was read from. `ready` is called when all is there; never from within
 * this. */
struct tunnel_listing *tunnel_listing_start(struct balancer *b, const struct tunnel_query *query,
                                            struct span text, void (*ready)(void *user),
                                            void *user);

/* After `ready`: free it. Before: nobody wants it any more, it frees itself. */
void tunnel_listing_free(struct tunnel_listing *l);

/* The one of this number that waits for another process's answer, or NULL: what it has goes into
 * its `top` and `missing`. And that it will have no more. */
struct tunnel_listing *tunnel_listing_find(struct balancer *b, uint64_t number);
void tunnel_listing_answered(struct tunnel_listing *l);

/* That process has ended. */
void tunnel_listings_unanswered(struct balancer *b);

/* The loops have ended, and what is under way never will. */
void tunnel_listings_done(struct balancer *b);

#endif
