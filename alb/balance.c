/* balance.c -- see balance.h. */
#include "alb/balance.h"

#include "base/rendezvous.h"

#include "alb/config.h"
#include "alb/members.h"
#include "alb/soft_bound.h"
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
    bool saw_slow;    /* a target that has had its part of them */
    bool keeps_bound; /* who is over the soft bound is passed over */
    bool has_summed;  /* `bound` is filled in */
    struct soft_bound bound;

    struct balance_key key;
    bool skips_slow;                 /* who starts slowly gets only its part of the keys */
    bool is_key_first, key_was_over; /* what became of the key, for the counters */
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

static bool may_have(const struct search *s, const struct target *t)
{
    const enum target_state state = target_state_of(t);

    return state != TARGET_DRAINING && (s->any_health || target_state_is_usable(state)) &&
           (s->tried_count == 0 || !was_tried(s, t));
}

/* What the soft bound compares with: over those that may get requests. */
static void sum_up(struct search *s)
{
    const struct group *g = s->group;

    s->has_summed = true;
    s->bound.percent = g->config->options.soft_bound_percent;
    for (size_t i = 0; i < g->count; i++) {
        if (g->weights[i] == 0 || !may_have(s, g->targets[i]))
            continue;
        s->bound.outstanding += target_outstanding(g->targets[i]);
        s->bound.weights += g->weights[i];
    }
}

static bool is_over_bound(struct search *s, size_t at)
{
    const uint32_t outstanding = target_outstanding(s->group->targets[at]);

    if (soft_bound_is_far(outstanding))
        return false;
    if (!s->has_summed)
        sum_up(s);
    return soft_bound_is_over(&s->bound, outstanding, s->group->weights[at]);
}

static bool may_get(struct search *s, size_t at)
{
    return may_have(s, s->group->targets[at]) && !(s->keeps_bound && is_over_bound(s, at));
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
        if (g->weights[at] > 0 && may_get(s, at) && !is_full(s, t) && may_be_last(s, t) &&
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
        const size_t at = g->order[turn_for(s, tries) % g->turns];
        struct target *t = g->targets[at];
        if (may_get(s, at) && !is_full(s, t) && takes_its_turn(s, t) && take_place(s, t))
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
        if (weight == 0 || !may_get(s, i) || is_full(s, t))
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
        const size_t at = g->order[(chance >> 16) % g->turns];
        struct target *t = g->targets[at];
        const uint32_t share = atomic_load_explicit(&t->share, memory_order_relaxed);
        if (may_get(s, at) && chance % SHARE_WHOLE < share && !is_full(s, t) && take_place(s, t))
            return t;
    }
    return first_from(s, draw(next_turn(g)));
}

/* --- consistent_hash --------------------------------------------------------------------- */

/* In slow start it has the part of its keys whose hashes end in the least numbers: another part,
 * which holds this one, the next time. The slot is at the hash's other end. */
static bool takes_key(const struct search *s, const struct target *t)
{
    return !s->skips_slow || s->key.hash % SHARE_WHOLE < share_now(s, t);
}

static bool may_get_key(struct search *s, size_t at)
{
    struct target *t = s->group->targets[at];

    return may_get(s, at) && !is_full(s, t) && takes_key(s, t);
}

/* The first in the order of its slot; SIZE_MAX when none may get it. */
static size_t next_for_key(struct search *s, uint32_t slot)
{
    const struct group *g = s->group;
    struct rendezvous_turn first = { 0 };
    size_t found = SIZE_MAX;

    for (size_t i = 0; i < g->count; i++) {
        if (g->weights[i] == 0 || !may_get_key(s, i))
            continue;
        const struct rendezvous_turn turn = rendezvous_turn(g->hash, slot, i);
        if (found != SIZE_MAX && !rendezvous_is_before(&turn, &first))
            continue;
        found = i;
        first = turn;
    }
    return found;
}

/* Slow start is forgotten when nobody else is left. */
static struct target *by_order_of_key(struct search *s, uint32_t slot)
{
    enum { TRIES = 4 }; /* another loop may take the last place first */

    for (int i = 0; i < TRIES; i++) {
        const size_t at = next_for_key(s, slot);
        if (at == SIZE_MAX && !s->skips_slow)
            return NULL;
        if (at == SIZE_MAX)
            s->skips_slow = false;
        else if (take_place(s, s->group->targets[at]))
            return s->group->targets[at];
    }
    return first_from(s, slot);
}

static struct target *by_key(struct search *s)
{
    const uint32_t slot = rendezvous_slot(s->key.hash);
    const size_t first = rendezvous_first(s->group->hash, slot);

    s->skips_slow = true;
    if (may_get_key(s, first) && take_place(s, s->group->targets[first])) {
        s->is_key_first = true;
        return s->group->targets[first];
    }
    s->key_was_over |=
        s->keeps_bound && may_have(s, s->group->targets[first]) && is_over_bound(s, first);
    return by_order_of_key(s, slot);
}

static struct target *by_key_or_turn(struct search *s)
{
    return s->key.is_there ? by_key(s) : in_turn(s);
}

/* --- the choice ---------------------------------------------------------------------------- */

static struct target *by_algorithm(struct search *s)
{
    static struct target *(*const algorithms[])(struct search *) = {
        [ROUND_ROBIN] = in_turn,
        [LEAST_OUTSTANDING_REQUESTS] = least_outstanding,
        [WEIGHTED_RANDOM] = by_chance,
        [CONSISTENT_HASH] = by_key_or_turn,
    };

    return algorithms[s->group->config->options.algorithm](s);
}

/* The soft bound leaves nobody without a target. And the health of all may have changed, and the
 * group was not looked at since. */
static struct target *by_algorithm_at_last(struct search *s)
{
    if (s->group->turns == 0)
        return NULL;
    struct target *t = by_algorithm(s);
    if (t == NULL && s->keeps_bound) {
        s->keeps_bound = false;
        t = by_algorithm(s);
    }
    if (t != NULL || s->any_health || s->saw_full || s->saw_slow)
        return t;
    s->any_health = true;
    return by_algorithm(s);
}

/* The member's index; SIZE_MAX when it is none. */
static size_t find_id(const struct group *g, uint64_t id)
{
    for (size_t i = 0; i < g->count; i++) {
        if (g->targets[i]->id == id)
            return i;
    }
    return SIZE_MAX;
}

/* Beyond the soft bound the cookie is as good as none, and whoever gets the request in its place is
 * within it. */
static struct target *by_cookie(struct search *s, const uint64_t *id)
{
    const size_t at = id == NULL ? SIZE_MAX : find_id(s->group, *id);
    struct target *t = at == SIZE_MAX ? NULL : s->group->targets[at];

    if (t == NULL || !may_have(s, t) || is_full(s, t))
        return NULL;
    if (s->group->config->options.soft_bound_percent != 0 && is_over_bound(s, at)) {
        metric_add(&s->group->state->counters.cookies_over_bound, 1);
        s->keeps_bound = true;
        return NULL;
    }
    return take_place(s, t) ? t : NULL;
}

static bool is_hashed(const struct group *g)
{
    return g->config->options.algorithm == CONSISTENT_HASH;
}

static struct search search_of(const struct group *g, uint64_t mono_ms)
{
    return (struct search){
        .keeps_bound = is_hashed(g) && g->config->options.soft_bound_percent != 0,
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

static void count_key(const struct search *s)
{
    struct group_counters *n = &s->group->state->counters;

    metric_add(!s->key.is_there  ? &n->keys_none
               : s->is_key_first ? &n->keys_first
                                 : &n->keys_next,
               1);
    if (s->key_was_over && !s->is_key_first)
        metric_add(&n->keys_over_bound, 1);
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
    if (is_hashed(s->group) && !choice->by_cookie)
        count_key(s);
    const struct group_options *o = &s->group->config->options;
    if (!o->stickiness || choice->by_cookie)
        return;
    metric_add(&n->non_sticky, 1);
    if (o->stickiness_type == STICKINESS_TYPE_APP_COOKIE)
        metric_add(&n->app_cookie_non_sticky, 1);
}

struct choice balance_choose(const struct group *g, const struct balance_ask *ask)
{
    struct search s = search_of(g, ask->mono_ms);
    struct choice choice = { 0 };

    s.upgrades_a_second = ask->upgrades_a_second;
    s.key = ask->key;
    if (g->config->options.stickiness)
        choice.target = by_cookie(&s, ask->by_cookie);
    choice.by_cookie = choice.target != NULL;
    if (choice.target == NULL)
        choice.target = by_algorithm_at_last(&s);
    choice.why = choice.target == NULL ? why_none(&s) : NULL;
    choice.is_slow_start = choice.target == NULL && s.saw_slow;
    count_choice(&s, &choice);
    return choice;
}

struct choice balance_choose_other(const struct group *g, const struct balance_again *again)
{
    struct search s = search_of(g, again->mono_ms);

    s.tried = again->tried;
    s.tried_count = again->tried_count;
    s.key = again->key;
    struct target *t = by_algorithm_at_last(&s);
    return (struct choice){ .target = t, .why = t == NULL ? why_none(&s) : NULL };
}
