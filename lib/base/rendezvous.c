/* rendezvous.c -- see rendezvous.h. */
#include "base/rendezvous.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/mem.h"

enum { MASK = RENDEZVOUS_SLOTS - 1, HALF = RENDEZVOUS_BITS / 2, ROUNDS = 3 };

#define NOBODY UINT32_MAX

/* The sequence in which a target reaches the slots: odd numbers have inverses modulo a power of
 * two, so that it can be asked both ways. */
struct sequence {
    uint32_t start, odd[ROUNDS], inverse[ROUNDS];
};

struct rendezvous {
    atomic_uint refs;
    size_t count;
    uint64_t *ids;
    uint32_t *weights;
    struct sequence *sequences;
    uint32_t *first; /* of each slot */
};

/* --- hashes ---------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint64_t key_hash_end(uint64_t hash)
{
    return mix(hash + 0x9e3779b97f4a7c15u);
}

uint64_t key_hash(struct span key)
{
    uint64_t hash = KEY_HASH;

    for (size_t i = 0; i < key.len; i++)
        hash = key_hash_on(hash, (uint8_t)key.ptr[i]);
    return key_hash_end(hash);
}

/* --- a target's sequence ------------------------------------------------------------------ */

/* Newton: each step doubles the bits that are right. */
static uint32_t inverse_of(uint32_t odd)
{
    uint32_t x = odd;

    for (int i = 0; i < 4; i++)
        x *= 2 - odd * x;
    return x;
}

static struct sequence sequence_of(uint64_t id)
{
    uint64_t chance = key_hash_end(id);
    struct sequence s = { .start = (uint32_t)chance };

    for (int i = 0; i < ROUNDS; i++) {
        chance = key_hash_end(chance);
        s.odd[i] = (uint32_t)chance | 1;
        s.inverse[i] = inverse_of(s.odd[i]);
    }
    return s;
}

static uint32_t slot_at(const struct sequence *s, uint32_t rank)
{
    uint32_t x = rank + s->start;

    for (int i = 0; i < ROUNDS; i++) {
        x = (x * s->odd[i]) & MASK;
        x ^= x >> HALF;
    }
    return x;
}

/* The other way round: x ^ x >> HALF undoes itself. */
static uint32_t rank_of(const struct sequence *s, uint32_t slot)
{
    uint32_t x = slot;

    for (int i = ROUNDS - 1; i >= 0; i--) {
        x ^= x >> HALF;
        x = (x * s->inverse[i]) & MASK;
    }
    return (x - s->start) & MASK;
}

/* --- time ------------------------------------------------------------------------------------- */

/* When a target of weight 1 is at each rank. Of n exponential times the least is 1/n on average,
 * the next 1/(n-1) later, and so on: the weights' parts come out right only with these. In
 * whole numbers, which are the same on every machine; one is 2^40. */
static uint64_t times[RENDEZVOUS_SLOTS];

static void make_times(void)
{
    const uint64_t one = UINT64_C(1) << 40;
    uint64_t sum = 0;

    for (uint32_t rank = 0; rank < RENDEZVOUS_SLOTS; rank++)
        times[rank] = sum += one / (RENDEZVOUS_SLOTS - rank);
}

static struct rendezvous_turn turn_at(const struct rendezvous *r, uint32_t slot, size_t index,
                                      uint32_t rank)
{
    return (struct rendezvous_turn){ .time = times[rank],
                                     .tie = mix(r->ids[index] ^ slot),
                                     .weight = r->weights[index] };
}

struct rendezvous_turn rendezvous_turn(const struct rendezvous *r, uint32_t slot, size_t index)
{
    return turn_at(r, slot, index, rank_of(&r->sequences[index], slot));
}

/* time / weight, without dividing: 2^44 * 999 has room. */
bool rendezvous_is_before(const struct rendezvous_turn *a, const struct rendezvous_turn *b)
{
    const uint64_t mine = a->time * b->weight, its = b->time * a->weight;

    return mine != its ? mine < its : a->tie < b->tie;
}

/* --- the table -------------------------------------------------------------------------------- */

struct making {
    const struct rendezvous *r;
    uint32_t *at;    /* each target's next rank */
    uint32_t *ranks; /* of each slot's first, in that one's sequence */
    uint32_t left;   /* slots that nobody has reached */
};

static void reach(struct making *m, uint32_t index, uint32_t rank)
{
    const struct rendezvous *r = m->r;
    const uint32_t slot = slot_at(&r->sequences[index], rank), other = r->first[slot];

    if (other == NOBODY) {
        m->left--;
    } else {
        const struct rendezvous_turn mine = turn_at(r, slot, index, rank),
                                     its = turn_at(r, slot, other, m->ranks[slot]);
        if (!rendezvous_is_before(&mine, &its))
            return;
    }
    r->first[slot] = index;
    m->ranks[slot] = rank;
}

/* Everybody goes on until that time. */
static void go_on(struct making *m, uint64_t until)
{
    for (uint32_t i = 0; i < m->r->count; i++) {
        const uint64_t mine = until * m->r->weights[i];
        while (m->at[i] < RENDEZVOUS_SLOTS && times[m->at[i]] <= mine)
            reach(m, i, m->at[i]++);
    }
}

/* In steps in which they reach, together, as many slots as there are. */
static void make_table(struct rendezvous *r)
{
    struct making m = { .r = r,
                        .at = mem_array(uint32_t, r->count),
                        .ranks = mem_array(uint32_t, RENDEZVOUS_SLOTS),
                        .left = RENDEZVOUS_SLOTS };
    uint64_t weights = 0;

    memset(r->first, 0xff, RENDEZVOUS_SLOTS * sizeof(r->first[0])); /* NOBODY */
    for (size_t i = 0; i < r->count; i++)
        weights += r->weights[i];
    assert(weights > 0); /* has_weight() */
    const uint64_t step = (UINT64_C(1) << 40) / weights;
    for (uint64_t until = step; m.left > 0; until += step)
        go_on(&m, until);
    free(m.at);
    free(m.ranks);
}

/* --- made and freed --------------------------------------------------------------------------- */

static bool has_weight(const uint32_t *weights, size_t count)
{
    size_t i = 0;

    while (i < count && weights[i] == 0)
        i++;
    return i < count;
}

struct rendezvous *rendezvous_new(const uint64_t *ids, const uint32_t *weights, size_t count)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    if (!has_weight(weights, count))
        return NULL;
    pthread_once(&once, make_times);
    struct rendezvous *r = mem_new(struct rendezvous);
    atomic_init(&r->refs, 1);
    r->count = count;
    r->ids = memcpy(mem_array(uint64_t, count), ids, count * sizeof(*ids));
    r->weights = memcpy(mem_array(uint32_t, count), weights, count * sizeof(*weights));
    r->sequences = mem_array(struct sequence, count);
    r->first = mem_array(uint32_t, RENDEZVOUS_SLOTS);
    for (size_t i = 0; i < count; i++)
        r->sequences[i] = sequence_of(ids[i]);
    make_table(r);
    return r;
}

struct rendezvous *rendezvous_ref(struct rendezvous *r)
{
    atomic_fetch_add(&r->refs, 1);
    return r;
}

void rendezvous_unref(struct rendezvous **rendezvous)
{
    struct rendezvous *r = *rendezvous;

    *rendezvous = NULL;
    if (r == NULL || atomic_fetch_sub(&r->refs, 1) > 1)
        return;
    free(r->ids);
    free(r->weights);
    free(r->sequences);
    free(r->first);
    free(r);
}

bool rendezvous_is_of(const struct rendezvous *r, const uint64_t *ids, const uint32_t *weights,
                      size_t count)
{
    if (r == NULL)
        return !has_weight(weights, count);
    return r->count == count && memcmp(r->ids, ids, count * sizeof(*ids)) == 0 &&
           memcmp(r->weights, weights, count * sizeof(*weights)) == 0;
}

size_t rendezvous_first(const struct rendezvous *r, uint32_t slot)
{
    return r->first[slot];
}
