/*
 * group_health.h -- what the health of its targets makes of a group: whether it fails open,
 * and which targets start slowly. Control thread; loops read the outcome through atomics.
 */
#ifndef ALB_GROUP_HEALTH_H
#define ALB_GROUP_HEALTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alb/target.h"

struct group;
struct group_options;

/* `members` and `healthy` are those with a weight that no command drains. Below
 * target_group_health.unhealthy_state_routing.minimum_healthy_targets.count or .percentage,
 * requests go to all of them. Not when there is none. */
bool group_fails_open(const struct group_options *options, size_t healthy, size_t members);

size_t group_healthy_count(const struct group *g);

/* By command: they count neither as healthy nor as unhealthy. */
size_t group_drained_count(const struct group *g);

/* Is there a target that is healthy and not in slow start? */
bool group_has_warm(const struct group *g, uint64_t mono_ms);

/* The only way in which a health state changes. A target that becomes usable beside a warm one
 * begins its slow start, if the group has one; one that is not usable any more leaves it. The
 * group is looked at anew. False when it was in that state. */
bool group_set_state(const struct group *g, struct target *t, enum target_state state,
                     uint64_t mono_ms);

/* `alb drain` and `alb undrain`: health goes on beside it, so that one that comes back is at
 * once what it is; it starts slowly, if the group has that. */
void group_set_drained(const struct group *g, struct target *t, bool is_drained, uint64_t mono_ms);

/* Members or thresholds have changed: does it fail open now? */
void group_review(const struct group *g);

#endif
