/* worker.c -- see worker.h. */
#include "wsserver/worker.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "http/message.h"
#include "wsserver/client.h"
#include "wsserver/fanout.h"
#include "wsserver/server.h"

/* A wake-up of the hub and one of the drain wait here at most. */
enum { INBOX_SIZE = 16, FD_BITS = 24, FIRST_CLIENTS = 64, TEXT_KEPT_MAX = 1 << 20 };

/* --- connections by descriptor ------------------------------------------------ */

static void make_room(struct worker *w, size_t fd)
{
    size_t size = w->clients_size == 0 ? FIRST_CLIENTS : w->clients_size;

    while (size <= fd)
        size *= 2;
    w->clients = mem_resize(w->clients, size * sizeof(struct client *));
    memset(w->clients + w->clients_size, 0, (size - w->clients_size) * sizeof(struct client *));
    w->clients_size = size;
}

uint64_t worker_add(struct worker *w, struct client *c, int fd)
{
    if ((size_t)fd >= w->clients_size)
        make_room(w, (size_t)fd);
    w->clients[fd] = c;
    metric_add(&w->counters.connections, 1);
    metric_add(&w->counters.connections_open, 1);
    return ++w->serial << FD_BITS | (uint64_t)fd;
}

void worker_remove(struct worker *w, int fd)
{
    w->clients[fd] = NULL;
    metric_sub(&w->counters.connections_open, 1);
}

struct client *worker_find(const struct worker *w, uint64_t id)
{
    size_t fd = id & ((1u << FD_BITS) - 1);
    struct client *c = fd < w->clients_size ? w->clients[fd] : NULL;
    return c != NULL && c->id == id ? c : NULL;
}

static void on_accept(struct acceptor *acceptor, int fd, const struct addr *peer)
{
    (void)peer;
    client_new(acceptor->user, fd);
}

/* --- settling ------------------------------------------------------------------- */

void worker_touch(struct worker *w, struct client *c)
{
    if (c->is_touched)
        return;
    c->is_touched = true;
    c->next_touched = w->touched;
    if (w->touched == NULL)
        ev_prepare_start(w->loop.ev, &w->settle);
    w->touched = c;
}

static void on_settle(struct ev_loop *loop, ev_prepare *prepare, int revents)
{
    struct worker *w = prepare->data;
    (void)revents;

    /* Settling one may touch others: who leaves is told to nobody else on this
     * loop, but a mode may. */
    while (w->touched != NULL) {
        struct client *c = w->touched;
        w->touched = c->next_touched;
        c->is_touched = false;
        client_settle(c);
    }
    ev_prepare_stop(loop, prepare);
    if (w->text.size > TEXT_KEPT_MAX)
        buf_release(&w->text);
}

/* --- from the hub ------------------------------------------------------------------ */

static void on_events(struct loop *loop, void *arg)
{
    struct worker *w = arg;
    (void)loop;

    pthread_mutex_lock(&w->lock);
    struct hub_event *event = w->events;
    w->events = NULL;
    w->last_event = &w->events;
    pthread_mutex_unlock(&w->lock);

    while (event != NULL) {
        struct hub_event *next = event->next;
        event->next = NULL;
        fanout(w, event);
        event = next;
    }
}

/* A list of any length, not the loop's bounded inbox: an event that is lost is
 * a hole in a channel, and the hub must not wait for a loop. What lies here is
 * bounded by what is asked of the hub. Only the first one wakes the loop, which
 * takes all; so the inbox never holds more than one such job. */
void worker_deliver(struct worker *w, struct hub_event *event)
{
    event->next = NULL;
    pthread_mutex_lock(&w->lock);
    bool is_first = w->events == NULL;
    *w->last_event = event;
    w->last_event = &event->next;
    pthread_mutex_unlock(&w->lock);
    if (is_first && !loop_post(&w->loop, on_events, w))
        bug("no room for a wake-up");
}

/* --- from the control thread ---------------------------------------------------------- */

/* Clients are told to move within the first part of the time, closed in the
 * next, and the rest is for their answers. */
static void on_drain(struct loop *loop, void *arg)
{
    struct worker *w = arg;
    uint32_t all = w->server->options->shutdown_timeout_ms;
    uint32_t spread = all / 10 * 6, by = all / 10 * 8;
    (void)loop;

    for (size_t fd = 0; fd < w->clients_size; fd++)
        if (w->clients[fd] != NULL)
            client_drain(w->clients[fd], (uint32_t)(random_jitter() % (spread + 1)), by);
}

void worker_drain(struct worker *w)
{
    if (!loop_post(&w->loop, on_drain, w))
        bug("no room for the drain");
}

/* --- start and stop ------------------------------------------------------------------- */

void worker_init(struct worker *w, struct server *server, int index, int listen_fd)
{
    *w = (struct worker){ .server = server, .listen_fd = listen_fd };
    loop_init(&w->loop, index, INBOX_SIZE, w);
    /* Names of connections differ from run to run. */
    w->serial = clock_wall_ms() / 1000 % (1u << 20) << 12;
    ev_prepare_init(&w->settle, on_settle);
    w->settle.data = w;
    buf_init(&w->text, UINT32_MAX / 2);
    w->message = mem_new(struct http_message);
    w->last_event = &w->events;
    pthread_mutex_init(&w->lock, NULL);
}

void worker_start(struct worker *w)
{
    char name[16];

    acceptor_start(&w->acceptor, w->loop.ev, w->listen_fd, on_accept, w);
    snprintf(name, sizeof(name), "loop-%d", w->loop.index);
    loop_start(&w->loop, name);
}

void worker_cut(struct worker *w)
{
    for (size_t fd = 0; fd < w->clients_size; fd++)
        if (w->clients[fd] != NULL)
            client_cut(w->clients[fd]);
}

void worker_done(struct worker *w)
{
    while (w->events != NULL) {
        struct hub_event *event = w->events;
        w->events = event->next;
        hub_event_free(&event);
    }
    acceptor_stop(&w->acceptor);
    close(w->listen_fd);
    ev_prepare_stop(w->loop.ev, &w->settle);
    members_done(&w->members);
    buf_done(&w->text);
    mem_free(w->message);
    free(w->clients);
    loop_done(&w->loop);
    pthread_mutex_destroy(&w->lock);
}
