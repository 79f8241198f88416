/*
 * tunnel_record.h -- a live tunnel, or an idle client, on its way to another process.
 *
 * A binary upgrade moves connections: the process that has one takes it out of its loop
 * (no byte is read or written any more), tells all that it knows of it in a record
 * (base/record.h), and sends that with the descriptors. The process that gets it makes the
 * same connection of it. Until the receiver has it for sure, the sender can put it back.
 *
 * Only what is plain on both sides and not about to end can go: the state of a TLS session
 * in mbedTLS cannot. Reads and writes are each worker's own; unpacking belongs to no thread.
 */
#ifndef ALB_TUNNEL_RECORD_H
#define ALB_TUNNEL_RECORD_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/span.h"
#include "net/addr.h"

struct listener;
struct target;
struct tunnel;
struct worker;

/* The loop's next tunnel from place `*at` on that can go now, taken out of it; NULL when there is
 * none. `*at` is moved past those that cannot. */
struct tunnel *tunnel_take_out(struct worker *w, uint32_t *at);

/* Nobody wanted it: it goes on here. */
void tunnel_put_back(struct tunnel *t);

/* Another process has it: forget it, without an end. */
void tunnel_let_go(struct tunnel *t);

/* Of one that was taken out: its record, and its descriptors, which stay its own. */
bool tunnel_pack(const struct tunnel *t, struct buf *to, int fds[2]);

/* Which target and which listener a record means. Owned texts: tunnel_origin_done(). */
struct tunnel_origin {
    char *group, *target;
    struct addr addr;
    char *listener, *bind;
    struct addr bound;
};
bool tunnel_read_origin(struct span bytes, struct tunnel_origin *origin);
void tunnel_origin_done(struct tunnel_origin *origin);

/* The tunnel of a record, on no loop yet; takes the descriptors and `target`, a reference with a
 * place in its outstanding count. NULL, and nothing taken, when the record makes no sense. */
struct tunnel *tunnel_unpack(struct span bytes, int client_fd, int target_fd, struct target *target,
                             const struct listener *listener);

/* On its loop: go on. */
void tunnel_arrive(struct worker *w, struct tunnel *t);

/* One that was unpacked is not wanted. */
void tunnel_discard(struct tunnel *t);

#endif
