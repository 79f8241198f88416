/*
 * exchange.h -- one request and its response, between a client and a target.
 *
 * The client side (client.c) owns an exchange: it feeds request body bytes in,
 * sends what the exchange puts into `out`, and asks for the state. The target
 * side drives itself from its connection's events and calls `wake` at the end
 * of each, where the client side settles both. `wake` may free the exchange.
 *
 * Request and response end independently; each is a small machine:
 *
 *   request:   head -> body -> done            response:  head -> body -> done
 *
 * An exchange never points into a configuration snapshot: it holds a reference
 * to its target and copies of what it needs.
 */
#ifndef ALB_EXCHANGE_H
#define ALB_EXCHANGE_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"
#include "net/stream.h"

#include "alb/tunnel_view.h"

struct access_client;
struct access_entry;
struct exchange;
struct http_message;
struct listener;
struct route;
struct target;
struct upgrade_case;
struct worker;

enum { CLIENT_OUT_MAX = 192 * 1024 };

enum exchange_state {
    EXCHANGE_RUNNING,
    EXCHANGE_DONE,     /* the whole response is in `out`, or sent */
    EXCHANGE_FAILED,   /* no byte of a response was made: answer exchange_status() */
    EXCHANGE_BROKEN,   /* a response was begun that cannot be finished: cut the client */
    EXCHANGE_UPGRADED, /* a verified 101 is in `out`: take the tunnel */
};

/* What the client side lends. */
struct exchange_client {
    struct stream *stream;
    struct buf *out;
    struct access_client *facts;
    const struct listener *listener;
    void (*wake)(void *user);
    void *user;
    bool keep_alive; /* may the client's connection go on after this? */
};

/* `m` is the request (the worker's scratch). Never NULL: what fails at once is
 * in the state. */
struct exchange *exchange_start(struct worker *w, const struct exchange_client *client,
                                const struct http_message *m, const struct route *route);

/* Frees it with its target connection. Writes the access row if that was not
 * taken away. Clears the variable; NULL is fine. */
void exchange_free(struct exchange **x);

/* Feed bytes of the request's body; what is left in `*in` is not part of it,
 * or has no room now. */
void exchange_take(struct exchange *x, struct span *in);

/* Does it wait for (more of) the request's body, and has room for it? */
bool exchange_wants_body(const struct exchange *x);
bool exchange_request_is_done(const struct exchange *x);

/* The client has finished sending. */
void exchange_client_eof(struct exchange *x);

/* Stop it, if it runs, with this status and reason (a literal). 460: the client
 * went away before it had an answer. */
void exchange_abort(struct exchange *x, int status, const char *why);

/* Choose the target side's events, by the room in `out`. */
void exchange_watch(struct exchange *x);

enum exchange_state exchange_state(const struct exchange *x);
int exchange_status(const struct exchange *x);      /* for FAILED and BROKEN */
const char *exchange_why(const struct exchange *x); /* a literal, or NULL */
bool exchange_must_close(const struct exchange *x); /* the client's connection, after DONE */

/* Milliseconds until it has waited too long; 0: now, and exchange_expire()
 * decides what that means. */
uint32_t exchange_time_left(const struct exchange *x);
void exchange_expire(struct exchange *x);

/* The row as it is to be written, which exchange_free() will not do then. NULL when the log is
 * off. */
struct access_entry *exchange_take_entry(struct exchange *x);

struct target *exchange_target(const struct exchange *x);

/* For FAILED: what the doctor knows of a request that asked for a WebSocket; borrowed. NULL of
 * any other. */
const struct upgrade_case *exchange_upgrade_failed(struct exchange *x);

bool exchange_is_head(const struct exchange *x);

/* The client took some of the response: it is not idle. */
void exchange_client_took(struct exchange *x);

/* For the log: bytes that were put into `out` for it beside the response, and bytes of
 * `out` that will never be sent. */
void exchange_count_sent(struct exchange *x, size_t n);
void exchange_count_unsent(struct exchange *x, size_t n);

/* BROKEN: the client could take a plain end for the end of the body, so the
 * connection must be reset. */
bool exchange_must_reset(const struct exchange *x);

/* For EXCHANGE_UPGRADED: the parts of the tunnel. The receiver gets the target's
 * stream and its watcher, the bytes that came behind the 101, the reference to the target with
 * its place in the outstanding count, the log entry, and what the tunnel itself could not
 * find out later. */
struct exchange_tunnel {
    struct stream stream;
    ev_io io; /* that of the stream, stopped: net/watch.h */
    struct buf from_target;
    struct target *target;
    struct access_entry *entry;
    struct upgrade_case *upgrade; /* owned: doctor_watch.h */
    struct tunnel_facts facts;
};
void exchange_take_tunnel(struct exchange *x, struct exchange_tunnel *out);

#endif
