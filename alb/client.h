/*
 * client.h -- the client's side of a connection, from accept to the last byte.
 */
#ifndef ALB_CLIENT_H
#define ALB_CLIENT_H

#include <stddef.h>

struct arrival;
struct client;
struct target;
struct worker;

/* Takes the descriptor and the session. */
void client_start(struct worker *w, const struct arrival *arrival);

/* Another process had it until now: without a row in the connection log. */
void client_arrive(struct worker *w, const struct arrival *arrival);

/* Take clients that are between two requests, without TLS, out of the loop; returns how many. Each
 * is put back, or let go: another process has its connection. */
size_t clients_take_out(struct worker *w, struct client **out, size_t room);
void client_put_back(struct client *c);
void client_let_go(struct client *c);

/* What client_arrive() is to be told of it. */
void client_describe(const struct client *c, struct arrival *out);

/* Whoever has no request running: end it. The others: no keep-alive any more. */
void clients_drain(struct worker *w);

/* End those without a request whose peer has left the edge set (leavers.h). */
void clients_leave(struct worker *w);

/* Those of them that speak TLS. */
void clients_hang_up_tls(struct worker *w);

/* End all of them; or only the requests that went to this target, with a 502 to
 * those that have no answer yet. */
void clients_cut(struct worker *w, const struct target *target, const char *reason);

#endif
