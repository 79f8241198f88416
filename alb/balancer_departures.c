/*
 * balancer_departures.c -- targets that go: they get no new requests, and what they
 * carry may go on until their deregistration delay is over. Their WebSockets are drained
 * meanwhile (balancer_drains.c): those of one group that go together, in one drain.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include "alb/balancer_private.h"
#include "alb/config.h"
#include "alb/drain.h"
#include "alb/group_health.h"
#include "alb/health.h"
#include "alb/members.h"

struct leaving {
    struct balancer *balancer;
    const struct config *old;
    struct target **targets; /* borrowed */
    size_t count;
};

/* As it is now; of a group that has gone, as it was. */
static const struct group_config *group_of(const struct leaving *l, const struct target *t)
{
    const struct group_config *group = config_group(l->balancer->config, span_text(t->group));

    return group != NULL ? group : config_group(l->old, span_text(t->group));
}

static uint32_t delay_of(const struct leaving *l, const struct target *t)
{
    const struct group_config *group = group_of(l, t);

    return group == NULL ? 0 : group->options.deregistration_delay_ms;
}

static const struct tunnel_options *options_of(const struct leaving *l, const struct target *t)
{
    const struct group_config *group = group_of(l, t);

    return group == NULL ? &l->balancer->config->alb.tunnel : &group->options.tunnel;
}

static void on_gone(void *user, struct target *t)
{
    struct leaving *l = user;

    log_info("target draining group=%s target=%s delay_ms=%u", t->group, t->text, delay_of(l, t));
    health_forget(l->balancer->health, t);
    l->targets = mem_resize(l->targets, (l->count + 1) * sizeof(struct target *));
    l->targets[l->count++] = t;
}

/* Those of the first one's group come first; how many they are. */
static size_t gather_group(struct target **targets, size_t count)
{
    size_t n = 1;

    for (size_t i = 1; i < count; i++) {
        struct target *t = targets[i];
        if (strcmp(t->group, targets[0]->group) != 0)
            continue;
        targets[i] = targets[n];
        targets[n++] = t;
    }
    return n;
}

static void begin_drains(struct leaving *l)
{
    struct drain_plan plan = { .cause = DRAIN_DEPARTURE };

    balancer_share_pace(l->balancer, &plan, &l->balancer->config->alb.tunnel);
    for (size_t i = 0, n; i < l->count; i += n) {
        n = gather_group(l->targets + i, l->count - i);
        plan.delay_ms = delay_of(l, l->targets[i]);
        plan.options = options_of(l, l->targets[i]);
        balancer_drain_begin(l->balancer, l->targets + i, n, &plan);
    }
    pace_unref(&plan.shared);
}

static void welcome(struct balancer *b, const struct group *g, struct target *t)
{
    const bool is_drained = registrations_find_drain(&b->said, t->group, t->text) != NULL;

    if (t->drain != NULL &&
        (t->drain->cause == DRAIN_DEPARTURE || (t->drain->cause == DRAIN_COMMAND && !is_drained)))
        balancer_drain_leave(b, t);
    group_set_drained(g, t, is_drained, clock_mono_ms());
}

void balancer_welcome_members(struct balancer *b)
{
    for (size_t i = 0; i < b->members->group_count; i++) {
        const struct group *g = &b->members->groups[i];
        for (size_t j = 0; j < g->count; j++)
            welcome(b, g, g->targets[j]);
    }
    health_follow(b->health, b->members);
}

void balancer_dismiss_others(struct balancer *b, const struct config *old)
{
    struct leaving leaving = { .balancer = b, .old = old };

    members_mark(&b->registry, b->members, on_gone, &leaving);
    if (balancer_serves(b)) /* else all are drained already */
        begin_drains(&leaving);
    free(leaving.targets);
}

/* --- from the process before this one ------------------------------------------------------ */

void balancer_depart(struct balancer *b, struct target *t, uint32_t delay_ms)
{
    struct leaving leaving = { .balancer = b, .old = b->config };
    struct drain_plan plan = { .cause = DRAIN_DEPARTURE, .delay_ms = delay_ms };

    if (t->is_registered || t->drain != NULL)
        return;
    atomic_store(&t->state, TARGET_DRAINING);
    log_info("target draining group=%s target=%s delay_ms=%u", t->group, t->text, delay_ms);
    plan.options = options_of(&leaving, t);
    balancer_share_pace(b, &plan, &b->config->alb.tunnel);
    balancer_drain_begin(b, &t, 1, &plan);
    pace_unref(&plan.shared);
}

bool balancer_departs_in_ms(const struct target *t, uint32_t *left_ms)
{
    const struct drain *d = t->drain;

    if (d == NULL || d->cause != DRAIN_DEPARTURE)
        return false;
    *left_ms = drain_left_ms(d);
    return true;
}
