/* channel.c -- see channel.h. */
#include "wsserver/channel.h"

#include "base/mem.h"

void channels_init(struct channels *all, int loops)
{
    *all = (struct channels){ .loops = loops };
}

static void empty_ring(struct channel *c)
{
    for (uint64_t seq = channel_ring_start(c); seq <= c->head.seq; seq++)
        shared_text_drop(&c->ring[seq % CHANNEL_RING]);
    c->ring_count = 0;
    c->ring_bytes = 0;
}

static void forget(struct channels *all, struct channel *c)
{
    HASH_DELETE(by_name, all->by_name, c);
    HASH_DELETE(by_id, all->by_id, c);
    list_remove(&c->changed);
    list_remove(&c->holed);
    empty_ring(c);
    presence_clear(&c->presence);
    free(c->ring);
    free(c->members_on);
    free(c);
}

void channels_done(struct channels *all)
{
    struct channel *c, *after;
    HASH_ITER (by_name, all->by_name, c, after) {
        forget(all, c);
    }
}

struct channel *channels_find(const struct channels *all, struct span name)
{
    struct channel *c;
    HASH_FIND(by_name, all->by_name, name.ptr, name.len, c);
    return c;
}

struct channel *channels_find_id(const struct channels *all, int64_t id)
{
    struct channel *c;
    HASH_FIND(by_id, all->by_id, &id, sizeof(id), c);
    return c;
}

struct channel *channels_add(struct channels *all, struct span name, const struct engine_head *head)
{
    struct channel *c = mem_new(struct channel);
    c->head = *head;
    c->members_on = mem_array(uint32_t, (size_t)all->loops);
    memcpy(c->name, name.ptr, name.len);
    list_init(&c->changed);
    list_init(&c->holed);
    HASH_ADD_KEYPTR(by_name, all->by_name, c->name, name.len, c);
    HASH_ADD(by_id, all->by_id, head.id, sizeof(c->head.id), c);
    return c;
}

void channels_release(struct channels *all, struct channel *c)
{
    if (c->members == 0 && c->sessions == 0)
        forget(all, c);
}

static void drop_oldest(struct channel *c)
{
    struct shared_text **slot = &c->ring[channel_ring_start(c) % CHANNEL_RING];
    c->ring_bytes -= (*slot)->len;
    c->ring_count--;
    shared_text_drop(slot);
}

void channel_append(struct channel *c, uint64_t seq, struct shared_text *text)
{
    if (c->ring == NULL)
        c->ring = mem_array(struct shared_text *, CHANNEL_RING);
    if (seq != c->head.seq + 1)
        empty_ring(c);
    while (c->ring_count == CHANNEL_RING ||
           (c->ring_count > 0 && c->ring_bytes + text->len > CHANNEL_RING_BYTES))
        drop_oldest(c);
    c->head.seq = seq;
    c->ring[seq % CHANNEL_RING] = text;
    c->ring_count++;
    c->ring_bytes += text->len;
}

uint64_t channel_ring_start(const struct channel *c)
{
    return c->head.seq + 1 - c->ring_count;
}

struct shared_text *channel_in_ring(const struct channel *c, uint64_t seq)
{
    return c->ring[seq % CHANNEL_RING];
}
