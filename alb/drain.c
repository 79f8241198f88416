/* drain.c -- see drain.h. */
#include "alb/drain.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include "alb/target.h"
#include "alb/worker.h"

const char *drain_cause_name(enum drain_cause cause)
{
    switch (cause) {
    case DRAIN_COMMAND:
        return "command";
    case DRAIN_DEPARTURE:
        return "deregistered";
    case DRAIN_UNHEALTHY:
        return "unhealthy";
    case DRAIN_SHUTDOWN:
        return "shutdown";
    case DRAIN_LEAVERS:
        return "left";
    }
    bug("unknown cause of a drain");
}

const char *drain_group(const struct drain *d)
{
    return d->cause == DRAIN_SHUTDOWN || d->target_count == 0 ? "*" : d->targets[0]->group;
}

struct drain *drain_new(size_t target_count, size_t loop_count)
{
    struct drain *d = mem_new(struct drain);

    atomic_init(&d->refs, 1);
    atomic_init(&d->staying, (unsigned)loop_count);
    d->targets = mem_array(struct target *, target_count);
    d->target_count = target_count;
    d->fronts = mem_zero(loop_count * sizeof(d->fronts[0]));
    d->loop_count = loop_count;
    return d;
}

struct drain *drain_ref(struct drain *d)
{
    atomic_fetch_add_explicit(&d->refs, 1, memory_order_relaxed);
    return d;
}

void drain_unref(struct drain **d)
{
    struct drain *gone = *d;

    *d = NULL;
    if (gone == NULL || atomic_fetch_sub_explicit(&gone->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < gone->target_count; i++)
        target_unref(&gone->targets[i]);
    pace_unref(&gone->pace);
    free(gone->targets);
    free(gone->fronts);
    free(gone);
}

uint32_t drain_left_ms(const struct drain *d)
{
    const uint64_t passed = clock_mono_ms() - d->began_ms;

    return passed >= d->delay_ms ? 0 : d->delay_ms - (uint32_t)passed;
}

bool drain_has(const struct drain *d, const struct target *t)
{
    return target_drain_id(t) == d->id;
}

/* Of leavers nobody counts those who end by themselves. */
static uint32_t leavers_left(const struct drain *d)
{
    const uint32_t closed = atomic_load_explicit(&d->closed, memory_order_relaxed);

    return d->cause != DRAIN_LEAVERS || closed >= d->found ? 0 : d->found - closed;
}

uint32_t drain_untold(const struct drain *d)
{
    uint32_t n = leavers_left(d);

    for (size_t i = 0; i < d->target_count; i++) {
        if (drain_has(d, d->targets[i]))
            n += atomic_load_explicit(&d->targets[i]->untold, memory_order_relaxed);
    }
    return n;
}

uint32_t drain_open(const struct drain *d)
{
    uint32_t n = leavers_left(d);

    for (size_t i = 0; i < d->target_count; i++) {
        if (drain_has(d, d->targets[i]))
            n += atomic_load_explicit(&d->targets[i]->tunnels, memory_order_relaxed);
    }
    return n;
}

struct drain *drain_stay(struct drain *d)
{
    atomic_fetch_add(&d->staying, 1);
    return drain_ref(d);
}

static void say_end(const struct drain *d)
{
    log_info("drain end id=%" PRIu64 " cause=%s group=%s closed=%u cut=%u", d->id,
             drain_cause_name(d->cause), drain_group(d), atomic_load(&d->closed),
             atomic_load(&d->cut));
}

void drain_left(struct drain **d)
{
    if (atomic_fetch_sub(&(*d)->staying, 1) == 1)
        say_end(*d);
    drain_unref(d);
}

void drain_count_cut(struct drain *d, struct worker *w, uint32_t count)
{
    atomic_fetch_add(&d->cut, count);
    metric_add(&w->counters.drain_cut, count);
}
