/*
 * greeter.h -- a handshake thread: accepts HTTPS connections, does the TLS
 * handshake, and passes the finished connection to a worker; and shakes hands with
 * HTTPS targets for the workers (dial.h).
 *
 * When the workers' inboxes are full, greeters stop accepting until what they
 * hold is taken: that is the admission control of a reconnect storm.
 */
#ifndef ALB_GREETER_H
#define ALB_GREETER_H

#include "net/handshake.h"
#include "net/listener.h"
#include "net/loop.h"

#include "alb/dial.h"
#include "alb/log_buffer.h"
#include "alb/usher.h"

struct balancer;
struct config;
struct edge_view;
struct listener;

struct greeter {
    struct loop loop;
    struct balancer *balancer;
    const struct config *config;  /* this loop's snapshot */
    const struct edge_view *edge; /* and who may connect */
    struct usher usher;           /* of those whose PROXY head is awaited */
    struct handshaker handshaker; /* with clients */
    struct dial_desk dials;       /* with targets */
    struct list listeners;        /* greeter_listener */
    struct list waiting;          /* arrivals that no inbox would take yet */
    ev_timer retry;               /* runs while something waits */
    struct log_buffer connection_log;
};

void greeter_init(struct greeter *g, struct balancer *balancer, int index);

/* When neither its thread nor the workers' run any more. */
void greeter_done(struct greeter *g);

/* Jobs for loop_post(); the arguments are as for the worker's. */
loop_fn greeter_listen;
loop_fn greeter_unlisten;
loop_fn greeter_accept;
loop_fn greeter_relisten;
loop_fn greeter_close_listener;
loop_fn greeter_close_listeners;
loop_fn greeter_adopt;
loop_fn greeter_drain;

#endif
