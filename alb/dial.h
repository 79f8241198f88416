/*
 * dial.h -- a TLS connection to a target, made by a handshake thread for a worker.
 *
 *     worker                            greeter
 *     dial_start() -- an inbox -------> connects, shakes hands
 *     `done`      <------- an inbox --
 *
 * The socket is not watched by the worker's loop before it comes back. A worker
 * that no longer wants it lets go; what comes back all the same is closed. Where
 * an inbox is full, the sender keeps the dial and tries again.
 */
#ifndef ALB_DIAL_H
#define ALB_DIAL_H

#include <ev.h>
#include <stdbool.h>

#include "base/list.h"
#include "net/handshake.h"

struct dial;
struct target;
struct tls_client;
struct worker;

/* Called once, in a later turn, unless the worker let go. Connected when `why` is
 * NULL: takes fd and tls. */
typedef void dial_fn(void *user, const struct handshake_result *result);

/* Takes the descriptor, which is connecting to the target. */
struct dial *dial_start(struct worker *w, struct target *target, struct tls_client *client, int fd,
                        dial_fn *done, void *user);

/* Nobody waits for it any more. Clears the variable; NULL is fine. */
void dial_let_go(struct dial **dial);

/* Is it past the connecting? */
bool dial_is_connected(const struct dial *dial);

/* What leaves one thread, with those that an inbox would not take yet. */
struct dial_line {
    struct list waiting;
    ev_timer retry; /* runs while something waits */
    bool (*post)(struct dial *dial);
    unsigned turn; /* of a worker: whose turn it is among the greeters */
};

/* A worker's line; what still waits at the end is closed. */
void dial_line_init(struct dial_line *line);
void dial_line_done(struct dial_line *line, struct loop *loop);

/* A greeter's part. When it is done no thread runs any more: what is under way ends
 * and is given back at once. */
struct dial_desk {
    struct handshaker handshaker;
    struct dial_line home;
};
void dial_desk_init(struct dial_desk *desk, struct loop *loop);
void dial_desk_done(struct dial_desk *desk);

#endif
