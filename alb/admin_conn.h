/*
 * admin_conn.h -- one connection on which pages and commands are asked for: at the admin port, at
 * the control socket, at [management]. What they are is in admin_routes.c.
 *
 * One request after the other, each whole within 30 s, with a body of at most 1 MB; an answer waits
 * until what it says is in force. Over TLS as well as in plain text. Control thread.
 */
#ifndef ALB_ADMIN_CONN_H
#define ALB_ADMIN_CONN_H

#include "base/list.h"
#include "http/message.h"
#include "http/reply.h"

#include "alb/caller.h"

struct balancer;
struct tls_session;

/* Where they are made: what all connections there have in common. */
struct admin_host {
    struct balancer *balancer;
    uint16_t port;                /* for the check of Host at the admin port */
    size_t head_max;              /* a longer head is refused */
    struct http_message *request; /* borrowed: scratch of one parse */

    /* May it be asked, as far as the head says? Completes the caller; false with what is to be
     * answered instead, before any of the body is read. NULL: everybody may. */
    bool (*login)(struct admin_host *host, const struct http_message *m, struct caller *caller,
                  struct http_reply *refusal);
    void (*on_end)(void *user); /* of one that was begun; not from within the begin */
    struct list conns;
};

void admin_host_init(struct admin_host *host, struct balancer *b, struct http_message *request,
                     void (*on_end)(void *user));

/* Takes the descriptor, and the session: NULL for plain text. */
void admin_conn_begin(struct admin_host *host, int fd, struct tls_session *tls,
                      const struct caller *caller, void *user);

/* End them all. */
void admin_host_end(struct admin_host *host);

#endif
