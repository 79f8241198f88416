/*
 * tunnel_policy.h -- what the configuration says of open tunnels, in a copy that outlives it.
 *
 * A snapshot holds one for each group, and one of [alb]; a tunnel refers to its group's, and
 * to nothing else of a snapshot. Never changed once made: a reload gives tunnels another one.
 * Threads: references are counted by atomics.
 */
#ifndef ALB_TUNNEL_POLICY_H
#define ALB_TUNNEL_POLICY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

struct config;
struct tunnel_options;

struct tunnel_policy {
    atomic_uint refs;
    uint32_t idle_ms;
    uint32_t ping_ms; /* 0: no pings */
    uint32_t pong_ms;
    uint32_t close_ms; /* for the boundary that a close of ours needs, and again for its answer */
    bool cut_on_idle;  /* no Close of ours then */
    bool cut_on_drain;
    bool idle_counts_pings; /* an answered ping is no silence */
};

struct tunnel_policy *tunnel_policy_new(uint32_t idle_ms, const struct tunnel_options *options);
struct tunnel_policy *tunnel_policy_ref(struct tunnel_policy *p);

/* Clears the variable; NULL is fine. */
void tunnel_policy_unref(struct tunnel_policy **p);

bool tunnel_policy_equal(const struct tunnel_policy *a, const struct tunnel_policy *b);

/* Of the group of that name; NULL when the snapshot does not have it. Borrowed. */
struct tunnel_policy *tunnel_policy_of(const struct config *config, const char *group);

/* Does `now` say something else than `before` of a group that both have? */
bool tunnel_policies_differ(const struct config *before, const struct config *now);

#endif
