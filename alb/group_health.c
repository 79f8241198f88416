/* group_health.c -- see group_health.h. */
#include "alb/group_health.h"

#include "base/log.h"

#include "alb/balance.h"
#include "alb/config.h"
#include "alb/members.h"

bool group_fails_open(const struct group_options *options, size_t healthy, size_t members)
{
    return members > 0 && (healthy < options->fail_open_count ||
                           healthy * 100 < members * (uint64_t)options->fail_open_percent);
}

size_t group_drained_count(const struct group *g)
{
    size_t count = 0;

    for (size_t i = 0; i < g->count; i++)
        count += target_is_drained(g->targets[i]);
    return count;
}

size_t group_healthy_count(const struct group *g)
{
    size_t count = 0;

    for (size_t i = 0; i < g->count; i++)
        count += target_is_usable(g->targets[i]);
    return count;
}

static bool is_warm(const struct group *g, const struct target *t, uint64_t mono_ms)
{
    const uint64_t began_ms = atomic_load(&t->ramp_began_ms);

    return target_is_usable(t) &&
           (began_ms == 0 ||
            slow_start_share(mono_ms - began_ms, g->config->options.slow_start_ms) == SHARE_WHOLE);
}

bool group_has_warm(const struct group *g, uint64_t mono_ms)
{
    for (size_t i = 0; i < g->count; i++) {
        if (is_warm(g, g->targets[i], mono_ms))
            return true;
    }
    return false;
}

static void enter_slow_start(const struct group *g, struct target *t, uint64_t mono_ms)
{
    const uint32_t duration_ms = g->config->options.slow_start_ms;
    const bool starts_warm = t->starts_warm;

    t->starts_warm = false;
    atomic_store(&t->ramp_began_ms, 0);
    if (duration_ms == 0 || starts_warm || !group_has_warm(g, mono_ms))
        return;
    atomic_store(&t->ramp_saved, 0);
    atomic_store(&t->ramp_began_ms, mono_ms);
    log_info("target slow start group=%s target=%s duration_ms=%u", t->group, t->text, duration_ms);
}

bool group_set_state(const struct group *g, struct target *t, enum target_state state,
                     uint64_t mono_ms)
{
    const enum target_state before = target_health_of(t);

    if (before == state)
        return false;
    if (!target_state_is_usable(state))
        atomic_store(&t->ramp_began_ms, 0);
    else if (!target_state_is_usable(before) && !target_is_drained(t))
        enter_slow_start(g, t, mono_ms);
    atomic_store(&t->state, state);
    group_review(g);
    return true;
}

void group_set_drained(const struct group *g, struct target *t, bool is_drained, uint64_t mono_ms)
{
    if (target_is_drained(t) == is_drained)
        return;
    if (is_drained)
        atomic_store(&t->ramp_began_ms, 0);
    else if (target_state_is_usable(target_health_of(t)))
        enter_slow_start(g, t, mono_ms);
    atomic_store(&t->is_drained, is_drained);
    group_review(g);
}

void group_review(const struct group *g)
{
    size_t healthy = 0, members = 0;

    for (size_t i = 0; i < g->count; i++) {
        members += g->weights[i] > 0 && !target_is_drained(g->targets[i]);
        healthy += g->weights[i] > 0 && target_is_usable(g->targets[i]);
    }
    const bool now = group_fails_open(&g->config->options, healthy, members);

    if (atomic_exchange(&g->state->fails_open, now) != now)
        log_info("group %s group=%s healthy=%zu targets=%zu",
                 now ? "fails open" : "routes to healthy targets", g->config->name, healthy,
                 members);
}
