/* exchange_private.h -- the exchange's struct, for exchange.c and exchange_response.c. */
#ifndef ALB_EXCHANGE_PRIVATE_H
#define ALB_EXCHANGE_PRIVATE_H

#include "http/body.h"
#include "http/message.h"
#include "net/loop.h"
#include "ws/handshake.h"

#include "alb/balance.h"
#include "alb/exchange.h"
#include "alb/options.h"
#include "alb/sticky.h"
#include "alb/target_conn.h"

/* The target is read only while the client's `out` can take what comes of it: a
 * head of which a part was kept, a whole read, our fields and framing. */
enum {
    EXCHANGE_OUT_ROOM = HTTP_RESPONSE_HEAD_MAX + LOOP_SCRATCH_BYTES + 4096,
    EXCHANGE_INTERIM_MAX = 8,
};

struct group_config;
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
    uint16_t rule;   /* the priority of the one that sent it here; 0: the default */
    enum http_method method;
    size_t scanned; /* of the response's head */

    struct buf replay; /* the request's head, while it may have to be sent again */
    bool may_retry;
    bool has_spoken;            /* the target, on this connection */
    bool has_moved;             /* to another target, within this turn: what is read is stale */
    uint8_t tries_left;         /* on other targets */
    uint8_t tried_count;        /* those that did not answer */
    uint64_t tried[RETRY_MOST]; /* their ids */
    struct balance_key key;
    struct {
        char accept[WS_ACCEPT_SIZE];
        struct buf protocols, extensions;
    } offer;

    struct sticky sticky;

    struct upgrade_case *upgrade; /* owned; NULL unless it asks for a WebSocket */
    uint8_t upgrade_failure;      /* enum upgrade_failure, where that is known before the end */
    bool is_aborted;              /* by exchange_abort() */
    bool is_unanswered;           /* exchange_not_answered() ended it */

    struct access_entry *entry; /* owned; NULL when the log is off */
    uint64_t dispatched_us;     /* loop_mono_us(); 0: not yet */
    uint32_t active_ms;         /* last byte either way */
    uint32_t idle_ms;
};

/* A byte went either way. */
void exchange_touch(struct exchange *x);

/* End it; the first reason stays. */
void exchange_fail(struct exchange *x, int status, const char *why);

/* The target could not be reached, or its connection ended before its response did: another
 * try, or the end with this status and reason. */
void exchange_not_answered(struct exchange *x, int status, const char *why);

/* Is it a request that may be sent twice? */
bool exchange_may_retry(const struct http_message *m, const struct group_options *options);

/* Hold a target whose place is taken (balance.h), and let it go with its place: the log entry
 * gets the reference, and has none before. */
void exchange_hold(struct exchange *x, struct target *t);
void exchange_let_go(struct exchange *x);

/* The log entry goes on without the exchange: it gets a reference to the target held. */
void exchange_name_target(struct exchange *x);

/* A connection to the target that it holds. False when the kernel refuses at once. */
bool exchange_connect(struct exchange *x, bool fresh);

/* Hold another target, as long as there are tries, and connect there. False when there is
 * none. */
bool exchange_take_other(struct exchange *x);

/* A target answers so. True: to an upgrade that says nothing, and another target has it now, or
 * the exchange has failed; the connection that the answer came from is gone. */
bool exchange_try_elsewhere(struct exchange *x, int status);

/* The request goes out now. */
void exchange_dispatched(struct exchange *x);

/* --- exchange_upgrade.c: of one that asks for no WebSocket these do nothing --------------- */

/* Keep what the doctor will want to know, if it fails. */
void exchange_upgrade_begin(struct exchange *x, const struct http_message *m,
                            const struct route *route);

/* websocket.upgrade_rate: false when it is one too many, and has failed. */
bool exchange_upgrade_admit(struct exchange *x, const struct group_config *group);

/* It is about to fail because there are too many: say when to come again. */
void exchange_upgrade_put_off(struct exchange *x, const struct group_config *group);

/* A response begins that is no 101. */
void exchange_upgrade_answered(struct exchange *x, int status);

/* It has its 101: what was kept of it, for its first second. */
struct upgrade_case *exchange_upgrade_take(struct exchange *x);

/* The exchange is over: it failed, unless there is a tunnel. */
void exchange_upgrade_end(struct exchange *x);

void exchange_on_target(struct target_conn *conn, int revents);
void exchange_read_response(struct exchange *x);

#endif
