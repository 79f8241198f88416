/* closer.c -- see closer.h. */
#include "alb/closer.h"

#include "base/random.h"

#include "alb/tunnel.h"
#include "alb/worker.h"

/* Clients come back within this time, each at a moment of its own. */
enum { RETURN_MS = 5000 };

/* One that is not closing yet and is to be told, wherever the search begins. */
static struct tunnel *pick(struct worker *w)
{
    const uint32_t start = (uint32_t)(random_jitter() % w->tunnel_count);

    for (uint32_t i = 0; i < w->tunnel_count; i++) {
        struct tunnel *t = w->tunnels[(start + i) % w->tunnel_count];
        if (tunnel_can_be_shut(t))
            return t;
    }
    return NULL;
}

static bool close_one(struct worker *w)
{
    struct tunnel *t = w->tunnel_count == 0 ? NULL : pick(w);

    if (t != NULL)
        tunnel_shut(t, (uint32_t)(random_jitter() % RETURN_MS));
    return t != NULL;
}

/* How many should be closed by now, a little more or less; in the end all, those
 * too that were opened since. */
static uint32_t due(const struct closer *c, uint32_t now)
{
    const uint64_t passed = now - c->began_ms + random_jitter() % WHEEL_TICK_MS;

    if (passed >= c->window_ms)
        return UINT32_MAX;
    return (uint32_t)((c->total * passed + c->head_start_ms) / c->window_ms);
}

static void on_timer(struct wheel_timer *timer)
{
    struct worker *w = worker_here;
    struct closer *c = &w->closer;
    const uint32_t goal = due(c, loop_now_ms(&w->loop));

    while (c->done < goal && close_one(w))
        c->done++;
    wheel_set(&w->loop.wheel, timer, WHEEL_TICK_MS);
}

void closer_init(struct closer *c)
{
    *c = (struct closer){ 0 };
    wheel_timer_init(&c->timer, on_timer);
}

void closer_start(struct worker *w, uint32_t window_ms)
{
    struct closer *c = &w->closer;

    c->began_ms = loop_now_ms(&w->loop);
    c->window_ms = window_ms / 10 * 9;
    c->head_start_ms = c->window_ms == 0 ? 0 : (uint32_t)(random_jitter() % c->window_ms);
    c->total = w->tunnel_count;
    c->done = 0;
    wheel_set(&w->loop.wheel, &c->timer, 0);
}

void closer_stop(struct worker *w)
{
    wheel_stop(&w->loop.wheel, &w->closer.timer);
}
