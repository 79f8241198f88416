/*
 * closer.h -- the one routine that paces every close that we start.
 *
 * Closing all tunnels at once brings all clients back at once. A loop has one share of each
 * drain that runs (drain.h): its part of the tunnels, of which it closes the oldest (or the
 * idlest) whenever it can claim a moment of the drain's pace, so that all loops together keep
 * it. Each client is told another moment to come back at.
 *
 * Work is bounded in each turn. The tunnels are looked through in slices, and the next few
 * kept in order; when those are closed, they are looked through again. Each loop says whom it
 * would close next, and lets another that has an older one go first, for CLOSER_GRACE_US.
 *
 * A rate holds for what goes out, not for what was decided: with one, a tunnel that is inside
 * a frame is passed over until it stands at a boundary, and claims a moment itself there.
 * Within a window it is told, and may take its time until its boundary.
 */
#ifndef ALB_CLOSER_H
#define ALB_CLOSER_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "net/loop.h"

#include "alb/tunnel_walk.h"

struct drain;
struct target;
struct tunnel;
struct worker;

enum {
    CLOSER_BATCH = 64,        /* kept in order */
    CLOSER_SLICE = 256,       /* looked at in one turn */
    CLOSER_TURN = 32,         /* closed in one turn */
    CLOSER_GRACE_US = 20000,  /* for the one whose turn it is */
    CLOSER_STEP_US = 4000,    /* is it ours meanwhile? */
    CLOSER_START_US = 200000, /* all loops have to have looked first */
    CLOSER_LOOK_MS = 200,     /* when there was nobody: somebody may have come */
};

struct closer_candidate {
    struct tunnel *tunnel; /* alive: closer_forget() */
    uint64_t key;          /* the less, the sooner */
};

struct closer_share {
    struct list link; /* in worker->shares */
    struct worker *worker;
    struct drain *drain; /* a reference */
    ev_timer timer;
    struct closer_candidate batch[CLOSER_BATCH];
    size_t count;
    struct tunnel_walk walk; /* while it looks */
    bool is_looking;
    uint64_t due_key; /* of those inside a frame that may soon be at a boundary */
};

/* Jobs for loop_post(); arg is a reference to the drain, theirs to give back. The last loop
 * that leaves a drain says so in the log. */
loop_fn closer_join, closer_leave;

/* The drain of the process's end, if this loop has a share of it; else NULL. */
struct drain *closer_shutdown(struct worker *w);

/* The drain of those whose peer has left the edge set, likewise. */
struct drain *closer_leavers(struct worker *w);

/* Leave all, now: the process ends, and has cut so many untold. */
void closer_stop(struct worker *w, uint32_t cut);

/* The tunnel is about to be freed. */
void closer_forget(struct worker *w, const struct tunnel *t);

/* A tunnel that waits for its turn is at a boundary: true when it may close now, and when its
 * client is to come again. */
bool closer_grants(struct tunnel *t, uint32_t *after_ms);

/* The drain that the target is part of, if this loop has a share of it; else NULL. */
struct drain *closer_drain_of(struct worker *w, const struct target *target);

#endif
