/* leaving.c -- see leaving.h. */
#include "alb/leaving.h"

#include "base/list.h"
#include "base/mem.h"

#include "alb/balancer.h"
#include "alb/config.h"

enum { KEPT_AT_MOST_MS = 2 * 60 * 1000 };

struct leaver {
    const struct listener *listener;
    struct config *config; /* a reference: the last that had it */
    uint64_t until_ms;
};

struct leaving {
    size_t count;
    struct leaver items[LEAVING_MOST]; /* the oldest first */
};

static void forget(struct leaving *l, size_t i)
{
    config_free(&l->items[i].config);
    l->count--;
    for (; i < l->count; i++)
        l->items[i] = l->items[i + 1];
}

static void add(struct leaving *l, const struct leaver *item)
{
    if (l->count == LEAVING_MOST)
        forget(l, 0);
    l->items[l->count] = *item;
    config_ref(item->config);
    l->count++;
}

/* A client that is silent is closed by the idle time-out; its handshake came before that. */
static uint64_t kept_ms(const struct config *c)
{
    const uint64_t ms = (uint64_t)c->alb.idle_timeout_ms + c->alb.tls_handshake_timeout_ms;

    return ms < KEPT_AT_MOST_MS ? ms : KEPT_AT_MOST_MS;
}

static void add_removed(struct leaving *l, const struct list *listeners, struct config *old,
                        const struct config *now, uint64_t now_ms)
{
    list_each (at, listeners) {
        const struct listener *it = list_entry(at, struct listener, link);
        if (listener_config_of(old, it) == NULL || listener_config_of(now, it) != NULL)
            continue;
        add(l, &(struct leaver){ it, old, now_ms + kept_ms(old) });
    }
}

struct leaving *leaving_after(const struct leaving *before, const struct list *listeners,
                              struct config *old, const struct config *now, uint64_t now_ms)
{
    struct leaving *l = mem_new(struct leaving);

    for (size_t i = 0; before != NULL && i < before->count; i++) {
        const struct leaver *item = &before->items[i];
        if (now_ms < item->until_ms && listener_config_of(now, item->listener) == NULL)
            add(l, item);
    }
    if (old != now)
        add_removed(l, listeners, old, now, now_ms);
    if (l->count == 0)
        leaving_free(&l);
    return l;
}

void leaving_free(struct leaving **leaving)
{
    struct leaving *l = *leaving;

    *leaving = NULL;
    while (l != NULL && l->count > 0)
        forget(l, l->count - 1);
    free(l);
}

uint64_t leaving_until_ms(const struct leaving *leaving)
{
    uint64_t first = UINT64_MAX;

    for (size_t i = 0; leaving != NULL && i < leaving->count; i++) {
        if (leaving->items[i].until_ms < first)
            first = leaving->items[i].until_ms;
    }
    return first;
}

const struct listener_config *leaving_find(const struct leaving *leaving,
                                           const struct listener *listener)
{
    for (size_t i = 0; leaving != NULL && i < leaving->count; i++) {
        if (leaving->items[i].listener == listener)
            return listener_config_of(leaving->items[i].config, listener);
    }
    return NULL;
}
