/* test_balance.c -- who is chosen: shares, slow start, health, limits. */
#include "base/rendezvous.h"

#include "alb/balance.h"
#include "alb/group_health.h"
#include "alb/members.h"
#include "alb/registrations.h"
#include "alb/target.h"

#include "config_fixture.h"

enum { TARGETS_MOST = 8 };

static struct registry registry;
static struct registrations said_nothing;
static const struct members_sources sources = { .said = &said_nothing };
static struct config *config;
static struct members *members;
static struct group *group;
static uint64_t now_ms;

/* The targets are 10.0.0.1:80 and on, all healthy. */
static void set_up(const char *lines)
{
    char text[2048];
    struct problems p;

    snprintf(text, sizeof(text), EDGE LISTENER "[target_group chat]\n%s", lines);
    registry_init(&registry);
    config = read_text(text, &p);
    assert_non_null(config);
    problems_done(&p);
    members = members_new(&registry, config, &sources);
    group = &members->groups[0];
    for (size_t i = 0; i < group->count; i++)
        atomic_store(&group->targets[i]->state, TARGET_HEALTHY);
    group_review(group);
    now_ms = 1000;
}

static void tear_down(void)
{
    members_free(&members);
    config_free(&config);
    registry_done(&registry);
}

#define THREE "target = 10.0.0.1:80\ntarget = 10.0.0.2:80\ntarget = 10.0.0.3:80\n"
#define WEIGHTED                                                                                   \
    "target = 10.0.0.1:80 weight=1\ntarget = 10.0.0.2:80 weight=2\n"                               \
    "target = 10.0.0.3:80 weight=5\ntarget = 10.0.0.4:80 weight=0\n"
#define ALGORITHM(name) "load_balancing.algorithm.type = " name "\n"

static size_t index_of(const struct target *t)
{
    for (size_t i = 0; i < group->count; i++) {
        if (group->targets[i] == t)
            return i;
    }
    fail_msg("not of this group");
    return 0;
}

static uint32_t upgrades_a_second; /* 0 unless a test says so */
static struct balance_key key;     /* for consistent_hash */

static struct choice choose(void)
{
    const struct balance_ask ask = { .key = key,
                                     .mono_ms = now_ms,
                                     .upgrades_a_second = upgrades_a_second };

    return balance_choose(group, &ask);
}

/* How many of `n` requests, each ended at once, go where. */
static void count_choices(unsigned n, unsigned counts[TARGETS_MOST])
{
    memset(counts, 0, TARGETS_MOST * sizeof(counts[0]));
    for (unsigned i = 0; i < n; i++) {
        const struct choice c = choose();
        assert_non_null(c.target);
        counts[index_of(c.target)]++;
        target_release(c.target);
    }
}

static void assert_about(unsigned got, unsigned want, unsigned slack)
{
    if (got + slack < want || got > want + slack)
        fail_msg("%u is not %u by %u", got, want, slack);
}

/* --- shares ----------------------------------------------------------------------- */

static const struct {
    const char *name, *lines;
    unsigned healthy; /* a bit for each target */
    unsigned want[TARGETS_MOST];
    unsigned slack;
} shares[] = {
    { "in turn", THREE, 7, { 400, 400, 400 }, 0 },
    { "in turn, by weight", WEIGHTED, 15, { 150, 300, 750, 0 }, 0 },
    { "in turn, one out: the others alike", THREE, 5, { 600, 0, 600 }, 1 },
    { "least", ALGORITHM("least_outstanding_requests") THREE, 7, { 400, 400, 400 }, 60 },
    { "least, one out", ALGORITHM("least_outstanding_requests") THREE, 6, { 0, 600, 600 }, 80 },
    { "by chance", ALGORITHM("weighted_random") THREE, 7, { 400, 400, 400 }, 60 },
    { "by chance, by weight", ALGORITHM("weighted_random") WEIGHTED, 15, { 150, 300, 750, 0 }, 60 },
    { "by chance, one out", ALGORITHM("weighted_random") THREE, 3, { 600, 600, 0 }, 80 },
    { "none healthy: all", THREE, 0, { 400, 400, 400 }, 0 },
    { "only one without weight is healthy", WEIGHTED, 8, { 150, 300, 750, 0 }, 0 },
};

static void test_shares(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(shares); i++) {
        unsigned counts[TARGETS_MOST];
        set_up(shares[i].lines);
        for (size_t t = 0; t < group->count; t++) {
            if ((shares[i].healthy >> t & 1) == 0)
                atomic_store(&group->targets[t]->state, TARGET_UNHEALTHY);
        }
        group_review(group);
        count_choices(1200, counts);
        for (size_t t = 0; t < group->count; t++) {
            if (counts[t] + shares[i].slack < shares[i].want[t] ||
                counts[t] > shares[i].want[t] + shares[i].slack)
                fail_msg("%s: target %zu got %u", shares[i].name, t, counts[t]);
        }
        tear_down();
    }
}

/* --- least outstanding -------------------------------------------------------------- */

static void test_least_outstanding_is_by_weight(void **state)
{
    (void)state;
    set_up(ALGORITHM("least_outstanding_requests") WEIGHTED);
    for (int i = 0; i < 80; i++)
        assert_non_null(choose().target); /* none ends */
    assert_int_equal(target_outstanding(group->targets[0]), 10);
    assert_int_equal(target_outstanding(group->targets[1]), 20);
    assert_int_equal(target_outstanding(group->targets[2]), 50);
    assert_int_equal(target_outstanding(group->targets[3]), 0);
    target_release(group->targets[2]);
    target_release(group->targets[2]);
    assert_ptr_equal(choose().target, group->targets[2]);
    tear_down();
}

/* --- slow start --------------------------------------------------------------------- */

static void test_share_of_a_slow_start(void **state)
{
    (void)state;
    assert_int_equal(slow_start_share(0, 30000), 0);
    assert_int_equal(slow_start_share(7500, 30000), SHARE_WHOLE / 4);
    assert_int_equal(slow_start_share(15000, 30000), SHARE_WHOLE / 2);
    assert_int_equal(slow_start_share(30000, 30000), SHARE_WHOLE);
    assert_int_equal(slow_start_share(UINT64_MAX, 900000), SHARE_WHOLE);
    assert_int_equal(slow_start_share(0, 0), SHARE_WHOLE);
}

/* Beside two warm ones, at a part f of the time it gets f / (2 + f) of the requests. */
static void test_slow_start_grows_evenly(void **state)
{
    static const struct {
        uint64_t after_ms;
        unsigned per_mille; /* of a warm target's share */
    } points[] = { { 0, 0 },       { 10000, 100 },   { 25000, 250 },  { 50000, 500 },
                   { 90000, 900 }, { 100000, 1000 }, { 200000, 1000 } };
    (void)state;

    set_up(THREE "slow_start.duration_seconds = 100\n");
    struct target *t = group->targets[1];
    group_set_state(group, t, TARGET_UNHEALTHY, now_ms);
    group_set_state(group, t, TARGET_HEALTHY, now_ms);
    assert_int_equal(atomic_load(&t->ramp_began_ms), now_ms);
    for (size_t i = 0; i < COUNT(points); i++) {
        unsigned counts[TARGETS_MOST];
        now_ms = 1000 + points[i].after_ms;
        count_choices(3000, counts);
        assert_about(counts[1], counts[0] * points[i].per_mille / 1000, 3);
        assert_about(counts[0], counts[2], 1);
    }
    tear_down();
}

static void test_who_starts_slowly(void **state)
{
    (void)state;
    set_up(THREE "slow_start.duration_seconds = 100\n");
    struct target *const *t = group->targets;

    for (size_t i = 0; i < 3; i++)
        group_set_state(group, t[i], TARGET_UNHEALTHY, now_ms);
    group_set_state(group, t[0], TARGET_HEALTHY, now_ms);
    assert_int_equal(atomic_load(&t[0]->ramp_began_ms), 0); /* nobody else is there */
    group_set_state(group, t[1], TARGET_HEALTHY, now_ms);
    assert_int_equal(atomic_load(&t[1]->ramp_began_ms), now_ms);
    assert_true(group_has_warm(group, now_ms));

    group_set_state(group, t[1], TARGET_UNHEALTHY, now_ms); /* leaves it */
    assert_int_equal(atomic_load(&t[1]->ramp_began_ms), 0);
    group_set_state(group, t[1], TARGET_HEALTHY, now_ms + 50); /* enters again */
    assert_int_equal(atomic_load(&t[1]->ramp_began_ms), now_ms + 50);

    group_set_state(group, t[0], TARGET_UNHEALTHY, now_ms + 60);
    assert_false(group_has_warm(group, now_ms + 60));
    group_set_state(group, t[2], TARGET_HEALTHY, now_ms + 60); /* the other is not warm yet */
    assert_int_equal(atomic_load(&t[2]->ramp_began_ms), 0);
    assert_true(group_has_warm(group, now_ms + 100050));

    group_set_state(group, t[0], TARGET_UNHEALTHY, now_ms + 70);
    t[0]->starts_warm = true; /* it came with the first of the group */
    group_set_state(group, t[0], TARGET_HEALTHY, now_ms + 70);
    assert_int_equal(atomic_load(&t[0]->ramp_began_ms), 0);
    tear_down();
}

/* Somebody has to. */
static void test_only_slow_ones_are_left(void **state)
{
    unsigned counts[TARGETS_MOST];
    (void)state;

    set_up(THREE "slow_start.duration_seconds = 100\n");
    for (size_t i = 0; i < 3; i++)
        atomic_store(&group->targets[i]->ramp_began_ms, now_ms);
    count_choices(300, counts);
    for (size_t i = 0; i < 3; i++)
        assert_true(counts[i] > 0);
    tear_down();
}

/* A storm for a second, around which the share hardly changes: how many upgrades a target gets. */
static unsigned storm(size_t target)
{
    unsigned got = 0;

    for (unsigned i = 0; i < 10000; i++, now_ms += i % 10 == 0) {
        const struct choice c = choose();
        assert_true(c.target != NULL || c.is_slow_start);
        if (c.target == NULL)
            continue;
        got += index_of(c.target) == target;
        target_release(c.target);
    }
    return got;
}

/* By the second, not by the turn: however many come. Its share of 300 a second is 100. */
static void test_upgrades_to_a_target_in_slow_start(void **state)
{
    static const struct {
        uint64_t after_ms;
        unsigned want;
    } points[] = { { 0, 0 }, { 100000, 10 }, { 500000, 50 }, { 900000, 90 } };
    (void)state;

    set_up(THREE "slow_start.duration_seconds = 900\n");
    upgrades_a_second = 300;
    struct target *t = group->targets[1];
    group_set_state(group, t, TARGET_UNHEALTHY, now_ms);
    group_set_state(group, t, TARGET_HEALTHY, now_ms);
    const uint64_t began_ms = now_ms;
    for (size_t i = 0; i < COUNT(points); i++) {
        now_ms = began_ms + points[i].after_ms * 9 / 10;
        assert_about(storm(1), points[i].want, 2 + points[i].want / 8);
    }
    now_ms = began_ms + 900000;
    assert_about(storm(1), 3333, 1);
    upgrades_a_second = 0;
    tear_down();
}

/* Plain requests have to go somewhere; of upgrades there are as many as that. */
static void test_upgrades_when_only_slow_ones_are_left(void **state)
{
    (void)state;
    set_up(THREE "slow_start.duration_seconds = 900\n");
    for (size_t i = 0; i < 3; i++)
        atomic_store(&group->targets[i]->ramp_began_ms, now_ms);
    upgrades_a_second = 300;
    struct choice c = choose();
    assert_null(c.target);
    assert_true(c.is_slow_start);
    assert_string_equal(c.why, "all targets that could take it start slowly");
    assert_int_equal(metric_get(&group->state->counters.no_target), 0);
    now_ms += 450000;
    const unsigned got = storm(0) + storm(1) + storm(2);
    assert_about(got, 150, 25);
    upgrades_a_second = 0;
    c = choose();
    assert_non_null(c.target);
    target_release(c.target);
    tear_down();
}

/* --- limits, draining, retries --------------------------------------------------------- */

static void test_full_targets_are_passed_over(void **state)
{
    static const char *const lines[] = {
        THREE "target.max_connections = 2\n",
        ALGORITHM("least_outstanding_requests") THREE "target.max_connections = 2\n",
        ALGORITHM("weighted_random") THREE "target.max_connections = 2\n",
    };
    (void)state;

    for (size_t i = 0; i < COUNT(lines); i++) {
        set_up(lines[i]);
        for (int n = 0; n < 6; n++)
            assert_non_null(choose().target);
        const struct choice none = choose();
        assert_null(none.target);
        assert_string_equal(none.why, "targets full");
        for (size_t t = 0; t < 3; t++)
            assert_int_equal(target_outstanding(group->targets[t]), 2);
        assert_int_equal(group->state->counters.all_full, 1);
        target_release(group->targets[2]);
        assert_ptr_equal(choose().target, group->targets[2]);
        tear_down();
    }
}

static void test_a_draining_target_gets_nothing(void **state)
{
    unsigned counts[TARGETS_MOST];
    (void)state;

    set_up(THREE);
    for (size_t i = 0; i < 3; i++)
        atomic_store(&group->targets[i]->state, i == 1 ? TARGET_DRAINING : TARGET_UNHEALTHY);
    group_review(group);
    assert_true(atomic_load(&group->state->fails_open));
    count_choices(100, counts);
    assert_int_equal(counts[1], 0);
    assert_about(counts[0], 50, 1);
    assert_int_equal(group->state->counters.unhealthy_routing, 100);
    tear_down();
}

/* --- cookies ------------------------------------------------------------------------ */

static const struct {
    const char *name, *type;
    size_t asked; /* a target's number; 3: one that is not a member */
    enum target_state state;
    uint32_t outstanding; /* of one that takes 2 */
    bool by_cookie;
} cookie_rows[] = {
    { "the first", "lb_cookie", 0, TARGET_HEALTHY, 0, true },
    { "the last", "lb_cookie", 2, TARGET_HEALTHY, 1, true },
    { "a session's", "app_cookie", 1, TARGET_HEALTHY, 0, true },
    { "unhealthy", "lb_cookie", 1, TARGET_UNHEALTHY, 0, false },
    { "draining", "lb_cookie", 1, TARGET_DRAINING, 0, false },
    { "full", "lb_cookie", 1, TARGET_HEALTHY, 2, false },
    { "gone", "lb_cookie", 3, TARGET_HEALTHY, 0, false },
    { "a session's, gone", "app_cookie", 3, TARGET_HEALTHY, 0, false },
};

static void test_a_cookies_target_goes_first(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cookie_rows); i++) {
        char lines[512];
        snprintf(lines, sizeof(lines),
                 THREE
                 "target.max_connections = 2\nstickiness.enabled = yes\nstickiness.type = %s\n"
                 "stickiness.app_cookie.cookie_name = sid\n",
                 cookie_rows[i].type);
        set_up(lines);
        const size_t asked = cookie_rows[i].asked;
        const uint64_t id = asked < 3 ? group->targets[asked]->id : 1;
        if (asked < 3) {
            atomic_store(&group->targets[asked]->state, cookie_rows[i].state);
            atomic_store(&group->targets[asked]->outstanding, cookie_rows[i].outstanding);
        }
        const struct balance_ask ask = { .mono_ms = now_ms, .by_cookie = &id };
        const struct choice c = balance_choose(group, &ask);
        const bool is_asked = c.target != NULL && asked < 3 && c.target == group->targets[asked];
        const bool is_app = strcmp(cookie_rows[i].type, "app_cookie") == 0;
        if (c.by_cookie != cookie_rows[i].by_cookie || is_asked != c.by_cookie ||
            group->state->counters.non_sticky != !c.by_cookie ||
            group->state->counters.app_cookie_non_sticky != (is_app && !c.by_cookie))
            fail_msg("%s", cookie_rows[i].name);
        tear_down();
    }
}

static void test_another_one(void **state)
{
    (void)state;
    set_up(THREE);
    const uint64_t tried[3] = { group->targets[0]->id, group->targets[2]->id,
                                group->targets[1]->id };
    struct balance_again again = { .tried = tried, .tried_count = 2, .mono_ms = now_ms };
    for (int i = 0; i < 10; i++)
        assert_ptr_equal(balance_choose_other(group, &again).target, group->targets[1]);
    again.tried_count = 3;
    assert_null(balance_choose_other(group, &again).target);
    tear_down();
}

/* --- consistent_hash -------------------------------------------------------------------------- */

#define HASHED THREE ALGORITHM("consistent_hash") "load_balancing.consistent_hash.key = viewer\n"

enum { KEYS = 600 };

static size_t choose_for(unsigned number)
{
    key = (struct balance_key){ key_hash(span_of(&number, sizeof(number))), true };
    const struct choice c = choose();
    assert_non_null(c.target);
    target_release(c.target);
    return index_of(c.target);
}

static void choose_for_all(size_t chosen[KEYS])
{
    for (unsigned i = 0; i < KEYS; i++)
        chosen[i] = choose_for(i);
}

static size_t chosen_before[KEYS], chosen_after[KEYS];

/* Of those of target 0: how many went to each of the others. All others have to stay. */
static void count_moves(unsigned moved[TARGETS_MOST])
{
    memset(moved, 0, TARGETS_MOST * sizeof(moved[0]));
    for (unsigned i = 0; i < KEYS; i++) {
        assert_true(chosen_before[i] == 0 || chosen_after[i] == chosen_before[i]);
        if (chosen_before[i] == 0)
            moved[chosen_after[i]]++;
    }
}

static void test_a_key_has_one_target(void **state)
{
    unsigned moved[TARGETS_MOST];
    (void)state;

    set_up(HASHED);
    choose_for_all(chosen_before);
    choose_for_all(chosen_after);
    count_moves(moved);
    assert_about(moved[0], KEYS / 3, 40);
    assert_int_equal(moved[1] + moved[2], 0);
    assert_int_equal(group->state->counters.keys_first, 2 * KEYS);
    assert_int_equal(group->state->counters.keys_next, 0);
    tear_down();
}

/* Who cannot be chosen has its keys scattered, and comes to have them back. */
static void test_keys_of_a_target_that_is_out(void **state)
{
    static const enum target_state out[] = { TARGET_UNHEALTHY, TARGET_DRAINING, TARGET_INITIAL };
    unsigned moved[TARGETS_MOST];
    (void)state;

    set_up(HASHED);
    choose_for_all(chosen_before);
    for (size_t i = 0; i < COUNT(out); i++) {
        atomic_store(&group->targets[0]->state, (int)out[i]);
        choose_for_all(chosen_after);
        count_moves(moved);
        assert_int_equal(moved[0], 0);
        assert_about(moved[1], moved[2], 50);
        assert_int_equal(group->state->counters.keys_next, (i + 1) * (moved[1] + moved[2]));
        atomic_store(&group->targets[0]->state, TARGET_HEALTHY);
        choose_for_all(chosen_after);
        assert_memory_equal(chosen_after, chosen_before, sizeof(chosen_before));
    }
    for (size_t i = 0; i < 3; i++)
        atomic_store(&group->targets[i]->state, TARGET_UNHEALTHY);
    group_review(group);
    choose_for_all(chosen_after); /* it fails open */
    assert_memory_equal(chosen_after, chosen_before, sizeof(chosen_before));
    tear_down();
}

/* A part of its keys that grows; each that has come stays, and nobody else's moves. */
static void test_slow_start_by_keys(void **state)
{
    static const unsigned tenths[] = { 0, 1, 3, 5, 9, 10 };
    unsigned moved[TARGETS_MOST], back = 0;
    (void)state;

    set_up(HASHED "slow_start.duration_seconds = 100\n");
    choose_for_all(chosen_before);
    group_set_state(group, group->targets[0], TARGET_UNHEALTHY, now_ms);
    group_set_state(group, group->targets[0], TARGET_HEALTHY, now_ms);
    for (size_t i = 0; i < COUNT(tenths); i++) {
        now_ms = 1000 + 10000 * tenths[i];
        size_t then[KEYS];
        memcpy(then, chosen_after, sizeof(then));
        choose_for_all(chosen_after);
        count_moves(moved);
        const unsigned all = moved[0] + moved[1] + moved[2];
        assert_about(moved[0], all * tenths[i] / 10, 25);
        assert_true(moved[0] >= back);
        back = moved[0];
        for (unsigned k = 0; i > 0 && k < KEYS; k++)
            assert_true(then[k] != 0 || chosen_after[k] == 0);
    }
    assert_int_equal(moved[1] + moved[2], 0);
    for (size_t i = 0; i < 3; i++)
        atomic_store(&group->targets[i]->ramp_began_ms, now_ms);
    choose_for_all(chosen_after); /* nobody else is there */
    assert_memory_equal(chosen_after, chosen_before, sizeof(chosen_before));
    tear_down();
}

/* What is beyond a limit goes to the next in the key's order, and that is the same one always. */
static void test_overflow_of_one_key(void **state)
{
    size_t order[3];
    (void)state;

    set_up(HASHED "target.max_connections = 2\n");
    order[0] = choose_for(7);
    for (int i = 0; i < 6; i++) {
        const struct choice c = choose();
        if (i == 2)
            order[1] = index_of(c.target);
        if (i == 4)
            order[2] = index_of(c.target);
        assert_int_equal(index_of(c.target), order[i / 2]);
    }
    const struct choice none = choose();
    assert_null(none.target);
    assert_string_equal(none.why, "targets full");
    target_release(group->targets[order[1]]);
    assert_int_equal(choose_for(7), order[1]);

    for (size_t i = 0; i < 3; i++) {
        while (target_outstanding(group->targets[i]) > 0)
            target_release(group->targets[i]);
    }
    for (size_t n = 1; n <= 2; n++) { /* a retry goes the same way */
        const uint64_t tried[] = { group->targets[order[0]]->id, group->targets[order[1]]->id };
        const struct balance_again again = { tried, n, key, now_ms };
        assert_ptr_equal(balance_choose_other(group, &again).target, group->targets[order[n]]);
    }
    tear_down();
}

static void test_a_hot_key_is_spread_by_the_soft_bound(void **state)
{
    (void)state;
    set_up(HASHED "load_balancing.soft_bound.percentage = 120\n");
    const size_t home = choose_for(7);

    for (int i = 0; i < 300; i++)
        assert_non_null(choose().target); /* none ends */
    for (size_t i = 0; i < 3; i++)
        assert_true(target_outstanding(group->targets[i]) <= 120);
    assert_int_equal(target_outstanding(group->targets[home]), 120);
    assert_int_equal(group->state->counters.keys_over_bound, 180);
    assert_int_equal(group->state->counters.keys_next, 180);
    tear_down();

    set_up(HASHED);
    for (int i = 0; i < 300; i++)
        assert_int_equal(index_of(choose().target), home);
    tear_down();
}

static void test_no_key_takes_turns(void **state)
{
    unsigned counts[TARGETS_MOST];
    (void)state;

    set_up(HASHED);
    key.is_there = false;
    count_choices(300, counts);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(counts[i], 100);
    assert_int_equal(group->state->counters.keys_none, 300);
    tear_down();
}

/* Members that are made again for the same targets have the same table. */
static void test_a_table_is_kept(void **state)
{
    (void)state;
    set_up(HASHED);
    const struct members_sources again = { .said = &said_nothing, .before = members };
    struct members *other = members_new(&registry, config, &again);
    assert_ptr_equal(other->groups[0].hash, group->hash);
    members_free(&other);
    choose_for(1);
    tear_down();
    set_up(THREE);
    assert_null(group->hash);
    tear_down();
    set_up(ALGORITHM("consistent_hash") "load_balancing.consistent_hash.key = viewer\n"
                                        "target = 10.0.0.1:80 weight=0\n");
    assert_null(group->hash);
    assert_null(choose().target);
    tear_down();
}

static void test_no_member(void **state)
{
    (void)state;
    set_up("");
    assert_null(choose().target);
    assert_string_equal(choose().why, "no target");
    assert_int_equal(group->state->counters.no_target, 2);
    tear_down();
}

static void test_fails_open(void **state)
{
    static const struct {
        uint32_t count, percent;
        size_t healthy, members;
        bool want;
    } rows[] = {
        { 1, 0, 0, 3, true },    { 1, 0, 1, 3, false },     { 2, 0, 1, 3, true },
        { 1, 50, 1, 3, true },   { 1, 50, 2, 4, false },    { 1, 100, 3, 4, true },
        { 1, 100, 4, 4, false }, { 1, 1, 10, 1000, false }, { 1, 1, 9, 1000, true },
        { 5, 0, 3, 3, true },    { 1, 0, 0, 0, false },
    };
    (void)state;

    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct group_options o = { .fail_open_count = rows[i].count,
                                         .fail_open_percent = rows[i].percent };
        if (group_fails_open(&o, rows[i].healthy, rows[i].members) != rows[i].want)
            fail_msg("row %zu", i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shares),
        cmocka_unit_test(test_least_outstanding_is_by_weight),
        cmocka_unit_test(test_share_of_a_slow_start),
        cmocka_unit_test(test_slow_start_grows_evenly),
        cmocka_unit_test(test_who_starts_slowly),
        cmocka_unit_test(test_only_slow_ones_are_left),
        cmocka_unit_test(test_upgrades_to_a_target_in_slow_start),
        cmocka_unit_test(test_upgrades_when_only_slow_ones_are_left),
        cmocka_unit_test(test_full_targets_are_passed_over),
        cmocka_unit_test(test_a_draining_target_gets_nothing),
        cmocka_unit_test(test_a_cookies_target_goes_first),
        cmocka_unit_test(test_another_one),
        cmocka_unit_test(test_a_key_has_one_target),
        cmocka_unit_test(test_keys_of_a_target_that_is_out),
        cmocka_unit_test(test_slow_start_by_keys),
        cmocka_unit_test(test_overflow_of_one_key),
        cmocka_unit_test(test_a_hot_key_is_spread_by_the_soft_bound),
        cmocka_unit_test(test_no_key_takes_turns),
        cmocka_unit_test(test_a_table_is_kept),
        cmocka_unit_test(test_no_member),
        cmocka_unit_test(test_fails_open),
    };

    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
