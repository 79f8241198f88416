/*
 * inherit.h -- another process was here before: the new one's part of an upgrade (handing.h;
 * upgrade.h is the old one's).
 *
 * At the start it waits for what there is to be had: sockets that listen already
 * (inherit_sockets.h), which targets are healthy, keys (inherit_state.h). Once everything runs, it
 * says so to the old process, and takes the connections that come from it. When the old process
 * goes before that, the start has failed. On the control thread.
 */
#ifndef ALB_INHERIT_H
#define ALB_INHERIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

struct balancer;
struct drain;
struct inherit;
struct problems;
struct target;

/* False when there is something to be had, and it could not be read: `why`. */
bool inherit_open(struct balancer *b, char *why, size_t why_size);
void inherit_free(struct inherit **inherit);

/* False: the process before this one has ended, and nobody has been told that this one serves: the
 * start has failed. Before the loops run. */
bool inherit_may_serve(const struct inherit *in, char *why, size_t why_size);

/* Everything runs. */
void inherit_ready(struct inherit *in);

/* The old process is still there: what it has yet comes here. */
bool inherit_goes_on(const struct inherit *in);

/* A process before this one that still has connections. */
struct elder {
    int pid;
    uint64_t left_us; /* wall clock: when another one had taken over */
    uint32_t connections, tunnels;
};

/* Those of which it has told, itself first. */
size_t inherit_elders(const struct inherit *in, const struct elder **out);

/* It serves no more, but has not said so yet: it takes no orders for targets. */
bool inherit_is_taking_over(const struct inherit *in);

/* Ask it for its tunnels: an answer goes to the listing of that number (tunnel_listing.h). False:
 * there is nobody to ask. */
bool inherit_ask(struct inherit *in, uint64_t number, struct span query);

/* And obeys these orders: to drain all within so long, and to cut. Else they do nothing. */
bool inherit_obeys(const struct inherit *in);
void inherit_order_stop(struct inherit *in, uint32_t window_ms);
void inherit_order_cut(struct inherit *in);

/* The same for what drains here, when it serves no more. */
void inherit_order_drain(struct inherit *in, const struct drain *d);
void inherit_order_undrain(struct inherit *in, const struct target *t);

/* The start has failed: tell why. */
void inherit_failed(struct inherit *in, const struct problems *problems);

#endif
