/*
 * listener.h -- listening sockets, and accepting from them.
 *
 * A program that listens on several threads opens one socket a thread with
 * SO_REUSEPORT. Since that would also let a second copy of the program take
 * half of the traffic in silence, listener_probe() first binds without it and
 * says who is in the way.
 */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>

#include "net/addr.h"

/* Bind the address without SO_REUSEPORT, and let go of it again. False with a
 * sentence in `why` when it is taken or may not be used. A free port is chosen
 * for port 0 and written back into `addr`. */
bool listener_probe(struct addr *addr, char *why, size_t why_size);

struct edge_filter;

/* A listening, non-blocking, close-on-exec socket, or -1 with a sentence.
 * SO_REUSEADDR, IPV6_V6ONLY and TCP_NODELAY are set (accepted sockets inherit
 * the last). A stale Unix socket file is replaced; one that answers is not. */
int listener_open(const struct addr *addr, bool reuseport, char *why, size_t why_size);

/* The same behind a filter, which is there before the first packet comes. A filter that cannot be
 * had is no failure: it has said so. NULL: none. */
int listener_open_behind(struct edge_filter *filter, const struct addr *addr, bool reuseport,
                         char *why, size_t why_size);

/* Accepts on one loop. Embedded in its owner. */
struct acceptor;
typedef void acceptor_fn(struct acceptor *acceptor, int fd, const struct addr *peer);

struct acceptor {
    ev_io io;
    ev_timer pause; /* while descriptors are exhausted */
    struct ev_loop *loop;
    acceptor_fn *on_accept; /* takes the descriptor, non-blocking and close-on-exec */
    void *user;
    int fd;
    struct edge_filter *filter; /* of the socket; NULL: none. Set it after acceptor_start() */
    bool is_started;
    bool is_exhausted;
    bool is_leaving;
};

/* Does not take the listening descriptor. At most 64 connections a turn, so
 * that a storm of new ones never starves those that are there. When descriptors
 * run out (EMFILE, ENFILE, ENOBUFS, ENOMEM) accepting pauses for 100 ms and
 * one line is logged for each spell: the backlog waits, nothing spins. */
void acceptor_start(struct acceptor *a, struct ev_loop *loop, int fd, acceptor_fn *on_accept,
                    void *user);
void acceptor_stop(struct acceptor *a);

/* Stop taking connections for now (admission control), and go on. */
void acceptor_hold(struct acceptor *a);
void acceptor_resume(struct acceptor *a);

/* The socket is to be closed in a while: from now on no new connection is begun (SYNs get no
 * answer), but those that have begun come to be accepted, as before. False when the kernel does
 * not let us (errno): then new ones come as well. Closing a socket resets what it has accepted
 * for us, and what is about to be: hence leave, wait for a round trip, empty, close. */
bool acceptor_leave(struct acceptor *a);

/* It is not to be closed after all. */
void acceptor_stay(struct acceptor *a);

/* Accept all that is there, now. */
void acceptor_empty(struct acceptor *a);

#endif
