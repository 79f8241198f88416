/*
 * handover.h -- messages with descriptors between two processes, over a Unix socket.
 *
 * A message is a type, some bytes, and some descriptors of the sender that the receiver gets
 * copies of (SCM_RIGHTS, unix(7)). Messages arrive whole and in order. Nothing blocks: what the
 * socket does not take waits, and what has come in part is kept until it is whole. A message may
 * hold secrets: the memory of each is overwritten before it is freed.
 */
#ifndef NET_HANDOVER_H
#define NET_HANDOVER_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

enum {
    HANDOVER_FDS_MAX = 128,
    HANDOVER_BYTES_MAX = 64 * 1024 * 1024,
};

struct handover;

struct handover_message {
    uint32_t type;
    struct span bytes; /* for the call */
    int *fds;          /* close-on-exec; whoever takes one sets its place to -1: the others are
                          closed after the call */
    size_t fd_count;
};

/* It may send, and may call handover_free(), but only as the last thing that it does. */
typedef void handover_fn(void *user, struct handover_message *message);

/* The other side is gone, or what it sends makes no sense: `why` is a literal. Called once; nothing
 * comes after it. It may call handover_free(). */
typedef void handover_end_fn(void *user, const char *why);

/* A pair of connected sockets, close-on-exec. False with errno. */
bool handover_pair(int fds[2]);

/* Takes the socket. */
struct handover *handover_new(struct ev_loop *loop, int fd, handover_fn *on_message,
                              handover_end_fn *on_end, void *user);

/* Closes the socket. NULL is fine; clears the variable. */
void handover_free(struct handover **handover);

/* At most HANDOVER_FDS_MAX descriptors and HANDOVER_BYTES_MAX bytes; the descriptors are
 * duplicated before this returns, and stay the caller's. */
void handover_send(struct handover *h, uint32_t type, struct span bytes, const int *fds,
                   size_t fd_count);

/* Is the other side gone, with nothing that has come from it yet? Not waiting for the loop. */
bool handover_has_ended(const struct handover *h);

/* Has all that was sent been taken by the socket? */
bool handover_is_flushed(const struct handover *h);

#endif
