/*
 * server.h -- the running whole: the hub, the workers, and how they stop.
 *
 *     main thread    signals, the drain's clock
 *     worker threads their connections (worker.h)
 *     hub thread     channels and the store (hub.h)
 */
#ifndef WSSERVER_SERVER_H
#define WSSERVER_SERVER_H

#include <ev.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "net/addr.h"
#include "net/service.h"
#include "wsserver/hub.h"
#include "wsserver/options.h"

struct worker;

struct server {
    const struct options *options; /* borrowed */
    struct addr addr;              /* what was bound */
    uint32_t max_connections;
    uint8_t secret[HUB_SECRET_BYTES]; /* of session tokens */
    struct hub *hub;
    struct worker *workers; /* owned */
    int worker_count;

    /* From any thread. */
    atomic_uint websockets; /* open now, those in a closing handshake too */
    atomic_bool is_draining;
    atomic_bool is_degraded;

    /* The main thread's own. */
    struct ev_loop *control;
    struct service_signals signals;
    ev_async emptied; /* the last WebSocket has gone, while draining */
    ev_timer deadline;
};

/* Run until a signal ends it; returns the exit code. Prints one sentence when
 * it cannot start. `ready_file` may be NULL. */
int server_run(const struct options *options, const char *ready_file);

/* From a worker: one more, false when there are max_connections or the server
 * is going away; and one less. */
bool server_admit(struct server *s);
void server_release(struct server *s);

#endif
