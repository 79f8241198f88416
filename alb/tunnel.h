/*
 * tunnel.h -- a WebSocket after its 101: bytes both ways, frames in view.
 *
 * Made from a client and an exchange that are done with; from then on it
 * depends on no configuration snapshot, only on its target and a copied policy.
 * A frame tracker per direction counts frames and knows where a frame of ours
 * may go in between; payloads are never copied or judged.
 */
#ifndef ALB_TUNNEL_H
#define ALB_TUNNEL_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/ip.h"
#include "base/span.h"
#include "net/stream.h"

#include "alb/tunnel_ends.h"

struct config;
struct exchange_tunnel;
struct target;
struct tunnel;
struct worker;

/* Takes the client's stream with what is watched of it, what still waits for it (the 101), and
 * all of `parts`. `early` is what the client sent before the 101. */
void tunnel_start(struct worker *w, const struct stream *client, ev_io *client_io,
                  struct buf *to_client, struct span early, struct exchange_tunnel *parts);

/* Close 1012 `restart;after=MS` to the client at the next boundary, then an
 * orderly end. closer.h paces these. May free the tunnel. Only one that can be shut. */
void tunnel_shut(struct tunnel *t, uint32_t after_ms);

/* When it is told, it is with Close 1001 `left the edge set;after=MS`: leavers.h. */
void tunnel_mark_leaver(struct tunnel *t);

/* Both. */
void tunnel_shut_leaver(struct tunnel *t, uint32_t after_ms);

/* It is not closing yet, and is to be told (websocket.drain_close). */
bool tunnel_can_be_shut(const struct tunnel *t);

/* It stands at a boundary, so that tunnel_shut() has its Close go out at once. */
bool tunnel_is_at_boundary(const struct tunnel *t);

/* The target sent something in the last second: a boundary may come soon. */
bool tunnel_is_moving(const struct tunnel *t);

/* From now on it asks closer_grants() at each boundary; or no longer. */
void tunnel_await(struct tunnel *t, bool is_due);

/* When it began, and when a byte came last from either side, by the loop's clock. */
uint32_t tunnel_started_ms(const struct tunnel *t);
uint32_t tunnel_last_ms(const struct tunnel *t);

const struct target *tunnel_target(const struct tunnel *t);

/* Who connected: a tunnel does not keep who announced its client, but the kernel knows who is
 * there. False when he has gone. */
bool tunnel_peer(const struct tunnel *t, struct ip *peer);

/* End it at once, with a Close where the frames and websocket.drain_close allow it: it is
 * freed. `why` is TUNNEL_SHUTDOWN, TUNNEL_DEREGISTERED or TUNNEL_LEFT. True when no drain had told
 * it. */
bool tunnel_cut(struct tunnel *t, enum tunnel_end why);

/* End all at a shutdown; how many were untold. */
uint32_t tunnels_cut(struct worker *w);

/* Before the first of a loop, and after the last. */
void tunnels_init(struct worker *w);
void tunnels_done(struct worker *w);

/* Take over what a new configuration says of open ones, if that is something else. Those of
 * a group that it does not have keep what they have. */
void tunnels_adopt(struct worker *w, const struct config *before, const struct config *now);

#endif
