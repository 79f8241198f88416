/*
 * past.h -- what has been, on its way to another process: the records of tunnels that have ended,
 * and of upgrades that failed (PAST in handing.h).
 *
 * It goes when the connections have gone, in small messages, the next one when the one before has
 * left. What was there at the beginning goes the newest first, as older than all that the other
 * process has; what comes afterwards follows in its own order. On the control thread.
 */
#ifndef ALB_PAST_H
#define ALB_PAST_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

struct balancer;
struct handover;

struct past {
    struct balancer *balancer; /* NULL: it was not started */
    struct handover *link;     /* borrowed */
    ev_timer next;
    struct past_place { /* numbers of a ring: what is to go lies before and from here on */
        uint64_t before, since;
    } closed, failed;
};

void past_start(struct past *p, struct balancer *b, struct handover *link);

/* The link is gone. */
void past_stop(struct past *p);

/* All that has been by now has left, or cannot. */
bool past_is_told(struct past *p);

#endif
