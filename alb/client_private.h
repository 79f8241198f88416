/*
 * client_private.h -- the client's struct, for client.c (its life), client_request.c
 * (what it asks) and client_answer.c (what it gets).
 */
#ifndef ALB_CLIENT_PRIVATE_H
#define ALB_CLIENT_PRIVATE_H

#include <ev.h>

#include "http/message.h"
#include "http/reply.h"
#include "net/stream.h"
#include "net/wheel.h"

#include "alb/access_log.h"
#include "alb/client.h"
#include "alb/exchange.h"
#include "alb/upgrade_failures.h"

struct doctor_text;
struct route;

enum client_state { HEAD, EXCHANGE, LINGER };

enum { CLIENT_OUT_BUSY = CLIENT_OUT_MAX / 2 }; /* with so much unsent, no new request is begun */

struct client {
    enum client_state state;
    const char *end_reason; /* NULL while alive; a literal once ended */

    struct worker *worker;
    struct listener *listener;
    struct list link;
    struct stream stream;
    ev_io io;
    struct wheel_timer timer;
    struct buf in;  /* bytes that could not be used yet */
    struct buf out; /* bytes that did not go out yet */

    struct exchange *exchange; /* exactly while state == EXCHANGE */
    struct access_client facts;
    size_t scanned;         /* of the head in `in` */
    uint64_t accepted_us;   /* wall clock */
    uint32_t keep_alive_ms; /* client_keep_alive.seconds, as it was then */
    uint32_t active_ms;     /* last byte; or the state's beginning */
    uint32_t finished_ms;   /* LINGER: our FIN */
    uint32_t asked;         /* for the log: bytes of the request that is looked at */
    uint32_t out_before;    /* and what was in `out` before its answer */
    bool in_eof;            /* the client has finished sending */
    bool waits_for_room;    /* HEAD: it reads slower than it asks; `in` waits for `out` */
    bool out_finished;      /* LINGER: our FIN is sent */
    bool is_nonsense;       /* LINGER: what it sent was no request, so has no body */
    bool became_tunnel;     /* the stream belongs to a tunnel now */
    bool is_cut;            /* by us, at the shutdown */

    /* client_proof.c */
    bool is_unproved;              /* answered, and perhaps nobody was there */
    uint16_t unproved_status;      /* of an answer of ours, not counted yet; or 0 */
    struct access_entry *unproved; /* owned: its row; NULL when the log is off */
};

/* The only way to finish; the first reason stays. */
void client_end(struct client *c, const char *reason);
void client_change_state(struct client *c, enum client_state state);

/* For the exchange: the target's side has moved. `user` is the client. */
void client_on_wake(void *user);

/* --- client_request.c ------------------------------------------------------- */

/* Run the steps until one needs input or the client has ended; takes what they
 * used off the front of `bytes`. */
void client_run(struct client *c, struct span *bytes);
const char *client_state_name(const struct client *c);

/* It ended in HEAD with bytes in `in`: a request too, which has its row. */
void client_log_torn_head(struct client *c);

/* HEAD: it has waited too long. */
void client_expire_head(struct client *c);

/* --- client_answer.c -------------------------------------------------------- */

/* The request goes to a target, or is answered. */
void client_answer(struct client *c, struct http_message *m);

/* Answer with an error page (or the doctor's words) and close. `m` is NULL when there is none. */
void client_refuse(struct client *c, const struct http_message *m, int status, const char *why);

/* The same for what is no good request: its bytes. */
void client_refuse_head(struct client *c, const struct http_message *m, struct span head,
                        int status, const char *why);

/* Put it into `out`, with what the listener does to headers, and count it. */
void client_reply(struct client *c, struct http_reply *how);
void client_reply_error(struct client *c, int status, bool head_only);

/* Count, and write the row of, a request that got no further than its head and no answer. */
void client_log_own(struct client *c, const struct http_message *m, int status, const char *why);

void client_count_status(struct client *c, int status);
void client_count_class(struct client *c, const struct http_message *m);

/* --- client_proof.c --------------------------------------------------------- */

/* Its exchange has an answer, and `rest` is what came behind its request. If it has finished
 * sending, it may as well have closed. Call before the answer is counted. */
void client_doubt(struct client *c, struct span rest);

/* Free the exchange; the row of a doubtful answer waits. */
void client_free_exchange(struct client *c);

/* All is sent and finished: end it if it is known whether it got that. Else call again. */
void client_prove(struct client *c);
enum { CLIENT_PROOF_MS = 100 };

/* At its end: count, and write the row. */
void client_settle_doubt(struct client *c);

/* --- client_upgrade.c ------------------------------------------------------- */

/* A rule answers so: if a WebSocket was asked for, it failed, and the answer says why. `has_text`:
 * what it says is the operator's. */
void client_upgrade_missed(struct client *c, const struct http_message *m,
                           const struct route *route, struct http_reply *how, bool has_text,
                           struct doctor_text *text);

/* Refuse it with the doctor's words. False when it asks for no WebSocket. `detail` is a literal
 * or NULL, `route` NULL when no rule was looked for. */
bool client_upgrade_refused(struct client *c, const struct http_message *m,
                            const struct route *route, enum upgrade_failure failure, int status,
                            const char *detail);

/* The same for a head that is no good request. */
bool client_upgrade_unread(struct client *c, struct span head, int status, const char *why);

/* It went within this head: nobody hears an answer. */
void client_upgrade_torn(struct client *c, struct span head, const char *why);

#endif
