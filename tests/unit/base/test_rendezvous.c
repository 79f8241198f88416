/* test_rendezvous.c -- whose a key is: shares, what moves when targets come and go, the hash. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "base/rendezvous.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { KEYS = 100000, MOST = 1000 };

/* Targets as a configuration has them. */
struct set {
    uint64_t ids[MOST + 1];
    uint32_t weights[MOST + 1];
    size_t count;
};

static void add(struct set *s, unsigned number, uint32_t weight)
{
    char text[32];
    uint64_t id = KEY_HASH;

    snprintf(text, sizeof(text), "10.%u.%u.%u:8080", number >> 16, number >> 8 & 255, number & 255);
    for (const char *at = text; *at != '\0'; at++)
        id = key_hash_on(id, (uint8_t)*at);
    s->ids[s->count] = id;
    s->weights[s->count++] = weight;
}

static void take_out(struct set *s, size_t at)
{
    s->count--;
    memmove(&s->ids[at], &s->ids[at + 1], (s->count - at) * sizeof(s->ids[0]));
    memmove(&s->weights[at], &s->weights[at + 1], (s->count - at) * sizeof(s->weights[0]));
}

static struct rendezvous *make(const struct set *s)
{
    return rendezvous_new(s->ids, s->weights, s->count);
}

static uint32_t slot_of_key(unsigned number)
{
    char text[16];

    snprintf(text, sizeof(text), "room-%u", number);
    return rendezvous_slot(key_hash((struct span){ text, strlen(text) }));
}

/* Whose each key is, by id. */
static void ask_all(const struct set *s, uint64_t owners[KEYS])
{
    struct rendezvous *r = make(s);

    for (unsigned i = 0; i < KEYS; i++)
        owners[i] = s->ids[rendezvous_first(r, slot_of_key(i))];
    rendezvous_unref(&r);
}

static uint32_t chance(uint32_t below)
{
    uint32_t n;

    random_bytes(&n, sizeof(n));
    return n % below;
}

static struct set random_set(size_t count, uint32_t heaviest)
{
    struct set s = { .count = 0 };
    const unsigned base = chance(1 << 20);

    for (unsigned i = 0; i < count; i++)
        add(&s, base + i, heaviest == 0 ? 100 : 1 + chance(heaviest));
    return s;
}

/* --- the hash ------------------------------------------------------------------------------ */

static void test_hash_is_the_same_for_good(void **state)
{
    static const struct {
        struct span key;
        uint64_t want;
    } rows[] = {
        { SPAN_INIT(""), 0xc3817c016ba4ff30 },
        { SPAN_INIT("a"), 0x5f29c2aadd9b8527 },
        { SPAN_INIT("blue"), 0x7e5d627b049f4203 },
        { SPAN_INIT("/ws/rooms/42"), 0x4822350b61c96a53 },
        { SPAN_INIT("\0\xff"), 0x54578a4514abb9df },
        { SPAN_INIT("\xc0\x00\x02\x01"), 0x7d72555d50da3b6a },
    };
    (void)state;

    for (size_t i = 0; i < COUNT(rows); i++) {
        if (key_hash(rows[i].key) != rows[i].want)
            fail_msg("row %zu: %016" PRIx64, i, key_hash(rows[i].key));
    }
}

/* Two versions of alb, or two machines, must agree on these too. */
static void test_owners_are_the_same_for_good(void **state)
{
    static const uint32_t want[] = { 1, 3, 0, 3, 3, 3, 3, 3 };
    struct set s = { .count = 0 };
    uint32_t got[COUNT(want)];
    (void)state;

    for (unsigned i = 0; i < 5; i++)
        add(&s, i, i == 3 ? 250 : 100);
    struct rendezvous *r = make(&s);
    for (unsigned i = 0; i < COUNT(want); i++)
        got[i] = (uint32_t)rendezvous_first(r, slot_of_key(i));
    for (unsigned i = 0; i < COUNT(want); i++) {
        if (got[i] != want[i])
            fail_msg("%u %u %u %u %u %u %u %u", got[0], got[1], got[2], got[3], got[4], got[5],
                     got[6], got[7]);
    }
    rendezvous_unref(&r);
}

/* --- shares -------------------------------------------------------------------------------- */

/* Of all slots: the furthest from its weight's part, in per mille of that. */
static unsigned worst_share(const struct set *s)
{
    static unsigned slots[MOST];
    struct rendezvous *r = make(s);
    uint64_t weights = 0;
    unsigned worst = 0;

    memset(slots, 0, sizeof(slots));
    for (uint32_t i = 0; i < RENDEZVOUS_SLOTS; i++)
        slots[rendezvous_first(r, i)]++;
    for (size_t i = 0; i < s->count; i++)
        weights += s->weights[i];
    for (size_t i = 0; i < s->count; i++) {
        const double part = (double)RENDEZVOUS_SLOTS * s->weights[i] / (double)weights;
        const double off = part > slots[i] ? part - slots[i] : slots[i] - part;
        if (s->weights[i] == 0)
            assert_int_equal(slots[i], 0);
        else if (off * 1000 / part > worst)
            worst = (unsigned)(off * 1000 / part);
    }
    rendezvous_unref(&r);
    return worst;
}

static void test_shares_are_by_weight(void **state)
{
    static const struct {
        const char *name;
        size_t count;
        uint32_t weights[4]; /* of target i: number i % 4 */
        unsigned per_mille;
    } rows[] = {
        { "one", 1, { 1, 1, 1, 1 }, 0 },
        { "two", 2, { 100, 100, 100, 100 }, 10 },
        { "two, one to three", 2, { 1, 3, 0, 0 }, 10 },
        { "one with nearly all", 2, { 999, 1, 0, 0 }, 150 },
        { "ten", 10, { 100, 100, 100, 100 }, 25 },
        { "ten, of several weights", 10, { 1, 2, 5, 0 }, 40 },
        { "a hundred", 100, { 7, 7, 7, 7 }, 60 },
        { "a hundred, of several weights", 100, { 50, 100, 200, 100 }, 100 },
        { "a thousand", 1000, { 100, 100, 100, 100 }, 180 },
    };
    (void)state;

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct set s = { .count = 0 };
        for (unsigned n = 0; n < rows[i].count; n++)
            add(&s, n, rows[i].weights[n % 4]);
        const unsigned got = worst_share(&s);
        if (got > rows[i].per_mille)
            fail_msg("%s: %u per mille off", rows[i].name, got);
    }
}

static void test_without_weight_there_is_no_table(void **state)
{
    struct set s = { .count = 0 };
    (void)state;

    assert_null(make(&s));
    assert_true(rendezvous_is_of(NULL, s.ids, s.weights, s.count));
    add(&s, 1, 0);
    assert_null(make(&s));
    add(&s, 2, 1);
    struct rendezvous *r = make(&s);
    assert_true(rendezvous_is_of(r, s.ids, s.weights, s.count));
    assert_false(rendezvous_is_of(NULL, s.ids, s.weights, s.count));
    s.weights[1] = 2;
    assert_false(rendezvous_is_of(r, s.ids, s.weights, s.count));
    assert_false(rendezvous_is_of(r, s.ids, s.weights, 1));
    rendezvous_unref(&r);
    assert_null(r);
}

/* --- what moves ----------------------------------------------------------------------------- */

static const struct {
    size_t count;
    uint32_t heaviest; /* 0: all alike */
} sets[] = { { 2, 0 }, { 3, 10 }, { 10, 0 }, { 25, 999 }, { 100, 0 }, { 300, 50 } };

static uint64_t before[KEYS], after[KEYS];

static double part_of(const struct set *s, size_t at)
{
    uint64_t weights = 0;

    for (size_t i = 0; i < s->count; i++)
        weights += s->weights[i];
    return (double)s->weights[at] / (double)weights;
}

/* About this part of all keys, with room for chance. */
static void assert_part(unsigned moved, double part)
{
    const double want = KEYS * part, slack = 60 + want / 7;

    if (moved > want + slack || moved + slack < want)
        fail_msg("%u keys moved, not about %.0f", moved, want);
}

static void test_who_leaves_moves_its_keys_only(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(sets); i++) {
        struct set s = random_set(sets[i].count, sets[i].heaviest);
        const size_t gone = chance((uint32_t)s.count);
        const uint64_t id = s.ids[gone];
        const double part = part_of(&s, gone);
        unsigned moved = 0;
        ask_all(&s, before);
        take_out(&s, gone);
        ask_all(&s, after);
        for (unsigned k = 0; k < KEYS; k++) {
            assert_true(after[k] != id);
            assert_true((before[k] == id) == (before[k] != after[k]));
            moved += before[k] != after[k];
        }
        assert_part(moved, part);
    }
}

static void test_who_comes_gets_its_part_from_all(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(sets); i++) {
        struct set s = random_set(sets[i].count, sets[i].heaviest);
        unsigned moved = 0;
        ask_all(&s, before);
        add(&s, 1 << 22, 100);
        ask_all(&s, after);
        for (unsigned k = 0; k < KEYS; k++) {
            assert_true(after[k] == before[k] || after[k] == s.ids[s.count - 1]);
            moved += before[k] != after[k];
        }
        assert_part(moved, part_of(&s, s.count - 1));
    }
}

/* With more weight a target only gains, with less it only loses; nobody else's keys move. */
static void test_a_weight_moves_its_difference(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(sets); i++) {
        struct set s = random_set(sets[i].count, sets[i].heaviest);
        unsigned moved = 0;
        const double part = part_of(&s, 0);
        ask_all(&s, before);
        s.weights[0] = s.weights[0] / 2 + 1;
        ask_all(&s, after);
        for (unsigned k = 0; k < KEYS; k++) {
            assert_true(after[k] == before[k] || before[k] == s.ids[0]);
            moved += before[k] != after[k];
        }
        assert_part(moved, part - part_of(&s, 0));
    }
}

static void test_the_order_of_targets_does_not_matter(void **state)
{
    struct set s = random_set(50, 200), turned = { .count = 0 };
    (void)state;

    for (size_t i = s.count; i-- > 0; turned.count++) {
        turned.ids[turned.count] = s.ids[i];
        turned.weights[turned.count] = s.weights[i];
    }
    ask_all(&s, before);
    ask_all(&turned, after);
    assert_memory_equal(before, after, sizeof(before));
}

/* --- the order in a slot ------------------------------------------------------------------- */

/* The first by going through all, of those that are not `without`. */
static size_t first_of_all(const struct rendezvous *r, const struct set *s, uint32_t slot,
                           size_t without)
{
    size_t first = SIZE_MAX;
    struct rendezvous_turn best = { 0 };

    for (size_t i = 0; i < s->count; i++) {
        if (s->weights[i] == 0 || i == without)
            continue;
        const struct rendezvous_turn turn = rendezvous_turn(r, slot, i);
        if (first != SIZE_MAX && !rendezvous_is_before(&turn, &best))
            continue;
        first = i;
        best = turn;
    }
    return first;
}

static void test_the_table_has_the_first_of_the_order(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(sets); i++) {
        struct set s = random_set(sets[i].count, sets[i].heaviest);
        s.weights[1] = 0;
        struct rendezvous *r = make(&s);
        for (uint32_t slot = 0; slot < RENDEZVOUS_SLOTS; slot += 97)
            assert_int_equal(rendezvous_first(r, slot), first_of_all(r, &s, slot, SIZE_MAX));
        rendezvous_unref(&r);
    }
}

/* Who passes a target over goes where its keys would go without it; and so to all others. */
static void test_the_next_is_who_would_be_first_without_it(void **state)
{
    struct set s = random_set(20, 0), less = s;
    unsigned got[20] = { 0 };
    (void)state;

    take_out(&less, 7);
    struct rendezvous *r = make(&s), *without = make(&less);
    for (uint32_t slot = 0; slot < RENDEZVOUS_SLOTS; slot += 5) {
        if (rendezvous_first(r, slot) != 7)
            continue;
        const size_t next = first_of_all(r, &s, slot, 7);
        assert_int_equal(s.ids[next], less.ids[rendezvous_first(without, slot)]);
        got[next]++;
    }
    for (size_t i = 0; i < 20; i++)
        assert_true(i == 7 ? got[i] == 0 : got[i] > 80); /* of about 138 each */
    rendezvous_unref(&r);
    rendezvous_unref(&without);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hash_is_the_same_for_good),
        cmocka_unit_test(test_owners_are_the_same_for_good),
        cmocka_unit_test(test_shares_are_by_weight),
        cmocka_unit_test(test_without_weight_there_is_no_table),
        cmocka_unit_test(test_who_leaves_moves_its_keys_only),
        cmocka_unit_test(test_who_comes_gets_its_part_from_all),
        cmocka_unit_test(test_a_weight_moves_its_difference),
        cmocka_unit_test(test_the_order_of_targets_does_not_matter),
        cmocka_unit_test(test_the_table_has_the_first_of_the_order),
        cmocka_unit_test(test_the_next_is_who_would_be_first_without_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
