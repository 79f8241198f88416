/*
 * pace.h -- when the next close may go out, for all loops together.
 *
 * A pace is one time, shared through an atomic: the next close is due then. A loop that has
 * somebody to close claims that time when it has come, which puts it off for everybody. There
 * are two kinds:
 *
 *   within  all are closed within a window: what is left of it is divided among those who are
 *           left at each claim, so that it does not matter who leaves by himself or comes late.
 *           At the end of the window nobody waits any more.
 *   rate    at most N in every second, however it is laid, as a client sees it too: the space
 *           between two has room for what the network and the loops' timers add. A loop that
 *           stood still makes up for PACE_SLACK_US of it at most.
 *
 * Both vary the space by chance. Pure: time is an argument (clock_mono_us()), and so is chance.
 *
 * A rate is kept by several processes together when they share its time: it is in a page of
 * memory that a descriptor names, and that another process may be handed. (All processes of a
 * machine have the same clock.)
 */
#ifndef ALB_PACE_H
#define ALB_PACE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    PACE_SLACK_US = 5000,      /* of a rate */
    PACE_ALLOWANCE_US = 25000, /* of a rate: how much later one is seen than another */
    PACE_RATE_MAX = 100000,
};

struct pace {
    atomic_uint refs;
    uint64_t spacing_us;      /* of a rate: the least between two; 0: within a window */
    uint64_t end_us;          /* of the window */
    _Atomic uint64_t *due_us; /* in the page, or `own_us` */
    _Atomic uint64_t own_us;
    int page; /* a descriptor of its own; -1: it has none */
};

/* Such a page, on which the next is due at once: a descriptor, -1 with errno. */
int pace_page(void);

/* `per_second` is 1 to PACE_RATE_MAX. On a page (the descriptor stays the caller's) the first is
 * due when it says, but not before now; without a page (-1), or with something that is none, at
 * once. */
struct pace *pace_new_rate(int page, uint64_t now_us, uint32_t per_second);

/* `count` is how many there are now: the first is due within its share of the window. With
 * none, whoever comes first is due at once. */
struct pace *pace_new_within(uint64_t now_us, uint64_t window_us, uint32_t count, uint64_t chance);

struct pace *pace_ref(struct pace *p);
void pace_unref(struct pace **p);

/* True: close one now; `left` are those who are left, that one included. */
bool pace_claim(struct pace *p, uint64_t now_us, uint32_t left, uint64_t chance);

static inline uint64_t pace_due_us(const struct pace *p)
{
    return atomic_load_explicit(p->due_us, memory_order_relaxed);
}

static inline bool pace_is_rate(const struct pace *p)
{
    return p->spacing_us != 0;
}

/* How many a rate closes in so long, taken carefully: at least so many if the loops are not
 * late. */
uint64_t pace_capacity(const struct pace *p, uint64_t span_us);

#endif
