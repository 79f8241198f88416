/*
 * client.h -- the client's side of a connection, from accept to the last byte.
 */
#ifndef ALB_CLIENT_H
#define ALB_CLIENT_H

#include "net/addr.h"
#include "net/handshake.h"

struct client;
struct listener;
struct target;
struct worker;

/* Takes the descriptor and the session of `from`. */
void client_start(struct worker *w, struct listener *listener, const struct handshake_result *from);

/* Whoever has no request running: end it. The others: no keep-alive any more. */
void clients_drain(struct worker *w);

/* End all of them; or only the requests that went to this target, with a 502 to
 * those that have no answer yet. */
void clients_cut(struct worker *w, const struct target *target, const char *reason);

#endif
