/*
 * usher.h -- connections whose first bytes say for whom they are: a head of the PROXY protocol.
 *
 * An usher belongs to a loop. It is given accepted sockets, waits for the head of each, and hands
 * the socket to its owner, who goes on as if it had just been accepted: the head has been taken
 * out of it, and no byte behind. What is no head, or too slow, does not come in.
 *
 * As a handshaker (net/handshake.h) it watches by an epoll of its own, since what is watched here
 * may go on in another loop.
 */
#ifndef ALB_USHER_H
#define ALB_USHER_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "net/addr.h"
#include "net/loop.h"

#include "alb/announced.h"

struct usher_result {
    int fd;
    struct addr peer;           /* who connected */
    struct addr client;         /* who was announced; the peer when nobody was */
    struct announced announced; /* empty when nobody was */
    void *tag;                  /* what usher_begin() was given */
    const char *why;            /* NULL: come in. Else why not: a literal */
    bool is_silent;             /* it went, or was late, without a byte: a probe of the port */
};

/* Come in: takes the descriptor, or sets `why`. With that the usher closes it after the call. */
typedef void usher_fn(void *user, struct usher_result *result);

struct usher {
    struct loop *loop;
    struct list waiting;
    int poll; /* owned: the epoll */
    ev_io io; /* of the epoll itself */
    usher_fn *done;
    void *user;
};

void usher_init(struct usher *u, struct loop *loop, usher_fn *done, void *user);

/* Takes the descriptor. The head has to be whole within the time. `done` may be called at once:
 * the head may be there already. */
void usher_begin(struct usher *u, int fd, const struct addr *peer, uint32_t timeout_ms, void *tag);

/* Ends all that wait; `done` is called for each with why. */
void usher_send_away(struct usher *u);

/* The same, and it is over. Harmless when it was called before. */
void usher_done(struct usher *u);

#endif
