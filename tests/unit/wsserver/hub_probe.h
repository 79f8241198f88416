/*
 * hub_probe.h -- a hub in a test: what it delivers is kept, in order, and a
 * test waits for what it expects.
 */
#ifndef TESTS_HUB_PROBE_H
#define TESTS_HUB_PROBE_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "wsserver/hub.h"

enum { PROBE_LOOPS = 2, PROBE_WAIT_S = 10 };

struct probe {
    struct hub *hub;
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct hub_event *first, **last; /* not taken yet */
};

static void probe_deliver(void *user, int loop, struct hub_event *event)
{
    struct probe *p = user;
    pthread_mutex_lock(&p->lock);
    event->conn.loop = loop; /* of events to all members too */
    event->next = NULL;
    *p->last = event;
    p->last = &event->next;
    pthread_cond_broadcast(&p->more);
    pthread_mutex_unlock(&p->lock);
}

/* Short times, so that tests of graces and leases are quick. */
static inline struct hub_options probe_options(const char *path, const char *node)
{
    return (struct hub_options){
        .engine = path == NULL ? "memory" : "sqlite",
        .path = path,
        .node = node,
        .history_messages = HUB_HISTORY_MIN,
        .presence_grace_ms = 300,
        .presence_goodbye_ms = 50,
        .presence_batch_ms = 10,
        .beat_ms = 50,
        .lease_ms = 300,
        .poll_ms = 100,
        .loops = PROBE_LOOPS,
        .deliver = probe_deliver,
    };
}

static inline bool probe_try_start(struct probe *p, struct hub_options options, char why[256])
{
    *p = (struct probe){ .first = NULL };
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->more, NULL);
    p->last = &p->first;
    options.user = p;
    p->hub = hub_start(&options, why, 256);
    return p->hub != NULL;
}

static inline void probe_start(struct probe *p, struct hub_options options)
{
    char why[256] = "";
    if (!probe_try_start(p, options, why))
        fail_msg("%s", why);
}

/* The next event; NULL when none comes within `ms`. */
static inline struct hub_event *probe_next_within(struct probe *p, int ms)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    until.tv_sec += ms / 1000 + until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&p->lock);
    while (p->first == NULL && pthread_cond_timedwait(&p->more, &p->lock, &until) == 0)
        ;
    struct hub_event *event = p->first;
    if (event != NULL && (p->first = event->next) == NULL)
        p->last = &p->first;
    pthread_mutex_unlock(&p->lock);
    return event;
}

/* The next event of this type; others before it are dropped. */
static inline struct hub_event *probe_next(struct probe *p, enum hub_event_type type)
{
    for (;;) {
        struct hub_event *event = probe_next_within(p, PROBE_WAIT_S * 1000);
        if (event == NULL)
            fail_msg("no event of type %d came", (int)type);
        if (event->type == type)
            return event;
        hub_event_free(&event);
    }
}

static inline void probe_stop(struct probe *p)
{
    hub_stop(&p->hub);
    while (p->first != NULL) {
        struct hub_event *event = p->first;
        p->first = event->next;
        hub_event_free(&event);
    }
    pthread_cond_destroy(&p->more);
    pthread_mutex_destroy(&p->lock);
}

/* --- requests in few words --------------------------------------------------- */

static inline struct hub_event *probe_subscribe(struct probe *p, uint64_t conn, const char *channel,
                                                const char *user, const char *session)
{
    assert_true(hub_subscribe(p->hub, &(struct hub_subscribe){ .conn = { 0, conn },
                                                               .request = conn,
                                                               .channel = span_text(channel),
                                                               .user = span_text(user),
                                                               .session = span_text(session),
                                                               .want_presence = true }));
    return probe_next(p, HUB_SUBSCRIBED);
}

static inline void probe_join(struct probe *p, uint64_t conn, const char *channel, const char *user,
                              const char *session)
{
    struct hub_event *event = probe_subscribe(p, conn, channel, user, session);
    hub_event_free(&event);
}

static inline struct hub_event *probe_resume(struct probe *p, uint64_t conn, const char *channel,
                                             const char *ep, uint64_t seq)
{
    assert_true(hub_subscribe(p->hub, &(struct hub_subscribe){ .conn = { 1, conn },
                                                               .channel = span_text(channel),
                                                               .from = HUB_FROM_POSITION,
                                                               .history = 5,
                                                               .ep = span_text(ep),
                                                               .seq = seq }));
    return probe_next(p, HUB_SUBSCRIBED);
}

static inline void probe_publish(struct probe *p, uint64_t request, const char *channel,
                                 const char *user, const char *cid)
{
    char data[96];
    snprintf(data, sizeof(data), "{\"text\":\"%s\"}", cid);
    assert_true(hub_publish(p->hub, &(struct hub_publish){ .conn = { 0, 1 },
                                                           .request = request,
                                                           .channel = span_text(channel),
                                                           .user = span_text(user),
                                                           .cid = span_text(cid),
                                                           .data = span_text(data) }));
}

/* --- a folder for the file ------------------------------------------------------ */

struct probe_store {
    char folder[64], path[96];
};

static inline void probe_store_make(struct probe_store *s)
{
    snprintf(s->folder, sizeof(s->folder), "/tmp/postern-hub-XXXXXX");
    assert_non_null(mkdtemp(s->folder));
    snprintf(s->path, sizeof(s->path), "%s/chat.db", s->folder);
}

static inline void probe_store_remove(struct probe_store *s)
{
    char command[96];
    snprintf(command, sizeof(command), "rm -rf '%s'", s->folder);
    assert_int_equal(system(command), 0);
}

/* For a test whose state is a store. */
static inline int probe_store_set_up(void **state)
{
    struct probe_store *store = calloc(1, sizeof(*store));
    probe_store_make(store);
    *state = store;
    return 0;
}

static inline int probe_store_tear_down(void **state)
{
    probe_store_remove(*state);
    free(*state);
    return 0;
}

static inline const char *probe_store_path(void **state)
{
    return ((const struct probe_store *)*state)->path;
}

#define PROBE_ON_STORE(test)                                                                       \
    cmocka_unit_test_setup_teardown(test, probe_store_set_up, probe_store_tear_down)

#endif
