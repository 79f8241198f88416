/*
 * slots.h -- a hash table that is made once: from a hash to numbers in an array of its owner.
 *
 *   for (size_t at = slots_start(s, hash); s->numbers[at] != SLOT_NONE; at = slots_next(s, at))
 *       ... is it things[s->numbers[at]]?
 *
 * It is at most half full, so such a walk is short. What is found is for the owner to compare.
 */
#ifndef BASE_SLOTS_H
#define BASE_SLOTS_H

#include <stdint.h>

#include "base/mem.h"

#define SLOT_NONE UINT32_MAX

struct slots {
    uint32_t *numbers; /* owned: free() it */
    size_t mask;
};

/* Room for so many. */
static inline void slots_init(struct slots *s, size_t count)
{
    size_t size = 4;

    while (size < 2 * count)
        size *= 2;
    s->mask = size - 1;
    s->numbers = mem_array(uint32_t, size);
    memset(s->numbers, 0xff, size * sizeof(s->numbers[0])); /* SLOT_NONE */
}

static inline size_t slots_start(const struct slots *s, uint64_t hash)
{
    return (size_t)(hash ^ hash >> 29) & s->mask;
}

static inline size_t slots_next(const struct slots *s, size_t at)
{
    return (at + 1) & s->mask;
}

static inline void slots_put(struct slots *s, uint64_t hash, uint32_t number)
{
    size_t at = slots_start(s, hash);

    while (s->numbers[at] != SLOT_NONE)
        at = slots_next(s, at);
    s->numbers[at] = number;
}

/* FNV-1a of ASCII in any case, byte by byte from SLOT_HASH on. */
#define SLOT_HASH UINT64_C(0xcbf29ce484222325)

static inline uint64_t slot_hash_on(uint64_t hash, char c)
{
    const char lower = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;

    return (hash ^ (uint8_t)lower) * UINT64_C(0x100000001b3);
}

#endif
