/*
 * leavers.h -- connections whose peer the edge set has no longer, where they are to end for that
 * (on_leave = close): idle ones at once, requests after their answer, WebSockets by a drain of
 * their own (closer.h).
 *
 * Whoever is not in the set is one, be it that he was in it, or that nothing was enforced when he
 * came. The loops' own threads.
 */
#ifndef ALB_LEAVERS_H
#define ALB_LEAVERS_H

#include <stdbool.h>
#include <stdint.h>

struct access_client;
struct tunnel;
struct worker;

/* Is this client's peer one? Then its connection ends after the answer. */
bool leaver_is_client(const struct worker *w, const struct access_client *client);

/* The same of a WebSocket's. */
bool leaver_is_tunnel(const struct worker *w, const struct tunnel *t);

/* The set is another: end idle connections of leavers. Returns how many WebSockets are theirs that
 * nobody has told to go yet. */
uint32_t leavers_look(struct worker *w);

/* A WebSocket begins here, or came from another process: if its peer has left meanwhile, have all
 * loops look again soon. */
void leavers_check(struct worker *w, const struct tunnel *t);

#endif
