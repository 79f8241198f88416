/*
 * outbox.h -- frames on their way to one client: made once, held by many.
 *
 * A frame is whole bytes for the wire. A loop makes one for each message and
 * every receiver on that loop holds it, so the counts need no atomics: frames
 * never cross loops.
 *
 * An outbox is a queue of held frames. Empty, it owns no memory beyond itself.
 * What comes unasked (fan-out, pings) is bounded: a client that reads too
 * slowly is over the bound at some time. What a client asked for is not: a
 * client that has not read its answers is asked for nothing more (client.c),
 * which bounds that.
 */
#ifndef WSSERVER_OUTBOX_H
#define WSSERVER_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

struct frame {
    uint32_t refs;
    uint32_t len;
    char bytes[];
};

/* An unmasked WebSocket frame, held once. `opcode` is of enum ws_opcode. */
struct frame *frame_new(uint8_t opcode, struct span payload);

/* The bytes as they are (HTTP), held once. */
struct frame *frame_raw(struct span bytes);

/* Let go and clear the variable; the last one frees. NULL is fine. */
void frame_drop(struct frame **frame);

enum { OUTBOX_OWN = 1, OUTBOX_BOUND = 262144 };

struct outbox {
    struct frame **ring; /* owned; NULL while `own` is enough */
    struct frame *own[OUTBOX_OWN];
    uint32_t size, head, count; /* of the ring, in frames */
    uint32_t offset;            /* bytes of the first frame that have left */
    uint32_t bytes;             /* still to leave */
    uint32_t asked;             /* of all since it was empty, what the client asked for */
};

void outbox_init(struct outbox *o);
void outbox_done(struct outbox *o);

/* Hold the frame until it has left. */
void outbox_push(struct outbox *o, struct frame *frame, bool is_asked);

/* More than OUTBOX_BOUND bytes wait that nobody asked for. */
bool outbox_is_over(const struct outbox *o);

static inline bool outbox_is_empty(const struct outbox *o)
{
    return o->count == 0;
}

/* What to write next: a frame where it lies, or several joined in `scratch`.
 * Not empty unless the outbox is. */
struct span outbox_next(struct outbox *o, char *scratch, size_t size);

/* So many bytes of it have left. */
void outbox_sent(struct outbox *o, size_t n);

/* Move all to the end of `to`, as not asked for. */
void outbox_move(struct outbox *from, struct outbox *to);

/* Throw away what has not begun to leave (before a last word to a client that
 * does not read). */
void outbox_cut(struct outbox *o);

#endif
