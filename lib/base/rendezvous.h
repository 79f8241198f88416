/*
 * rendezvous.h -- which of several targets a key belongs to: consistent hashing.
 *
 * A key's hash is in one of RENDEZVOUS_SLOTS slots. In each slot all targets stand in an order
 * that depends on nothing but the slot, their ids and their weights; the slot's keys belong to
 * the first of it, or, while that one cannot have them, to the next. So
 *
 *   - a target that leaves gives away its own keys and nobody else's, and they go to all others;
 *     one that comes gets keys from all others, and no key goes from one of them to another;
 *   - each has its weight's part of the keys: with 10 targets within 2 %, with 100 within 5 %,
 *     with 1,000 within 15 %, which is 4 % on average;
 *   - every process that knows the same ids and weights has the same order.
 *
 * The first of each slot stands in a table, made once (tens of milliseconds): to look it up takes
 * as long for 1,000 targets as for two. The others of the order are found by going through all.
 *
 * How the order is made: each target has all slots in a sequence of its own, a permutation that
 * its id is the key of. It reaches them one after the other, as if by chance in time (each
 * slot after an exponentially distributed time, of which weight is the rate), and a slot's order
 * is that in which they reach it.
 */
#ifndef BASE_RENDEZVOUS_H
#define BASE_RENDEZVOUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

enum {
    RENDEZVOUS_BITS = 18,
    RENDEZVOUS_SLOTS = 1 << RENDEZVOUS_BITS,
    RENDEZVOUS_WEIGHT_MAX = 999,
};

/* --- the hash of a key ------------------------------------------------------------------- */

/* FNV-1a of 64 bits over all bytes of a key, from KEY_HASH on, and then the mixer of SplitMix64.
 * The same everywhere and for good: "" is c3817c016ba4ff30, "blue" is 7e5d627b049f4203. */
#define KEY_HASH UINT64_C(0xcbf29ce484222325)

static inline uint64_t key_hash_on(uint64_t hash, uint8_t byte)
{
    return (hash ^ byte) * UINT64_C(0x100000001b3);
}

uint64_t key_hash_end(uint64_t hash);

/* All of it at once. */
uint64_t key_hash(struct span key);

/* --- targets ------------------------------------------------------------------------------- */

struct rendezvous;

/* One more reference; any thread may give one back. */
struct rendezvous *rendezvous_ref(struct rendezvous *r);
void rendezvous_unref(struct rendezvous **r); /* clears the variable; NULL is fine */

/* Targets by their ids (no two alike) and weights, 0 to RENDEZVOUS_WEIGHT_MAX; one without weight
 * gets no keys. NULL when none has any. */
struct rendezvous *rendezvous_new(const uint64_t *ids, const uint32_t *weights, size_t count);

/* Is it made of just these, in this order? NULL is made of none. */
bool rendezvous_is_of(const struct rendezvous *r, const uint64_t *ids, const uint32_t *weights,
                      size_t count);

static inline uint32_t rendezvous_slot(uint64_t hash)
{
    return (uint32_t)(hash >> (64 - RENDEZVOUS_BITS));
}

/* The index of the slot's first. */
size_t rendezvous_first(const struct rendezvous *r, uint32_t slot);

/* When a target, which must have a weight, reaches a slot; and who is first of two. */
struct rendezvous_turn {
    uint64_t time, tie;
    uint32_t weight;
};

struct rendezvous_turn rendezvous_turn(const struct rendezvous *r, uint32_t slot, size_t index);
bool rendezvous_is_before(const struct rendezvous_turn *a, const struct rendezvous_turn *b);

#endif
