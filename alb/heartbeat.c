/* heartbeat.c -- see heartbeat.h. */
#include "alb/heartbeat.h"

#include <stddef.h>

enum { OCTAVE = 16, LOWEST_BIT = 10, NEAR = 5 };

static size_t bucket_of(uint32_t ms)
{
    const uint32_t v = ms < 1u << LOWEST_BIT ? 1u << LOWEST_BIT : ms;
    const unsigned top = 31 - (unsigned)__builtin_clz(v);
    const size_t n = (top - LOWEST_BIT) * OCTAVE + (v >> (top - 4)) % OCTAVE;

    return n < HEARTBEAT_BUCKETS ? n : HEARTBEAT_BUCKETS - 1;
}

/* Its middle. */
static uint32_t bucket_ms(size_t n)
{
    const unsigned top = LOWEST_BIT + (unsigned)(n / OCTAVE);
    const uint32_t low = (uint32_t)(OCTAVE + n % OCTAVE) << (top - 4);

    return low + (1u << (top - 5));
}

void heartbeat_note(struct heartbeat *h, uint32_t ms)
{
    atomic_fetch_add_explicit(&h->spells[bucket_of(ms)], 1, memory_order_relaxed);
}

static uint64_t count_of(const struct heartbeat *h, size_t n)
{
    return atomic_load_explicit(&h->spells[n], memory_order_relaxed);
}

uint32_t heartbeat_p99_ms(const struct heartbeat *h)
{
    uint64_t all = 0, longer = 0;
    size_t n = HEARTBEAT_BUCKETS;

    for (size_t i = 0; i < HEARTBEAT_BUCKETS; i++)
        all += count_of(h, i);
    if (all < HEARTBEAT_ENOUGH)
        return 0;
    while (n > 0 && longer * 100 <= all)
        longer += count_of(h, --n);
    return bucket_ms(n);
}

static void start_again(struct heartbeat *h, uint64_t now_ms)
{
    for (size_t i = 0; i < HEARTBEAT_BUCKETS; i++)
        atomic_store_explicit(&h->spells[i], 0, memory_order_relaxed);
    h->since_ms = now_ms;
}

bool heartbeat_is_close(struct heartbeat *h, uint32_t idle_ms, uint64_t now_ms, uint32_t *p99_ms)
{
    if (h->since_ms == 0)
        h->since_ms = now_ms;
    *p99_ms = heartbeat_p99_ms(h);
    const bool is_close = *p99_ms >= idle_ms - idle_ms / NEAR;
    if (now_ms - h->since_ms >= HEARTBEAT_HOUR_MS) {
        start_again(h, now_ms);
        h->said_of_ms = is_close ? h->said_of_ms : 0;
    }
    if (!is_close || h->said_of_ms == idle_ms)
        return false;
    h->said_of_ms = idle_ms;
    return true;
}
