/*
 * health_check.h -- one health check: connect, ask, read the head of the
 * answer, close; or open a WebSocket, ping, wait for the pong, close that (ws/probe.h).
 * What it means for the target is health.c's business.
 *
 * TLS handshakes are made here, on the control thread: it carries no traffic,
 * and all but the first of a target are resumed.
 */
#ifndef ALB_HEALTH_CHECK_H
#define ALB_HEALTH_CHECK_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "net/addr.h"
#include "net/stream.h"
#include "ws/probe.h"

struct http_message;
struct tls_client;
struct tls_resume;

enum health_outcome {
    HEALTH_ANSWERED,  /* `status` is the response's; when a WebSocket was asked for, no 101 */
    HEALTH_PONGED,    /* the WebSocket opened and answered a ping; `status` is 101 */
    HEALTH_TIMED_OUT, /* no whole head, or no pong, in time: `why` says which */
    HEALTH_CUT,       /* refused, reset, closed: `why` is the sentence */
    HEALTH_FAILED,    /* garbage, a TLS handshake that fails: likewise */
    HEALTH_NOT_MADE,  /* for a lack of our own: says nothing about the target */
};

struct health_result {
    enum health_outcome outcome;
    int status;
    const char *why;    /* for the length of the call */
    bool was_connected; /* or connecting has failed */
    uint64_t took_us;
};

/* Called once for each check, also from inside health_check_start(). The check
 * is over by then and may be started again. */
typedef void health_check_fn(void *user, const struct health_result *result);

enum health_phase { HEALTH_ASKING, HEALTH_PINGING, HEALTH_CLOSING };

/* Embedded in its owner. */
struct health_check {
    struct ev_loop *loop;        /* borrowed */
    struct http_message *answer; /* borrowed: the scratch of one parse */
    health_check_fn *on_result;
    void *user;
    ev_io io;
    ev_timer deadline;
    struct stream stream;
    struct buf out, in; /* no memory between checks */
    size_t scanned;
    enum health_phase phase;
    bool is_websocket;
    struct ws_probe probe; /* of a WebSocket */
    uint64_t ponged_us;    /* clock_mono_us(); while HEALTH_CLOSING */
    bool is_shaking;       /* hands: TLS, on the way */
    bool was_connected;
    uint64_t began_us; /* clock_mono_us() */
    bool is_running;
};

void health_check_init(struct health_check *c, struct ev_loop *loop, struct http_message *answer,
                       health_check_fn *on_result, void *user);

/* What to ask, and whom. Borrowed for the call. */
struct health_question {
    const struct addr *target;
    const char *path;
    uint32_t timeout_ms;
    bool is_websocket;
    struct tls_client *tls; /* NULL: in plain text */
    struct tls_resume *resume;
};

/* GET over a new connection; of a WebSocket with an upgrade. Not while one is running. */
void health_check_start(struct health_check *c, const struct health_question *q);

/* Without a result. Harmless when none is running. */
void health_check_cancel(struct health_check *c);

#endif
