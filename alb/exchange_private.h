/* exchange_private.h -- the exchange's struct, for exchange.c and exchange_response.c. */
#ifndef ALB_EXCHANGE_PRIVATE_H
#define ALB_EXCHANGE_PRIVATE_H

#include "http/body.h"
#include "http/message.h"
#include "net/loop.h"
#include "ws/handshake.h"

#include "alb/exchange.h"
#include "alb/target_conn.h"

/* The target is read only while the client's `out` can take what comes of it: a
 * head of which a part was kept, a whole read, our fields and framing. */
enum {
    EXCHANGE_OUT_ROOM = HTTP_RESPONSE_HEAD_MAX + LOOP_SCRATCH_BYTES + 4096,
    EXCHANGE_INTERIM_MAX = 8,
};

struct tls_client;

struct exchange {
    struct worker *worker;
    struct exchange_client client;
    struct target *target;  /* a reference, counted as outstanding */
    struct tls_client *tls; /* a reference: what the target is to prove; NULL in plain text */
    struct target_conn *conn;
    enum exchange_state state;
    int status;      /* FAILED: what to answer; BROKEN: what it would have been */
    const char *why; /* a literal: FAILED, BROKEN */

    struct http_body request_body, response_body;
    bool request_chunked, response_chunked; /* how we send it on */
    bool request_done;
    bool request_cut;    /* the target takes no more of it */
    bool response_begun; /* its head is in `out` */
    bool client_is_1_0, is_upgrade, is_ambiguous, close_client;
    bool use_once; /* the target's connection is not kept after it */
    bool target_keeps_alive;
    uint8_t interim; /* 1xx heads so far */
    enum http_method method;
    size_t scanned; /* of the response's head */

    struct buf replay; /* the request's head, while it may have to be sent again */
    struct {
        char accept[WS_ACCEPT_SIZE];
        char *protocols, *extensions; /* owned */
    } offer;

    struct access_entry *entry; /* owned; NULL when the log is off */
    uint64_t dispatched_us;
    uint32_t active_ms; /* last byte either way */
    uint32_t idle_ms;
};

/* A byte went either way. */
void exchange_touch(struct exchange *x);

/* End it; the first reason stays. */
void exchange_fail(struct exchange *x, int status, const char *why);

/* The target's connection ended before its response did. */
void exchange_target_lost(struct exchange *x, const char *why);

void exchange_on_target(struct target_conn *conn, int revents);
void exchange_read_response(struct exchange *x);

#endif
