/*
 * tunnel_walk.h -- going through a loop's tunnels a few at a time, over many turns of the loop,
 * while tunnels come and go.
 *
 * A walk that is not given up comes by every tunnel that was there when it began and lives until it
 * ends, and by none twice. Those that come meanwhile may be met or not. The loop's own thread.
 */
#ifndef ALB_TUNNEL_WALK_H
#define ALB_TUNNEL_WALK_H

#include <stdint.h>

#include "base/list.h"

struct tunnel;
struct worker;

struct tunnel_walk {
    struct list link;
    uint32_t at; /* the places before it have been visited */
};

void tunnel_walk_begin(struct worker *w, struct tunnel_walk *walk);

/* NULL at the end. The tunnel may be ended before the next call. */
struct tunnel *tunnel_walk_next(struct worker *w, struct tunnel_walk *walk);

/* Also to give it up. */
void tunnel_walk_end(struct tunnel_walk *walk);

/* Take the tunnel out of the loop's array, so that every walk stays true. */
void tunnel_walk_forget(struct worker *w, const struct tunnel *t);

#endif
