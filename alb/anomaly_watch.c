/* anomaly_watch.c -- see anomaly_watch.h. */
#include "alb/anomaly_watch.h"

#include "base/log.h"
#include "base/mem.h"

#include "alb/anomaly.h"
#include "alb/balance.h"
#include "alb/config.h"
#include "alb/members.h"
#include "alb/target.h"

static uint64_t total(const metric_value *v)
{
    return atomic_load_explicit(v, memory_order_relaxed);
}

static void look_at(struct target *t)
{
    const struct target_counters *n = &t->counters;

    anomaly_look(&t->window, total(&n->requests),
                 total(&n->code_5xx) + total(&n->connection_errors) + total(&n->tls_errors));
}

static void judge(const struct group *g, struct target *t, bool is_outlier)
{
    const uint32_t share = atomic_load_explicit(&t->share, memory_order_relaxed);
    const uint32_t next =
        g->config->options.anomaly_mitigation ? anomaly_next_share(share, is_outlier) : SHARE_WHOLE;

    if (t->is_anomalous != is_outlier)
        log_info("target %s group=%s target=%s",
                 is_outlier ? "anomalous" : "not anomalous any more", t->group, t->text);
    t->is_anomalous = is_outlier;
    atomic_store_explicit(&t->share, next, memory_order_relaxed);
}

static void look_at_group(const struct group *g, struct anomaly_sample *samples)
{
    size_t count = 0, at = 0;

    for (size_t i = 0; i < g->count; i++) {
        look_at(g->targets[i]);
        if (target_is_usable(g->targets[i]))
            samples[count++] = anomaly_sample_of(&g->targets[i]->window);
    }
    for (size_t i = 0; i < g->count; i++) {
        const bool is_usable = target_is_usable(g->targets[i]);
        judge(g, g->targets[i], is_usable && anomaly_is_outlier(samples, count, at));
        at += is_usable;
    }
}

void anomaly_watch_look(const struct members *members)
{
    for (size_t i = 0; i < members->group_count; i++) {
        const struct group *g = &members->groups[i];
        struct anomaly_sample *samples = mem_array(struct anomaly_sample, g->count + 1);
        look_at_group(g, samples);
        free(samples);
    }
}
