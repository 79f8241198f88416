/* balance.c -- see balance.h. */
#include "alb/balance.h"

#include "http/message.h"
#include "stickiness/stickiness.h"

#include "alb/config.h"
#include "alb/members.h"
#include "alb/target.h"

#define NS_A_SECOND UINT64_C(1000000000)

/* One search for a target. */
struct search {
    const struct group *group;
    uint64_t mono_ms;
    const uint64_t *tried;
    size_t tried_count;
    bool any_health; /* the group fails open */
    bool saw_full;
    uint32_t upgrades_a_second;
    bool saw_slow; /* a target that has had its part of them */
};

/* --- who may be chosen --------------------------------------------------------------- */

static bool was_tried(const struct search *s, const struct target *t)
{
    for (size_t i = 0; i < s->tried_count; i++) {
        if (s->tried[i] == t->id)
            return true;
    }
    return false;
}

static bool may_get(const struct search *s, const struct target *t)
{
    const enum target_state state = target_state_of(t);

    return state != TARGET_DRAINING && (s->any_health || target_state_is_usable(state)) &&
           (s->tried_count == 0 || !was_tried(s, t));
}

static bool is_full(struct search *s, const struct target *t)
{
    const uint32_t most = s->group->config->options.target_max_connections;
    const bool full = most != 0 && target_outstanding(t) >= most;

    s->saw_full |= full;
    return full;
}

/* Loops may meet at the last place of a target: whoever counts beyond it steps back. */
static bool take_place(struct search *s, struct target *t)
{
    const uint32_t most = s->group->config->options.target_max_connections;

    if (atomic_fetch_add_explicit(&t->outstanding, 1, memory_order_relaxed) < most || most == 0)
        return true;
    target_release(t);
    s->saw_full = true;
    return false;
}

static uint32_t next_turn(const struct group *g)
{
    return atomic_fetch_add_explicit(&g->state->turn, 1, memory_order_relaxed);
}

/* A number that looks drawn, for each turn another (the mixer of SplitMix64). */
static uint64_t draw(uint64_t turn)
{
    uint64_t z = (turn + 1) * 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* --- slow start ------------------------------------------------------------------------ */

uint32_t slow_start_share(uint64_t elapsed_ms, uint32_t duration_ms)
{
    if (elapsed_ms >= duration_ms)
        return SHARE_WHOLE;
    return (uint32_t)(elapsed_ms * SHARE_WHOLE / duration_ms);
}

/* The time between two upgrades, for a target that has this part of its share of their rate. */
static uint64_t upgrade_interval_ns(const struct search *s, const struct target *t, uint32_t share)
{
    const struct group *g = s->group;
    uint64_t weight = 1, all = 0;

    for (size_t i = 0; i < g->count; i++) {
        all += g->weights[i];
        if (g->targets[i] == t)
            weight = g->weights[i];
    }
    return NS_A_SECOND / s->upgrades_a_second * all * SHARE_WHOLE / (weight * share);
}

/* In slow start upgrades are counted by the second, not by turns: a storm of them has no end of
 * turns. */
static bool takes_upgrade(struct search *s, struct target *t, uint32_t share)
{
    const uint64_t interval = share == 0 ? 0 : upgrade_interval_ns(s, t, share);
    const uint64_t depth = interval > NS_A_SECOND / 10 ? interval : NS_A_SECOND / 10;
    const bool takes = share > 0 && admission_take(&t->ramp, interval, depth, s->mono_ms * 1000000);

    s->saw_slow |= !takes;
    return takes;
}

/* The part of its share that it has, SHARE_WHOLE when it does not start slowly. */
static uint32_t share_now(const struct search *s, const struct target *t)
{
    const uint64_t began_ms = atomic_load_explicit(&t->ramp_began_ms, memory_order_relaxed);
    const uint32_t duration_ms = s->group->config->options.slow_start_ms;

    if (began_ms == 0 || duration_ms == 0)
        return SHARE_WHOLE;
    return slow_start_share(s->mono_ms > began_ms ? s->mono_ms - began_ms : 0, duration_ms);
}

/* In slow start it takes only so many of its turns as its share says: it saves up parts, and
 * takes the turn in which they make a whole. */
static bool takes_its_turn(struct search *s, struct target *t)
{
    const uint32_t share = share_now(s, t);

    if (share == SHARE_WHOLE)
        return true;
    if (s->upgrades_a_second != 0)
        return takes_upgrade(s, t, share);
    const uint32_t saved = atomic_fetch_add_explicit(&t->ramp_saved, share, memory_order_relaxed);
    return (saved + share) / SHARE_WHOLE != saved / SHARE_WHOLE;
}

/* --- the last resort ---------------------------------------------------------------------- */

/* Turns do not matter any more, but a limit does. */
static bool may_be_last(struct search *s, struct target *t)
{
    const uint32_t share = s->upgrades_a_second == 0 ? SHARE_WHOLE : share_now(s, t);

    return share == SHARE_WHOLE || takes_upgrade(s, t, share);
}

/* The first from `start` on, round the group: when an algorithm has found none in the tries
 * that it may cost. */
static struct target *first_from(struct search *s, uint64_t start)
{
    const struct group *g = s->group;

    for (size_t i = 0; i < g->count; i++) {
        const size_t at = (start + i) % g->count;
        struct target *t = g->targets[at];
        if (g->weights[at] > 0 && may_get(s, t) && !is_full(s, t) && may_be_last(s, t) &&
            take_place(s, t))
            return t;
    }
    return NULL;
}

/* --- round_robin ---------------------------------------------------------------------- */

/* A retry takes nobody's turn: else, of two targets, the one that does not answer would get
 * every first try. */
static uint64_t turn_for(const struct search *s, size_t tries)
{
    if (s->tried_count == 0)
        return next_turn(s->group);
    return draw(atomic_load_explicit(&s->group->state->turn, memory_order_relaxed)) + tries;
}

/* Each turn that a target does not take goes to no other, so that the others' shares stay
 * alike: another turn is drawn instead. */
static struct target *in_turn(struct search *s)
{
    const struct group *g = s->group;

    for (size_t tries = 0; tries < 2 * g->count; tries++) {
        struct target *t = g->targets[g->order[turn_for(s, tries) % g->turns]];
        if (may_get(s, t) && !is_full(s, t) && takes_its_turn(s, t) && take_place(s, t))
            return t;
    }
    return first_from(s, turn_for(s, 0));
}

/* --- least_outstanding_requests --------------------------------------------------------- */

/* The least (outstanding + 1) / weight; of equal ones each has the same chance. */
static struct target *find_least(struct search *s, uint64_t chance)
{
    const struct group *g = s->group;
    struct target *least = NULL;
    uint64_t least_load = 0, least_weight = 0, equals = 0;

    for (size_t i = 0; i < g->count; i++) {
        struct target *t = g->targets[i];
        const uint64_t weight = g->weights[i];
        if (weight == 0 || !may_get(s, t) || is_full(s, t))
            continue;
        const uint64_t load = (uint64_t)target_outstanding(t) + 1;
        const uint64_t mine = load * least_weight, its = least_load * weight;
        if (least == NULL || mine < its)
            equals = 1;
        else if (mine > its || (chance = draw(chance)) % ++equals != 0)
            continue;
        least = t;
        least_load = load;
        least_weight = weight;
    }
    return least;
}

static struct target *least_outstanding(struct search *s)
{
    enum { TRIES = 4 }; /* another loop may take the last place first */

    for (int i = 0; i < TRIES; i++) {
        struct target *t = find_least(s, draw(next_turn(s->group)));
        if (t == NULL || take_place(s, t))
            return t;
    }
    return first_from(s, next_turn(s->group));
}

/* --- weighted_random -------------------------------------------------------------------- */

static struct target *by_chance(struct search *s)
{
    const struct group *g = s->group;

    for (size_t tries = 0; tries < 2 * g->count; tries++) {
        const uint64_t chance = draw(next_turn(g));
        struct target *t = g->targets[g->order[(chance >> 16) % g->turns]];
        const uint32_t share = atomic_load_explicit(&t->share, memory_order_relaxed);
        if (may_get(s, t) && chance % SHARE_WHOLE < share && !is_full(s, t) && take_place(s, t))
            return t;
    }
    return first_from(s, draw(next_turn(g)));
}

/* --- the choice ---------------------------------------------------------------------------- */

static struct target *by_algorithm(struct search *s)
{
    static struct target *(*const algorithms[])(struct search *) = {
        [ROUND_ROBIN] = in_turn,
        [LEAST_OUTSTANDING_REQUESTS] = least_outstanding,
        [WEIGHTED_RANDOM] = by_chance,
    };

    if (s->group->turns == 0)
        return NULL;
    struct target *t = algorithms[s->group->config->options.algorithm](s);
    if (t != NULL || s->any_health || s->saw_full || s->saw_slow)
        return t;
    s->any_health = true; /* their health has changed, and the group was not looked at since */
    return algorithms[s->group->config->options.algorithm](s);
}

static struct target *by_id(const struct group *g, uint64_t id)
{
    for (size_t i = 0; i < g->count; i++) {
        if (g->targets[i]->id == id)
            return g->targets[i];
    }
    return NULL;
}

static struct target *by_cookie(struct search *s, const struct balance_ask *ask)
{
    const struct group_config *config = s->group->config;
    unsigned tries = STICKINESS_TRIES;
    uint64_t id;

    for (const struct http_field *f = http_find(ask->request, HTTP_N_COOKIE); f != NULL;
         f = http_find_next(ask->request, f)) {
        if (stickiness_read(&config->stickiness, ask->ring, f->value, config->id, ask->wall_s,
                            &tries, &id) == STICKINESS_FOUND) {
            struct target *t = by_id(s->group, id);
            return t != NULL && may_get(s, t) && !is_full(s, t) && take_place(s, t) ? t : NULL;
        }
    }
    return NULL;
}

static struct search search_of(const struct group *g, uint64_t mono_ms)
{
    return (struct search){
        .group = g,
        .mono_ms = mono_ms,
        .any_health = atomic_load_explicit(&g->state->fails_open, memory_order_relaxed),
    };
}

static const char *why_none(const struct search *s)
{
    if (s->saw_slow)
        return "all targets that could take it start slowly";
    return s->saw_full ? "targets full" : "no target";
}

static void count_choice(const struct search *s, const struct choice *choice)
{
    struct group_counters *n = &s->group->state->counters;

    if (choice->target == NULL && s->saw_slow)
        return; /* upgrades_limited is the caller's */
    if (choice->target == NULL) {
        metric_add(s->saw_full ? &n->all_full : &n->no_target, 1);
        return;
    }
    if (s->any_health)
        metric_add(&n->unhealthy_routing, 1);
    if (s->group->config->options.stickiness && !choice->by_cookie)
        metric_add(&n->non_sticky, 1);
}

struct choice balance_choose(const struct group *g, const struct balance_ask *ask)
{
    struct search s = search_of(g, ask->mono_ms);
    struct choice choice = { 0 };

    s.upgrades_a_second = ask->upgrades_a_second;
    if (g->config->options.stickiness)
        choice.target = by_cookie(&s, ask);
    choice.by_cookie = choice.target != NULL;
    if (choice.target == NULL)
        choice.target = by_algorithm(&s);
    choice.why = choice.target == NULL ? why_none(&s) : NULL;
    choice.is_slow_start = choice.target == NULL && s.saw_slow;
    count_choice(&s, &choice);
    return choice;
}

struct choice balance_choose_other(const struct group *g, uint64_t mono_ms, const uint64_t *tried,
                                   size_t tried_count)
{
    struct search s = search_of(g, mono_ms);

    s.tried = tried;
    s.tried_count = tried_count;
    struct target *t = by_algorithm(&s);
    return (struct choice){ .target = t, .why = t == NULL ? why_none(&s) : NULL };
}
