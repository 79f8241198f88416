/*
 * inherit_sockets.h -- the sockets that listen already in the process before this one: SOCKETS of
 * handing.h.
 *
 *   read    the descriptors are taken out of the message, and kept here
 *   taken   by whoever opens a listener, or a port of the admin's, for the same address
 *   closed  what nobody wanted, once this process serves. The old one is told: whoever waits in
 *           their accept queues is its to answer
 */
#ifndef ALB_INHERIT_SOCKETS_H
#define ALB_INHERIT_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "net/addr.h"

#include "alb/config.h"

struct handover_message;
struct inherit;
struct listener_config;

struct inherited_listener {
    char *name, *bind; /* owned */
    int protocol;
    struct addr bound;
    int *fds; /* owned; -1: taken */
    size_t count;
};

struct inherited_door {
    int fd; /* -1: none, or taken */
    struct addr bound;
};

struct inherited_sockets {
    struct inherited_listener *listeners;
    size_t listener_count;
    struct inherited_door doors[2]; /* admin, control */
    struct inherited_door others[DOOR_KINDS][DOOR_BINDS_MAX];
    size_t other_counts[DOOR_KINDS];
};

void inherited_sockets_init(struct inherited_sockets *s);

/* Of the message: false when that makes no sense. */
bool inherited_sockets_read(struct inherited_sockets *s, struct handover_message *m);

/* Those that were not taken, as records of a READY. */
void inherited_sockets_put_unwanted(const struct inherited_sockets *s, struct buf *to);

/* And close them. May be called again. */
void inherited_sockets_close(struct inherited_sockets *s);

/* The sockets of this listener: how many there are, each -1 once it was taken; `bound` is their
 * address. 0: it is new. NULL for `inherit` is fine here and below. */
size_t inherit_listener(struct inherit *in, const struct listener_config *c, struct addr *bound,
                        int **fds);

/* The admin port's or the control socket's, if it is for the address that is wanted; else -1. The
 * receiver's. */
int inherit_door(struct inherit *in, bool is_control, const struct addr *wanted,
                 struct addr *bound);

/* The same of one of these. */
int inherit_other_door(struct inherit *in, enum door_kind kind, const struct addr *wanted);

#endif
