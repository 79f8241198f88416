/* target.c -- see target.h. */
#include "alb/target.h"

#include "base/bug.h"
#include "base/mem.h"

#include "alb/config.h"
#include "alb/health.h"

const char *target_state_name(enum target_state state)
{
    switch (state) {
    case TARGET_INITIAL:
        return "initial";
    case TARGET_HEALTHY:
        return "healthy";
    case TARGET_UNHEALTHY:
        return "unhealthy";
    case TARGET_DRAINING:
        return "draining";
    case TARGET_UNAVAILABLE:
        return "unavailable";
    }
    bug("unknown target state");
}

struct target *target_ref(struct target *t)
{
    atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
    return t;
}

void target_unref(struct target **t)
{
    struct target *gone = *t;

    *t = NULL;
    if (gone == NULL || atomic_fetch_sub_explicit(&gone->refs, 1, memory_order_acq_rel) != 1)
        return;
    free(gone->group);
    free(gone->text);
    free(gone);
}

bool target_is_usable(const struct target *t)
{
    const enum target_state state = target_state_of(t);

    return state == TARGET_HEALTHY || state == TARGET_UNAVAILABLE;
}

void registry_init(struct registry *r)
{
    list_init(&r->targets);
}

void registry_forget(struct target *t)
{
    list_remove(&t->in_registry);
    target_unref(&t);
}

void registry_done(struct registry *r)
{
    list_each_safe (at, after, &r->targets)
        registry_forget(list_entry(at, struct target, in_registry));
}

static struct target *find(struct registry *r, const char *group, const char *text)
{
    list_each (at, &r->targets) {
        struct target *t = list_entry(at, struct target, in_registry);
        if (strcmp(t->group, group) == 0 && strcmp(t->text, text) == 0)
            return t;
    }
    return NULL;
}

static struct target *find_or_make(struct registry *r, const struct group_config *group,
                                   const struct target_config *config)
{
    struct target *t = find(r, group->name, config->text);
    if (t != NULL)
        return t;

    t = mem_new(struct target);
    t->group = mem_text(group->name);
    t->text = mem_text(config->text);
    t->addr = config->addr;
    t->id = stickiness_id(span_text(config->text));
    atomic_init(&t->refs, 1); /* the registry's */
    atomic_init(&t->state, TARGET_INITIAL);
    list_append(&r->targets, &t->in_registry);
    return t;
}

/* The weights in lowest terms, and their sum. */
static size_t reduce(const struct group_config *config, uint32_t *weights)
{
    uint32_t divisor = 0;
    size_t sum = 0;

    for (size_t i = 0; i < config->target_count; i++) {
        for (uint32_t w = config->targets[i].weight; w != 0;) {
            const uint32_t rest = divisor % w;
            divisor = w;
            w = rest;
        }
    }
    for (size_t i = 0; i < config->target_count && divisor != 0; i++) {
        weights[i] = config->targets[i].weight / divisor;
        sum += weights[i];
    }
    return sum;
}

/* Spread evenly: the k-th turn of a target is at about k * turns / weight. They
 * are sorted by that place, by counting. */
static void order_turns(struct group *g, const struct group_config *config)
{
    uint32_t *weights = mem_array(uint32_t, g->count);

    g->turns = reduce(config, weights);
    g->order = mem_array(uint32_t, g->turns);
    size_t *at = mem_array(size_t, g->turns + 1);
    for (size_t i = 0; i < g->count; i++) {
        for (size_t k = 0; k < weights[i]; k++)
            at[k * g->turns / weights[i] + 1]++;
    }
    for (size_t i = 1; i <= g->turns; i++)
        at[i] += at[i - 1];
    for (uint32_t i = 0; i < g->count; i++) {
        for (size_t k = 0; k < weights[i]; k++)
            g->order[at[k * g->turns / weights[i]]++] = i;
    }
    free(at);
    free(weights);
}

static void bind_group(struct registry *r, struct group_config *config)
{
    struct group *g = mem_new(struct group);

    g->config = config;
    g->count = config->target_count;
    g->targets = mem_array(struct target *, g->count);
    for (size_t i = 0; i < g->count; i++)
        g->targets[i] = target_ref(find_or_make(r, config, &config->targets[i]));
    order_turns(g, config);
    config->group = g;
}

void registry_bind(struct registry *r, struct config *config)
{
    for (size_t i = 0; i < config->group_count; i++)
        bind_group(r, &config->groups[i]);
}

void config_release_groups(struct config *config)
{
    for (size_t i = 0; i < config->group_count; i++) {
        struct group *g = config->groups[i].group;
        if (g == NULL)
            continue;
        for (size_t j = 0; j < g->count; j++)
            target_unref(&g->targets[j]);
        free(g->targets);
        free(g->order);
        free(g);
        config->groups[i].group = NULL;
    }
}

void registry_mark_removed(struct registry *r, const struct config *config,
                           void (*gone)(void *user, struct target *t), void *user)
{
    list_each (at, &r->targets)
        list_entry(at, struct target, in_registry)->is_registered = false;
    for (size_t i = 0; i < config->group_count; i++) {
        struct group *g = config->groups[i].group;
        for (size_t j = 0; j < g->count; j++)
            g->targets[j]->is_registered = true;
    }
    list_each (at, &r->targets) {
        struct target *t = list_entry(at, struct target, in_registry);
        if (t->is_registered || target_state_of(t) == TARGET_DRAINING)
            continue;
        atomic_store(&t->state, TARGET_DRAINING);
        gone(user, t);
    }
}
