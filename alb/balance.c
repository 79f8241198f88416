/* balance.c -- see balance.h. */
#include "alb/balance.h"

#include "http/message.h"
#include "stickiness/stickiness.h"

#include "alb/config.h"
#include "alb/members.h"
#include "alb/target.h"

static struct target *by_id(const struct group *g, uint64_t id)
{
    for (size_t i = 0; i < g->count; i++) {
        if (g->targets[i]->id == id)
            return g->targets[i];
    }
    return NULL;
}

static struct target *by_cookie(const struct group *g, const struct seal_ring *ring,
                                const struct http_message *request, uint64_t now_s)
{
    const struct group_config *config = g->config;
    unsigned tries = STICKINESS_TRIES;
    uint64_t id;

    if (!config->options.stickiness)
        return NULL;
    for (const struct http_field *f = http_find(request, HTTP_N_COOKIE); f != NULL;
         f = http_find_next(request, f)) {
        if (stickiness_read(&config->stickiness, ring, f->value, config->id, now_s, &tries, &id) ==
            STICKINESS_FOUND) {
            struct target *t = by_id(g, id);
            return t != NULL && target_is_usable(t) ? t : NULL;
        }
    }
    return NULL;
}

/* The next usable one after the last; when none is usable, simply the next
 * (the managed balancer's fail open). */
static struct target *in_turn(struct group *g)
{
    const unsigned start = atomic_fetch_add_explicit(&g->state->turn, 1, memory_order_relaxed);

    for (size_t i = 0; i < g->turns; i++) {
        struct target *t = g->targets[g->order[(start + i) % g->turns]];
        if (target_is_usable(t))
            return t;
    }
    return g->turns == 0 ? NULL : g->targets[g->order[start % g->turns]];
}

struct choice balance_choose(struct group *g, const struct seal_ring *ring,
                             const struct http_message *request, uint64_t now_s)
{
    struct target *t = by_cookie(g, ring, request, now_s);

    if (t != NULL)
        return (struct choice){ t, true };
    return (struct choice){ in_turn(g), false };
}
