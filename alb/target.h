/*
 * target.h -- targets and target groups at run time.
 *
 * A target lives longer than the configuration that names it: its health,
 * load and counters carry over a reload. The registry (the control thread's)
 * finds it again by group and address; snapshots, connections and tunnels hold
 * references, and the last one frees it. Loops read and add through atomics;
 * only the control thread changes health.
 */
#ifndef ALB_TARGET_H
#define ALB_TARGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "net/addr.h"

#include "alb/counters.h"

struct config;
struct group_config;

/* The managed balancer's names and meaning. */
enum target_state {
    TARGET_INITIAL, /* no check has passed yet */
    TARGET_HEALTHY,
    TARGET_UNHEALTHY,
    TARGET_DRAINING,    /* no longer registered; what is open may finish */
    TARGET_UNAVAILABLE, /* health checks are off: taken for healthy */
};

const char *target_state_name(enum target_state state);

struct target {
    char *group; /* owned: the group's name */
    char *text;  /* owned: "10.0.1.10:9001" */
    struct addr addr;
    uint64_t id; /* stickiness_id(text) */

    atomic_uint refs;
    atomic_int state;        /* enum target_state; written by the control thread */
    atomic_uint outstanding; /* requests and tunnels now */
    struct target_counters counters;

    struct list in_registry;     /* control thread */
    struct probe *probe;         /* control thread: health.h; NULL when not checked */
    bool is_registered;          /* control thread: named by the current configuration */
    struct departure *departure; /* control thread: while its deregistration delay runs */
};

struct target *target_ref(struct target *t);
void target_unref(struct target **t);

static inline enum target_state target_state_of(const struct target *t)
{
    return (enum target_state)atomic_load_explicit(&t->state, memory_order_relaxed);
}

/* May it get new requests? */
bool target_is_usable(const struct target *t);

/* A group of one snapshot: the registry's targets in the file's order. */
struct group {
    const struct group_config *config; /* borrowed: the snapshot's */
    struct target **targets;           /* references */
    size_t count;
    uint32_t *order; /* owned: whose turn it is, each as often as its weight says */
    size_t turns;    /* how many there are; 0 when no target has a weight */
    atomic_uint turn;
};

/* The control thread's. */
struct registry {
    struct list targets;
};

void registry_init(struct registry *r);
void registry_done(struct registry *r);

/* Give every group of the new snapshot its targets, making those that are new.
 * config_release_groups() is its undoing, when the snapshot goes. */
void registry_bind(struct registry *r, struct config *config);
void config_release_groups(struct config *config);

/* After publishing: targets that no group names any more become draining, and
 * `gone` is called for each, once. They stay known: one that comes back before
 * it is forgotten has all that it carried. */
void registry_mark_removed(struct registry *r, const struct config *config,
                           void (*gone)(void *user, struct target *t), void *user);

/* Nothing is left of it here. */
void registry_forget(struct target *t);

#endif
