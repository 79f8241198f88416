/*
 * balance.h -- choosing a target: the cookie's first, else by the group's algorithm.
 *
 * A target may be chosen when it is a member with a weight above 0, is healthy (or not
 * checked; when the group fails open, group_health.h, in any health), is not draining, and
 * is not full (target.max_connections). Weights mean:
 *
 *   round_robin                 how many of the turns it gets; in slow start fewer, growing
 *                               evenly with time; of upgrades, where they have a rate
 *                               (websocket.upgrade_rate), that part of the rate
 *   least_outstanding_requests  what its count of open requests and WebSockets is divided by;
 *                               between equals a draw decides
 *   weighted_random             its chance; less while anomaly mitigation holds it back
 *   consistent_hash             its part of the keys (base/rendezvous.h); in slow start fewer, each
 *                               of which then stays. A key whose target may not be chosen goes to
 *                               the next one in its order; without a key, as round_robin
 *
 * A cookie whose target is over the soft bound (soft_bound.h) is passed over, and the algorithm
 * chooses among those that are not. consistent_hash always does.
 *
 * The draws are a function of how many were made before: the same order of requests gives the
 * same choices.
 */
#ifndef ALB_BALANCE_H
#define ALB_BALANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct group;
struct target;

/* Parts of a target's share are counted in these. */
enum { SHARE_WHOLE = 1024 };

/* The hash of what a request's target goes by, for consistent_hash (hash_key.h). */
struct balance_key {
    uint64_t hash;
    bool is_there;
};

/* What the choice depends on beside the group. */
struct balance_ask {
    const uint64_t *by_cookie; /* the id of the target that a cookie asks for, or NULL */
    struct balance_key key;
    uint64_t mono_ms;           /* for slow start */
    uint32_t upgrades_a_second; /* the group's rate, if it is an upgrade and there is one; or 0 */
};

struct choice {
    struct target *target; /* NULL: none */
    const char *why;       /* then: a literal for the log */
    bool by_cookie;
    bool is_slow_start; /* NULL: who could take it starts slowly and has its part */
};

/* The target has a place taken in its outstanding count: target_release() gives it back. The
 * reference stays the members': take one before the turn ends. */
struct choice balance_choose(const struct group *group, const struct balance_ask *ask);

/* For a retry: one whose id is none of `tried`, by the algorithm; cookies do not count. */
struct balance_again {
    const uint64_t *tried;
    size_t tried_count;
    struct balance_key key; /* the same as for the first choice */
    uint64_t mono_ms;
};
struct choice balance_choose_other(const struct group *group, const struct balance_again *again);

/* The part of its share that a target in slow start has after that long, 0..SHARE_WHOLE. */
uint32_t slow_start_share(uint64_t elapsed_ms, uint32_t duration_ms);

#endif
