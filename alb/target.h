/*
 * target.h -- targets and target groups at run time.
 *
 * A target lives longer than the configuration that names it: its health,
 * load and counters carry over a reload. The registry (the control thread's)
 * finds it again by group and address; memberships (members.h), connections and
 * tunnels hold references, and the last one frees it. Loops read and add through
 * atomics; only the control thread changes health.
 */
#ifndef ALB_TARGET_H
#define ALB_TARGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/list.h"
#include "net/addr.h"

#include "alb/anomaly.h"
#include "alb/admission.h"
#include "alb/counters.h"
#include "alb/heartbeat.h"
#include "alb/sticky_signs.h"

struct config;
struct tls_resume;

/* The managed balancer's names and meaning. */
enum target_state {
    TARGET_INITIAL, /* no check has passed yet */
    TARGET_HEALTHY,
    TARGET_UNHEALTHY,
    TARGET_UNUSED,      /* no action forwards to its group: it is not checked */
    TARGET_DRAINING,    /* no longer registered, or drained by command; what is open may finish */
    TARGET_UNAVAILABLE, /* health checks are off: taken for healthy */
};

const char *target_state_name(enum target_state state);

/* The name of a target, counted on its own: who keeps it does not keep the target. */
struct target_key {
    atomic_uint refs;
    const char *group, *text; /* in the bytes, each with a NUL */
    char bytes[];             /* the group's name, a NUL, its own (target_name.h) */
};

struct target_key *target_key_new(const char *group, const char *text);
struct target_key *target_key_ref(struct target_key *key);
void target_key_unref(struct target_key **key); /* any thread; NULL is fine */

/* What processes before this one still have of a target (REPORT in handing.h). The control thread
 * writes it. */
struct target_elsewhere {
    atomic_uint outstanding, tunnels, untold;
    struct target_counters counters; /* of its gauges only */
};

struct target {
    struct target_key *key;   /* a reference */
    const char *group, *text; /* in the key */
    size_t text_len;
    struct addr addr;
    uint64_t id;            /* stickiness_id(text) */
    struct tls_resume *tls; /* owned: its name, and what its next handshake may begin with */

    atomic_uint refs;
    atomic_int state;            /* enum target_state, but for commands: the control thread's */
    atomic_bool is_drained;      /* by command: a member that gets nothing new. Control thread */
    _Atomic uint64_t drain_id;   /* of the drain that it is part of (drain.h); 0: none. */
    atomic_uint tunnels, untold; /* open now; of those, what no drain has closed yet */
    atomic_uint outstanding; /* requests and tunnels now, here; over a limit for a moment only */
    _Atomic uint64_t ramp_began_ms; /* slow start, by clock_mono_ms(); 0: none since */
    atomic_uint ramp_saved;         /* parts of a turn that it has saved up (balance.c) */
    struct admission ramp;          /* of upgrades, in slow start */
    atomic_uint share; /* of its weight, in 1/SHARE_WHOLE: less while a mitigation runs */
    struct target_counters counters;
    struct target_elsewhere elsewhere;

    struct list in_registry;      /* control thread */
    UT_hash_handle hh;            /* control thread */
    struct probe *probe;          /* control thread: health.h; NULL when not checked */
    char *origin;                 /* control thread, owned: who names it; NULL at first */
    uint64_t round;               /* control thread: the last making of members that had it */
    struct anomaly_window window; /* control thread */
    bool is_anomalous;            /* control thread: it fails more than its peers */
    bool starts_warm;             /* control thread: no slow start when it first becomes healthy */
    bool is_registered;           /* control thread: a member of its group now */
    struct drain *drain;          /* control thread, borrowed: the same one */
    bool was_shed;                /* control thread: its drain for its health is over */
};

/* Origins, besides "dns:NAME:PORT". */
#define TARGET_OF_FILE "file"
#define TARGET_REGISTERED "registered"

void target_set_origin(struct target *t, const char *origin);

struct target *target_ref(struct target *t);
void target_unref(struct target **t);

/* What health checks and membership make of it, whatever commands say. */
static inline enum target_state target_health_of(const struct target *t)
{
    return (enum target_state)atomic_load_explicit(&t->state, memory_order_relaxed);
}

static inline bool target_is_drained(const struct target *t)
{
    return atomic_load_explicit(&t->is_drained, memory_order_relaxed);
}

static inline enum target_state target_state_of(const struct target *t)
{
    return target_is_drained(t) ? TARGET_DRAINING : target_health_of(t);
}

static inline uint64_t target_drain_id(const struct target *t)
{
    return atomic_load_explicit(&t->drain_id, memory_order_relaxed);
}

/* Do targets in this state get new requests? When a group fails open, others do as well. */
bool target_state_is_usable(enum target_state state);
bool target_is_usable(const struct target *t);

/* All of them, wherever. */
static inline uint32_t target_outstanding(const struct target *t)
{
    return atomic_load_explicit(&t->outstanding, memory_order_relaxed) +
           atomic_load_explicit(&t->elsewhere.outstanding, memory_order_relaxed);
}

static inline uint32_t target_tunnels(const struct target *t)
{
    return atomic_load_explicit(&t->tunnels, memory_order_relaxed) +
           atomic_load_explicit(&t->elsewhere.tunnels, memory_order_relaxed);
}

/* Those that no drain has closed yet. */
static inline uint32_t target_untold(const struct target *t)
{
    return atomic_load_explicit(&t->untold, memory_order_relaxed) +
           atomic_load_explicit(&t->elsewhere.untold, memory_order_relaxed);
}

/* Give back a place in the outstanding count. */
static inline void target_release(struct target *t)
{
    atomic_fetch_sub_explicit(&t->outstanding, 1, memory_order_relaxed);
}

/* What of a group outlives a change of its members: one for each group name. Loops
 * share it through atomics. */
struct group_state {
    char *name; /* owned */
    atomic_uint refs;
    atomic_uint turn;          /* how many turns or draws there were */
    atomic_bool fails_open;    /* written by the control thread: group_health.h */
    struct admission upgrades; /* websocket.upgrade_rate */
    struct group_counters counters;
    struct heartbeat heartbeat;
    struct sticky_signs sticky;
    struct target_counters departed; /* of its targets that are forgotten. Control thread */
    struct list in_registry;
};

struct group_state *group_state_ref(struct group_state *s);
void group_state_unref(struct group_state **s);

/* The control thread's. */
struct registry {
    struct target *by_key; /* uthash */
    struct list targets;
    struct list groups; /* group_state */
    uint64_t round;     /* of the making of members */
};

void registry_init(struct registry *r);
void registry_done(struct registry *r);

/* The target of that group and address, made (initial) when it is not known; the
 * reference is the registry's. */
struct target *registry_target(struct registry *r, const char *group, const char *text,
                               const struct addr *addr);

/* NULL when it is not known. */
struct target *registry_find(const struct registry *r, struct span group, struct span text);

/* A reference to the name of such a target; to the one that is known, if one is. */
struct target_key *registry_key(const struct registry *r, const char *group, const char *text);

/* The same as registry_target() for a group's state. */
struct group_state *registry_group(struct registry *r, const char *name);

/* Nothing is left of it here. */
void registry_forget(struct registry *r, struct target *t);

/* States of groups that the configuration does not have are forgotten. */
void registry_forget_groups(struct registry *r, const struct config *config);

#endif
