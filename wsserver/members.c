/* members.c -- see members.h. */
#include "wsserver/members.h"

#include <assert.h>

#include "base/mem.h"
#include "wsserver/keyed_hash.h"

enum { FIRST_SIZE = 4 };

struct room *members_find(const struct members *m, struct span channel)
{
    struct room *room;
    HASH_FIND(hh, m->rooms, channel.ptr, channel.len, room);
    return room;
}

static struct room *add_room(struct members *m, struct span channel)
{
    struct room *room = mem_zero(sizeof(*room) + channel.len + 1);

    memcpy(room->name, channel.ptr, channel.len);
    HASH_ADD(hh, m->rooms, name, channel.len, room);
    return room;
}

static void free_room(struct members *m, struct room *room)
{
    HASH_DEL(m->rooms, room);
    free(room->members);
    free(room);
}

struct member *members_add(struct members *m, struct span channel, struct client *client,
                           struct member **list, bool is_bare)
{
    assert(members_of(*list, channel) == NULL);
    struct room *room = members_find(m, channel);
    if (room == NULL)
        room = add_room(m, channel);
    if (room->count == room->size) {
        room->size = room->size == 0 ? FIRST_SIZE : room->size * 2;
        room->members = mem_resize(room->members, room->size * sizeof(struct member *));
    }
    struct member *member = mem_new(struct member);
    *member = (struct member){
        .room = room, .client = client, .next = *list, .at = room->count, .is_bare = is_bare
    };
    room->members[room->count++] = member;
    room->bare += is_bare ? 1 : 0;
    *list = member;
    return member;
}

struct member *members_of(struct member *list, struct span channel)
{
    /* A connection is in some tens of channels at most. */
    for (struct member *at = list; at != NULL; at = at->next)
        if (span_equal(span_text(at->room->name), channel))
            return at;
    return NULL;
}

void members_remove(struct members *m, struct member *member, struct member **list)
{
    struct room *room = member->room;

    while (*list != member)
        list = &(*list)->next;
    *list = member->next;

    struct member *last = room->members[--room->count];
    room->members[member->at] = last;
    last->at = member->at;
    room->bare -= member->is_bare ? 1 : 0;
    free(member);
    if (room->count == 0)
        free_room(m, room);
}

void members_done(struct members *m)
{
    struct room *room, *after;

    HASH_ITER (hh, m->rooms, room, after) {
        for (uint32_t i = 0; i < room->count; i++)
            free(room->members[i]);
        free_room(m, room);
    }
}
