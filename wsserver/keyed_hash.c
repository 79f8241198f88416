/* keyed_hash.c -- see keyed_hash.h. */
#include "wsserver/keyed_hash.h"

#include <stdatomic.h>
#include <stdint.h>

#include "base/random.h"

/* Random and odd; the same for all threads once one has set it. */
static uint64_t process_key(void)
{
    static _Atomic uint64_t key;
    uint64_t made, none = 0;
    if (atomic_load(&key) == 0) {
        random_bytes(&made, sizeof(made));
        atomic_compare_exchange_strong(&key, &none, made | 1);
    }
    return atomic_load(&key);
}

/* Multiply and mix, with a multiplier that nobody outside knows. */
unsigned keyed_hash(const void *bytes, size_t len)
{
    const uint8_t *at = bytes;
    uint64_t key = process_key(), h = key >> 7 ^ len;
    for (size_t i = 0; i < len; i++) {
        h = (h ^ at[i]) * key;
        h ^= h >> 29;
    }
    return (unsigned)(h ^ h >> 32);
}
