/*
 * moving.h -- connections of a loop on their way to another process (handing.h).
 *
 * A batch is taken out of a loop by that loop, goes to the control thread, which sends it, and
 * comes back to the loop: to be put back, or to be let go.
 */
#ifndef ALB_MOVING_H
#define ALB_MOVING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "net/loop.h"

struct balancer;
struct client;
struct tunnel;
struct worker;

enum { MOVING_MAX = 32 };

struct moving {
    struct worker *worker;
    loop_fn *packed; /* posted to the control thread with this, when it is filled */
    void *user;      /* the control thread's own: who waits for it; NULL: nobody does any more */
    uint32_t at;     /* the first tunnel of the loop that was not looked at yet */
    struct tunnel *tunnels[MOVING_MAX];
    struct client *clients[MOVING_MAX];
    size_t tunnel_count, client_count;
    struct buf bytes; /* of a MOVE */
    int fds[3 * MOVING_MAX];
    size_t fd_count;
};

struct moving *moving_new(struct worker *w, loop_fn *packed, void *user);

/* Jobs for its worker's loop, with the batch as argument. */
loop_fn moving_pack;     /* fill it; empty: nothing (more) can go now */
loop_fn moving_put_back; /* they go on here; frees it */
loop_fn moving_let_go;   /* another process has them; the batch is empty and may be packed again */

void moving_free(struct moving *m);

#endif
