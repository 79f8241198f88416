/*
 * worker.h -- one loop thread of the balancer and what lives on it.
 *
 * Everything that a connection touches on its way is here and belongs to this
 * thread alone: the configuration's snapshot as this loop sees it, the idle
 * target connections, the parse scratch, the counters, the log rows. Other
 * threads post to the loop; they read only `load` and the counters.
 */
#ifndef ALB_WORKER_H
#define ALB_WORKER_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/slab.h"
#include "base/spares.h"
#include "http/message.h"
#include "net/handshake.h"
#include "net/listener.h"
#include "net/loop.h"
#include "stickiness/stickiness.h"

#include "alb/counters.h"
#include "alb/doctor.h"
#include "alb/log_buffer.h"
#include "alb/dial.h"
#include "alb/target_conn.h"
#include "alb/transform.h"
#include "alb/usher.h"

struct balancer;
struct config;
struct edge_view;
struct leaving;
struct listener;
struct listener_config;
struct listener_headers;
struct members;
struct tunnel;

/* One listener as this worker accepts from it (plain HTTP ones only; those of
 * HTTPS are accepted by the greeters). */
struct worker_listener {
    struct acceptor acceptor;
    struct listener *listener;
    struct worker *worker;
    struct list link;
    bool is_early; /* held: its configuration is still to come */
};

struct worker {
    struct loop loop;
    struct balancer *balancer;
    const struct config *config;   /* this loop's snapshot; swapped by a posted job */
    const struct members *members; /* and who is in its groups */
    const struct edge_view *edge;  /* and who may connect */
    const struct leaving *removed; /* and listeners that it has no longer; may be NULL */
    struct {
        const struct listener *listener;
        const struct listener_config *config;
    } found; /* in `config`, of the listener that was asked for last: mostly the next one too */
    struct list listeners; /* worker_listener */
    struct usher usher;    /* of those whose PROXY head is awaited */
    struct list clients;
    struct tunnel **tunnels; /* by tunnel->index */
    uint32_t tunnel_count, tunnel_size;
    struct slab tunnel_blocks[2]; /* of IPv4 clients, of IPv6 ones */
    struct list walks;            /* tunnel_walk.h */
    atomic_uint load;             /* connections here, tunnels included; read by any thread */
    bool is_draining;             /* no keep-alive any more */
    bool is_leaving; /* nor for clients with TLS, which cannot go to the process that takes over */
    struct pool pool;
    struct dial_line dials;  /* to HTTPS targets, on their way to the greeters */
    struct spares exchanges; /* of struct exchange */
    struct stickiness_cache cookies;
    struct log_buffer access_log, connection_log;
    struct spares entries; /* of struct access_entry */
    struct list shares;    /* closer_share: of the drains that run */
    struct list cutters;   /* of targets whose delay is over: cutter.h */
    struct doctor_lines doctor_lines;
    struct counters counters;
    struct http_message request, response; /* scratch of one parse */
    struct regex_scratch *regex;           /* owned; of one search */
    struct transform_texts rewritten;      /* what a rule made of `request` */
};

/* The worker of the running thread. */
extern _Thread_local struct worker *worker_here;

void worker_init(struct worker *w, struct balancer *balancer, int index);
void worker_done(struct worker *w);

/* Jobs for loop_post(). */

/* `arg` is the listening descriptor's struct worker_listen, which it frees. */
struct worker_listen {
    struct listener *listener;
    int fd;
};
loop_fn worker_listen;

/* Arg is the struct listener. It was removed: begin no new connection, but take those that have
 * begun; it comes back; it has had its time, take the last and close it. */
loop_fn worker_unlisten;
loop_fn worker_relisten;
loop_fn worker_close_listener;

/* A new snapshot, or only new members; arg is a struct publication (balancer.h). */
loop_fn worker_adopt;

/* Accept from the listeners that are new in it. Posted when every loop has it, or will before
 * what another hands to it. */
loop_fn worker_begin;

/* An accepted connection; arg is a struct arrival, which it frees. */
struct arrival {
    struct listener *listener;
    struct handshake_result from; /* tls NULL for plain; `peer` is the client that was announced,
                                     if one was */
    struct announced announced;
};
loop_fn worker_adopt_connection;

/* End what still runs to this target (arg, a reference): its delay is over. Or only its
 * tunnels. */
loop_fn worker_cut_target, worker_cut_tunnels;

/* The same to the WebSockets of peers that have left the edge set. */
loop_fn worker_cut_leavers;

/* Stop accepting and end idle connections; a drain closes the tunnels (closer.h). */
loop_fn worker_drain;

/* Accept from the listeners, or (arg NULL) not for now: then it says so to the upgrade. */
loop_fn worker_accept;

/* Close the listeners: another process has them. */
loop_fn worker_close_listeners;

/* Clients between two requests that cannot go are not waited for any more. */
loop_fn worker_hang_up_idle;

/* Arrived from another process: arg is a struct arrival, which it frees, or a struct tunnel. */
loop_fn worker_adopt_moved;
loop_fn worker_adopt_tunnel;

/* End everything now. */
loop_fn worker_cut;

/* What this loop's snapshot seals cookies with. */
const struct seal_ring *worker_seal_ring(const struct worker *w);

/* The listener's part of this loop's snapshot, or of the last that had it (leaving.h); NULL when
 * it was removed a while ago. */
const struct listener_config *worker_listener_config(struct worker *w,
                                                     const struct listener *listener);

/* It was removed a moment ago (leaving.h): its connections end after an answer. */
bool worker_listener_is_gone(const struct worker *w, const struct listener *listener);

/* What it does to headers; of one that was removed, nothing. */
const struct listener_headers *worker_listener_headers(struct worker *w,
                                                       const struct listener *listener);

#endif
