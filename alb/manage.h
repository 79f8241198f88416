/*
 * manage.h -- who has come to [management]: TLS handshakes on a thread of their own, then requests
 * on the control thread (admin_conn.h), each by somebody who has logged in (manage_login.h).
 *
 * Bounds, so that no stranger who is in `allow` keeps the operators out: MANAGE_MAX connections at
 * a time, and MANAGE_PEER_MAX of one address, 10 s for a handshake, 30 s for a request, 16 KB for
 * its head, and none of its body is read before the login.
 */
#ifndef ALB_MANAGE_H
#define ALB_MANAGE_H

#include <stdbool.h>

#include "net/addr.h"

struct balancer;
struct manage;

enum { MANAGE_MAX = 64, MANAGE_PEER_MAX = 8 };

/* `on_end` is told when one that was taken has ended; not from within manage_begin(). */
struct manage *manage_new(struct balancer *b, void (*on_end)(void *door));
void manage_free(struct manage **manage);

/* Takes the descriptor. False when it was closed: there are too many of its address. */
bool manage_begin(struct manage *m, int fd, const struct addr *peer, void *door);

/* Nobody is there: every answer has gone. */
bool manage_is_idle(const struct manage *m);

#endif
