/*
 * drain.h -- one drain: whose WebSockets are told to come again, how fast, in which order.
 *
 * The control thread makes it (balancer_drains.c) and gives a reference to each loop, which
 * closes its part of the tunnels (closer.h). The targets of a drain are marked with its id;
 * one whose mark has changed is no longer part of it. Everything that is written after the
 * making is atomic, or the control thread's.
 */
#ifndef ALB_DRAIN_H
#define ALB_DRAIN_H

#include <ev.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"

#include "alb/pace.h"

struct balancer;
struct target;
struct worker;

/* The numbers of these two go to other processes: a new one comes at the end. */
enum drain_cause {
    DRAIN_COMMAND,   /* `alb drain` */
    DRAIN_DEPARTURE, /* deregistered, or the configuration names it no more */
    DRAIN_UNHEALTHY, /* websocket.drain_unhealthy */
    DRAIN_SHUTDOWN,  /* all of them */
    DRAIN_LEAVERS, /* of no target: of peers that the edge set has no longer; not told to others */
};

const char *drain_cause_name(enum drain_cause cause);

enum drain_order { DRAIN_OLDEST, DRAIN_IDLEST };

struct drain {
    atomic_uint refs;
    uint64_t id; /* of one process, from 1 */
    enum drain_cause cause;
    enum drain_order order;
    struct pace *pace;       /* a reference; drains of one command may share a rate */
    struct target **targets; /* references */
    size_t target_count;
    _Atomic uint64_t *fronts; /* owned: by loop, the key of whom it would close next; closer.c */
    size_t loop_count;
    atomic_uint closed;  /* told so far */
    atomic_uint cut;     /* ended without, at the end */
    atomic_uint staying; /* loops that have not left it, and their cutters */
    uint32_t found;      /* tunnels when it began; not changed after that */

    /* Of the control thread. */
    struct balancer *balancer;
    struct list link;
    ev_timer end, look;
    uint64_t began_ms;
    uint32_t delay_ms;
    uint32_t rate; /* a second; 0: auto */
    bool stays;    /* does not end early */
    bool is_cut;   /* nobody is told */
    size_t still;  /* targets that are part of it */
    uint32_t seen; /* `closed` when progress was logged last */
};

/* A fresh one: its loops and targets are to be set by the caller. */
struct drain *drain_new(size_t target_count, size_t loop_count);
struct drain *drain_ref(struct drain *d);
void drain_unref(struct drain **d);

/* Its group's name; "*" for all. */
const char *drain_group(const struct drain *d);

/* Of its delay. */
uint32_t drain_left_ms(const struct drain *d);

bool drain_has(const struct drain *d, const struct target *t);

/* Its tunnels that were not told yet, and all that are open. */
uint32_t drain_untold(const struct drain *d);
uint32_t drain_open(const struct drain *d);

/* A loop has more to do for it, and has no more: the last says in the log what came of it. */
struct drain *drain_stay(struct drain *d);
void drain_left(struct drain **d);

/* So many were cut untold, on this loop. */
void drain_count_cut(struct drain *d, struct worker *w, uint32_t count);

#endif
