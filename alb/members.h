/*
 * members.h -- which targets each group has: published beside the configuration,
 * and apart from it, because targets come and go while the file stays as it is.
 *
 * A membership is immutable once it is published, and belongs to one configuration:
 * its groups are that configuration's, by group_config.index. A loop holds both and
 * gets both at once; as with the configuration, no pointer into it outlives the turn.
 * What outlives it is in struct target and struct group_state (target.h).
 */
#ifndef ALB_MEMBERS_H
#define ALB_MEMBERS_H

#include <stddef.h>
#include <stdint.h>

struct config;
struct group_config;
struct group_state;
struct names;
struct registrations;
struct registry;
struct rendezvous;
struct target;

/* One group. Its members stand in the order in which they were named. */
struct group {
    const struct group_config *config; /* borrowed */
    struct group_state *state;         /* a reference */
    struct target **targets;           /* references */
    uint32_t *weights;                 /* owned: 0-999 each; 0 gets no new requests */
    size_t count;
    uint32_t *order;         /* owned: whose turn it is, each as often as its weight says */
    size_t turns;            /* how many there are; 0 when no target has a weight */
    struct rendezvous *hash; /* with consistent_hash: a reference; NULL when no target has one */
};

struct members {
    struct group *groups; /* as many as the configuration has, in its order */
    size_t group_count;
};

/* Where members come from, besides the configuration. */
struct members_sources {
    const struct registrations *said;
    const struct names *names;    /* may be NULL */
    const struct members *before; /* of now; may be NULL */
};

/* The members that the groups of this configuration have now: the file's, but those
 * that were said to be out, with all addresses of its DNS names, then those that were
 * registered. Until a name of a group has its first addresses, the members that the
 * group had before stay, but for those that commands took out. Targets that are new are made.
 * Control thread. */
struct members *members_new(struct registry *r, const struct config *config,
                            const struct members_sources *sources);

/* Before its configuration. NULL is fine; clears the variable. */
void members_free(struct members **members);

/* That group's members; the group is the same configuration's. */
struct group *members_of(const struct members *members, const struct group_config *group);

/* NULL when the group has no such member. */
struct target *members_find(const struct members *members, const struct group_config *group,
                            const char *text);

/* After publishing: mark who is registered. Targets that no group has any more become
 * draining, and `gone` is called for each, once. They stay known: one that comes back
 * before it is forgotten has all that it carried. */
void members_mark(struct registry *r, const struct members *members,
                  void (*gone)(void *user, struct target *t), void *user);

#endif
