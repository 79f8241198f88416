/*
 * members.h -- which connections of one loop are in which channel.
 *
 * Fan-out walks one array for each channel. A member knows its place in that
 * array and is in its client's own list, so that leaving costs no search.
 */
#ifndef WSSERVER_MEMBERS_H
#define WSSERVER_MEMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "wsserver/keyed_hash.h"

struct client;
struct room;

/* One connection's place in one channel. */
struct member {
    struct room *room;
    struct client *client; /* borrowed */
    struct member *next;   /* of the same client */
    uint32_t at;           /* in room->members */
    bool watches;          /* wants presence */
    bool is_bare;          /* gets "name: text" in place of JSON */
};

/* A channel that has members on this loop. */
struct room {
    UT_hash_handle hh;
    struct member **members; /* owned, with what they point to */
    uint32_t count, size;
    uint32_t bare; /* how many of them are bare */
    uint64_t rev;  /* of the presence that the watchers here were told last */
    char name[];
};

/* All zero is empty. */
struct members {
    struct room *rooms; /* a hash by name */
};

void members_done(struct members *m);

struct room *members_find(const struct members *m, struct span channel);

/* Add the client to the channel; `list` is the head of its own list. It must
 * not be in there yet. */
struct member *members_add(struct members *m, struct span channel, struct client *client,
                           struct member **list, bool is_bare);

/* NULL when the client is not in the channel. */
struct member *members_of(struct member *list, struct span channel);

/* Take it off the channel and off its client's list, and free it; the last one
 * takes the room along. */
void members_remove(struct members *m, struct member *member, struct member **list);

#endif
