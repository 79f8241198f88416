/*
 * channel.h -- the channels that this node has members in, and the newest
 * messages of each.
 *
 * A channel is in memory while it has members or sessions; its log and its
 * presence live in the store. Hub thread only.
 */
#ifndef WSSERVER_CHANNEL_H
#define WSSERVER_CHANNEL_H

#include "base/list.h"
#include "wsserver/engine.h"
#include "wsserver/keyed_hash.h"
#include "wsserver/presence.h"

/* The ring holds so many messages, or so many bytes of them, whichever is less. */
enum { CHANNEL_RING = 128, CHANNEL_RING_BYTES = 1 << 20 };

struct channel {
    UT_hash_handle by_name, by_id;
    struct engine_head head; /* head.seq: the newest that loops were told */

    struct shared_text **ring; /* owned; NULL until a message comes. Seq S is at S % CHANNEL_RING */
    uint32_t ring_count;       /* the newest so many are in the ring */
    size_t ring_bytes;

    uint32_t members, watchers, sessions; /* watchers: members that want presence */
    struct presence presence;             /* what watchers know; empty while there are none */
    struct list changed;                  /* in hub.changed while watchers must be told */
    struct list holed;                    /* in hub.holed after messages were missed */

    uint32_t *members_on; /* owned: members of each loop */
    char name[HUB_CHANNEL_MAX + 1];
};

struct channels {
    struct channel *by_name, *by_id;
    int loops;
};

void channels_init(struct channels *all, int loops);
void channels_done(struct channels *all);

/* NULL when it is not in memory. */
struct channel *channels_find(const struct channels *all, struct span name);
struct channel *channels_find_id(const struct channels *all, int64_t id);

struct channel *channels_add(struct channels *all, struct span name,
                             const struct engine_head *head);

/* Forget it if nobody is in it. */
void channels_release(struct channels *all, struct channel *channel);

/* The next message: takes the text. A seq that does not follow the newest
 * empties the ring first. */
void channel_append(struct channel *channel, uint64_t seq, struct shared_text *text);

/* The oldest seq from which on the ring holds all; head.seq + 1 when empty. */
uint64_t channel_ring_start(const struct channel *channel);

/* A message in the ring; borrowed. */
struct shared_text *channel_in_ring(const struct channel *channel, uint64_t seq);

#endif
