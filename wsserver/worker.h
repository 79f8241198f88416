/*
 * worker.h -- one loop thread of the server: its connections, its members of
 * channels, and what the hub has for it.
 *
 * Everything here belongs to its own thread, but for worker_deliver() and
 * worker_drain(). Connections that have something to send or to change are
 * *touched*, and settled together at the end of the turn: whatever came
 * together for one socket leaves in one write.
 */
#ifndef WSSERVER_WORKER_H
#define WSSERVER_WORKER_H

#include <pthread.h>

#include "base/buf.h"
#include "net/listener.h"
#include "net/loop.h"
#include "wsserver/counters.h"
#include "wsserver/members.h"

struct client;
struct http_message;
struct server;

struct worker {
    struct loop loop;
    struct server *server; /* borrowed */
    struct acceptor acceptor;
    int listen_fd; /* owned */

    struct client **clients; /* owned, with what they point to; by descriptor */
    size_t clients_size;
    uint64_t serial; /* of the last connection */
    struct client *touched;
    ev_prepare settle; /* runs only while something is touched */

    struct members members;
    struct buf text;              /* for writing; empty between uses */
    struct http_message *message; /* owned: the request that is being read */
    struct counters counters;

    pthread_mutex_t lock; /* guards these two */
    struct hub_event *events, **last_event;
};

/* Takes the listening descriptor. */
void worker_init(struct worker *w, struct server *server, int index, int listen_fd);
void worker_start(struct worker *w);

/* After its thread has ended: cut the connections that are left. */
void worker_cut(struct worker *w);

/* After the hub has stopped too. */
void worker_done(struct worker *w);

/* From the hub's thread: takes the event. Never blocks for long, never loses. */
void worker_deliver(struct worker *w, struct hub_event *event);

/* From the control thread: tell all clients to go. */
void worker_drain(struct worker *w);

/* A connection's number: never used twice, and found without a search. */
uint64_t worker_add(struct worker *w, struct client *c, int fd);
void worker_remove(struct worker *w, int fd);
struct client *worker_find(const struct worker *w, uint64_t id);

/* Settle it at the end of this turn. */
void worker_touch(struct worker *w, struct client *c);

#endif
