/* members.c -- see members.h. */
#include "alb/members.h"

#include "base/mem.h"
#include "base/rendezvous.h"

#include "alb/config.h"
#include "alb/names.h"
#include "alb/registrations.h"
#include "alb/target.h"

/* --- whose turn it is ------------------------------------------------------------ */

/* The weights in lowest terms, and their sum. */
static size_t reduce(const struct group *g, uint32_t *weights)
{
    uint32_t divisor = 0;
    size_t sum = 0;

    for (size_t i = 0; i < g->count; i++) {
        for (uint32_t w = g->weights[i]; w != 0;) {
            const uint32_t rest = divisor % w;
            divisor = w;
            w = rest;
        }
    }
    for (size_t i = 0; i < g->count && divisor != 0; i++) {
        weights[i] = g->weights[i] / divisor;
        sum += weights[i];
    }
    return sum;
}

/* Spread evenly: the k-th turn of a target is at about k * turns / weight. They
 * are sorted by that place, by counting. */
static void order_turns(struct group *g)
{
    uint32_t *weights = mem_array(uint32_t, g->count);

    g->turns = reduce(g, weights);
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

/* --- made and freed --------------------------------------------------------------- */

/* Where its groups and targets come from. */
struct making {
    struct registry *registry;
    const struct members_sources *from;
};

/* The first to name a target is its origin. */
static void add(const struct making *m, struct group *g, struct target *t, uint32_t weight,
                const char *origin)
{
    if (t->round == m->registry->round)
        return;
    t->round = m->registry->round;
    target_set_origin(t, origin);
    g->targets = mem_resize(g->targets, (g->count + 1) * sizeof(struct target *));
    g->weights = mem_resize(g->weights, (g->count + 1) * sizeof(g->weights[0]));
    g->targets[g->count] = target_ref(t);
    g->weights[g->count++] = weight;
}

static void add_name(const struct making *m, struct group *g, const struct target_name *name,
                     uint32_t weight, const char *origin)
{
    add(m, g, registry_target(m->registry, g->config->name, name->text, &name->addr), weight,
        origin);
}

static void add_of_dns(const struct making *m, struct group *g, const struct target_config *t)
{
    struct target_name name;
    size_t count;
    const struct ip *ips = names_addresses(m->from->names, t->name.host, &count);

    for (size_t i = 0; i < count; i++) {
        if (target_name_of_ip(&ips[i], t->name.port, &name))
            add_name(m, g, &name, t->weight, t->name.text);
    }
}

static void add_of_file(const struct making *m, struct group *g, const struct target_config *t)
{
    const struct registration *said =
        registrations_find(m->from->said, g->config->name, t->name.text);

    if (t->name.addr.len == 0)
        add_of_dns(m, g, t);
    else if (said == NULL || !said->is_out)
        add_name(m, g, &t->name, t->weight, TARGET_OF_FILE);
}

static void add_registered(const struct making *m, struct group *g)
{
    for (size_t i = 0; i < m->from->said->count; i++) {
        const struct registration *item = &m->from->said->items[i];
        if (!item->is_out && !item->is_drain && strcmp(item->group, g->config->name) == 0)
            add_name(m, g, &item->name, item->weight, TARGET_REGISTERED);
    }
}

static bool is_unanswered(const struct making *m, const struct group_config *config)
{
    for (size_t i = 0; i < config->target_count; i++) {
        const char *host = config->targets[i].name.host;
        size_t count;
        names_addresses(m->from->names, host, &count);
        if (host[0] != '\0' && count == 0)
            return true;
    }
    return false;
}

/* What was said by command holds at once. */
static bool is_kept(const struct making *m, const struct target *t)
{
    const struct registration *said = registrations_find(m->from->said, t->group, t->text);

    return strcmp(t->origin, TARGET_REGISTERED) != 0 && (said == NULL || !said->is_out);
}

static void add_those_before(const struct making *m, struct group *g)
{
    const struct members *before = m->from->before;

    for (size_t i = 0; before != NULL && i < before->group_count; i++) {
        const struct group *old = &before->groups[i];
        if (strcmp(old->config->name, g->config->name) != 0)
            continue;
        for (size_t j = 0; j < old->count; j++) {
            if (is_kept(m, old->targets[j]))
                add(m, g, old->targets[j], old->weights[j], old->targets[j]->origin);
        }
    }
}

/* --- whose a key is ------------------------------------------------------------------ */

static struct rendezvous *find_hash(const struct members *before, const char *name)
{
    for (size_t i = 0; before != NULL && i < before->group_count; i++) {
        if (strcmp(before->groups[i].config->name, name) == 0)
            return before->groups[i].hash;
    }
    return NULL;
}

/* The group's of before, when its targets are the same: a table takes a while to make. */
static void make_hash(const struct making *m, struct group *g)
{
    uint64_t *ids = mem_array(uint64_t, g->count);
    struct rendezvous *before = find_hash(m->from->before, g->config->name);

    for (size_t i = 0; i < g->count; i++)
        ids[i] = g->targets[i]->id;
    if (before != NULL && rendezvous_is_of(before, ids, g->weights, g->count))
        g->hash = rendezvous_ref(before);
    else
        g->hash = rendezvous_new(ids, g->weights, g->count);
    free(ids);
}

static void gather(const struct making *m, struct group *g, const struct group_config *config)
{
    g->config = config;
    g->state = group_state_ref(registry_group(m->registry, config->name));
    for (size_t i = 0; i < config->target_count; i++)
        add_of_file(m, g, &config->targets[i]);
    add_registered(m, g);
    if (is_unanswered(m, config))
        add_those_before(m, g);
    order_turns(g);
    if (config->options.algorithm == CONSISTENT_HASH)
        make_hash(m, g);
}

struct members *members_new(struct registry *r, const struct config *config,
                            const struct members_sources *sources)
{
    const struct making making = { r, sources };
    struct members *m = mem_new(struct members);

    r->round++;
    m->group_count = config->group_count;
    m->groups = mem_array(struct group, m->group_count);
    for (size_t i = 0; i < m->group_count; i++)
        gather(&making, &m->groups[i], &config->groups[i]);
    return m;
}

static void group_done(struct group *g)
{
    for (size_t i = 0; i < g->count; i++)
        target_unref(&g->targets[i]);
    group_state_unref(&g->state);
    free(g->targets);
    free(g->weights);
    free(g->order);
    rendezvous_unref(&g->hash);
}

void members_free(struct members **members)
{
    struct members *m = *members;

    *members = NULL;
    if (m == NULL)
        return;
    for (size_t i = 0; i < m->group_count; i++)
        group_done(&m->groups[i]);
    free(m->groups);
    free(m);
}

struct group *members_of(const struct members *members, const struct group_config *group)
{
    return &members->groups[group->index];
}

struct target *members_find(const struct members *members, const struct group_config *group,
                            const char *text)
{
    const struct group *g = members_of(members, group);

    for (size_t i = 0; i < g->count; i++) {
        if (strcmp(g->targets[i]->text, text) == 0)
            return g->targets[i];
    }
    return NULL;
}

/* --- who is there ------------------------------------------------------------------- */

void members_mark(struct registry *r, const struct members *members,
                  void (*gone)(void *user, struct target *t), void *user)
{
    list_each (at, &r->targets)
        list_entry(at, struct target, in_registry)->is_registered = false;
    for (size_t i = 0; i < members->group_count; i++) {
        const struct group *g = &members->groups[i];
        for (size_t j = 0; j < g->count; j++)
            g->targets[j]->is_registered = true;
    }
    list_each (at, &r->targets) {
        struct target *t = list_entry(at, struct target, in_registry);
        if (t->is_registered || target_health_of(t) == TARGET_DRAINING)
            continue;
        atomic_store(&t->state, TARGET_DRAINING);
        gone(user, t);
    }
}
