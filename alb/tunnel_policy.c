/* tunnel_policy.c -- see tunnel_policy.h. */
#include "alb/tunnel_policy.h"

#include "base/mem.h"

#include "alb/config.h"

struct tunnel_policy *tunnel_policy_new(uint32_t idle_ms, const struct tunnel_options *options)
{
    struct tunnel_policy *p = mem_new(struct tunnel_policy);

    atomic_init(&p->refs, 1);
    p->idle_ms = idle_ms;
    p->ping_ms = options->ping_interval_ms;
    p->pong_ms = options->pong_timeout_ms;
    p->close_ms = options->close_timeout_ms;
    p->idle_counts_pings = options->idle_counts_pings;
    p->cut_on_idle = options->idle_close == FAREWELL_CUT;
    p->cut_on_drain = options->drain_close == FAREWELL_CUT;
    return p;
}

struct tunnel_policy *tunnel_policy_ref(struct tunnel_policy *p)
{
    atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
    return p;
}

void tunnel_policy_unref(struct tunnel_policy **p)
{
    if (*p != NULL && atomic_fetch_sub_explicit(&(*p)->refs, 1, memory_order_acq_rel) == 1)
        free(*p);
    *p = NULL;
}

bool tunnel_policy_equal(const struct tunnel_policy *a, const struct tunnel_policy *b)
{
    return a->idle_ms == b->idle_ms && a->ping_ms == b->ping_ms && a->pong_ms == b->pong_ms &&
           a->close_ms == b->close_ms && a->idle_counts_pings == b->idle_counts_pings &&
           a->cut_on_idle == b->cut_on_idle && a->cut_on_drain == b->cut_on_drain;
}

struct tunnel_policy *tunnel_policy_of(const struct config *config, const char *group)
{
    const struct group_config *g = config_group(config, span_text(group));

    return g != NULL ? g->policy : NULL;
}

bool tunnel_policies_differ(const struct config *before, const struct config *now)
{
    for (size_t i = 0; i < now->group_count; i++) {
        const struct group_config *g = &now->groups[i];
        const struct tunnel_policy *was = tunnel_policy_of(before, g->name);
        if (was == NULL || !tunnel_policy_equal(was, g->policy))
            return true;
    }
    return false;
}
