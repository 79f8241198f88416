/* admission.c -- see admission.h. */
#include "alb/admission.h"

#define SECOND_NS UINT64_C(1000000000)

bool admission_take(struct admission *a, uint64_t interval_ns, uint64_t depth_ns, uint64_t now_ns)
{
    uint64_t full = atomic_load_explicit(&a->full_ns, memory_order_relaxed), next;

    if (interval_ns == 0)
        return true;
    do {
        next = (full > now_ns ? full : now_ns) + interval_ns;
        if (next - now_ns > depth_ns)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&a->full_ns, &full, next, memory_order_relaxed,
                                                    memory_order_relaxed));
    return true;
}

/* A second from now at the earliest; beyond the most, everybody gets that. */
static uint64_t take_place(struct admission *a, uint64_t interval_ns, uint64_t now_ns)
{
    const uint64_t first = now_ns + SECOND_NS, last = now_ns + ADMISSION_WAIT_MAX_S * SECOND_NS;
    uint64_t before = atomic_load_explicit(&a->queue_ns, memory_order_relaxed), place;

    do {
        place = before + interval_ns > first ? before + interval_ns : first;
        if (place >= last)
            return last;
    } while (!atomic_compare_exchange_weak_explicit(&a->queue_ns, &before, place,
                                                    memory_order_relaxed, memory_order_relaxed));
    return place;
}

uint32_t admission_wait_s(struct admission *a, uint64_t interval_ns, uint64_t now_ns,
                          uint64_t random)
{
    const uint64_t wait_ns = take_place(a, interval_ns, now_ns) - now_ns;
    const uint32_t s = (uint32_t)((wait_ns + SECOND_NS - 1) / SECOND_NS);

    return s + (uint32_t)(random % ((s + 3) / 4 + 1));
}
