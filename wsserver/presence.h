/*
 * presence.h -- what the members of one channel know about who is in it, and
 * the texts that tell them what changed.
 *
 * The truth is in the store, over all nodes. It is read as a whole after a
 * change; the difference to what was told last is what goes out. Hub thread only.
 */
#ifndef WSSERVER_PRESENCE_H
#define WSSERVER_PRESENCE_H

#include <stdint.h>

#include "base/span.h"
#include "wsserver/shared_text.h"

struct presence_user;

struct presence {
    struct presence_user *users; /* owned */
    uint64_t rev;
    uint32_t round;               /* of reading: who was not seen in the last one has left */
    struct shared_text *snapshot; /* owned; NULL when it must be made again */
};

/* Read the store's state between begin and end: user() for everyone present,
 * with how many sessions. end() gives the text {"t":"pres",...} of what
 * changed, held once for the caller, or NULL when nothing did. */
struct presence_reading;
struct presence_reading *presence_begin(struct presence *presence);
void presence_user(struct presence_reading *reading, struct span name, uint32_t sessions);
struct shared_text *presence_end(struct presence_reading **reading, struct span channel,
                                 uint64_t rev);

/* The full state as {"t":"pres",...,"full":true}, held once for the caller. */
struct shared_text *presence_snapshot(struct presence *presence, struct span channel);

/* Back to nobody. */
void presence_clear(struct presence *presence);

#endif
