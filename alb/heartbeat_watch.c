/* heartbeat_watch.c -- see heartbeat_watch.h. */
#include "alb/heartbeat_watch.h"

#include "base/clock.h"
#include "base/log.h"

#include "alb/config.h"
#include "alb/members.h"
#include "alb/target.h"
#include "alb/tunnel_policy.h"
#include "alb/worker.h"

static void look_at(const struct group *g)
{
    const uint32_t idle_ms = g->config->policy->idle_ms;
    uint32_t p99_ms;

    if (!heartbeat_is_close(&g->state->heartbeat, idle_ms, clock_mono_ms(), &p99_ms))
        return;
    log_warn("heartbeat close to idle_timeout.timeout_seconds group=%s heartbeat=\"%.3g s\" "
             "idle_timeout=\"%u s\"",
             g->config->name, p99_ms / 1000.0, idle_ms / 1000);
}

void heartbeat_watch_look(const struct members *members)
{
    for (size_t i = 0; i < members->group_count; i++)
        look_at(&members->groups[i]);
}

void heartbeat_watch_note(const struct worker *w, const struct target *target, uint32_t ms)
{
    const struct group_config *g = config_group(w->config, span_text(target->group));

    if (g == NULL)
        return;
    struct group_state *s = members_of(w->members, g)->state;
    heartbeat_note(&s->heartbeat, ms);
    metric_observe_us(&s->counters.quiet_time, (uint64_t)ms * 1000);
}
