/*
 * tunnel_facts.c -- what is known of a tunnel's beginning, in as few bytes as it takes.
 *
 * Every idle tunnel pays for it, so it is packed: a part fills gaps of struct tunnel, the rest
 * stands behind it in the same block, with an IPv4 address in four bytes; and blocks are a loop's
 * own (base/slab.h): among what a handshake takes and frees they would leave holes. Only lists and
 * records ask for it.
 */
#include "alb/tunnel_private.h"

#include "base/mem.h"

#include "alb/balancer.h"
#include "alb/worker.h"

struct tail {
    uint64_t id[2];
    uint16_t port, rule;
    uint8_t client[]; /* 4 bytes or 16 */
};

_Static_assert(sizeof(struct tunnel) + offsetof(struct tail, client) + 4 <= 376,
               "an idle tunnel of IPv4 is this, and nothing else");

static size_t address_size(bool is_ipv6)
{
    return is_ipv6 ? 16 : 4;
}

static struct tail *tail_of(const struct tunnel *t)
{
    return (struct tail *)(uintptr_t)(t + 1);
}

static size_t block_size(bool is_ipv6)
{
    return sizeof(struct tunnel) + offsetof(struct tail, client) + address_size(is_ipv6);
}

void tunnels_init(struct worker *w)
{
    for (int is_ipv6 = 0; is_ipv6 < 2; is_ipv6++)
        slab_init(&w->tunnel_blocks[is_ipv6], block_size(is_ipv6));
}

void tunnels_done(struct worker *w)
{
    for (int is_ipv6 = 0; is_ipv6 < 2; is_ipv6++)
        slab_done(&w->tunnel_blocks[is_ipv6]);
}

static struct tunnel *take_block(struct worker *w, bool is_ipv6)
{
    return w != NULL ? slab_take(&w->tunnel_blocks[is_ipv6]) : mem_zero(block_size(is_ipv6));
}

void tunnel_give(struct worker *w, struct tunnel *t)
{
    slab_give(&w->tunnel_blocks[t->is_ipv6], t);
}

/* Nothing points to it yet. */
struct tunnel *tunnel_move_in(struct worker *w, struct tunnel *from)
{
    struct tunnel *t = take_block(w, from->is_ipv6);

    memcpy(t, from, block_size(from->is_ipv6));
    free(from);
    return t;
}

struct tunnel *tunnel_new(struct worker *w, const struct tunnel_facts *facts)
{
    const bool is_ipv6 = facts->client.family == 6;
    const size_t address = address_size(is_ipv6);
    struct tunnel *t = take_block(w, is_ipv6);
    struct tail *tail = tail_of(t);

    memcpy(tail->id, facts->id, sizeof(tail->id));
    tail->port = facts->port;
    tail->rule = facts->rule;
    memcpy(tail->client, facts->client.bytes, address);
    t->is_ipv6 = is_ipv6;
    t->started_ms = (uint32_t)facts->from_ms;
    t->started_high = (uint8_t)(facts->from_ms >> 32);
    t->listener = facts->listener->number;
    return t;
}

struct tunnel_facts tunnel_facts(const struct tunnel *t)
{
    const struct tail *tail = tail_of(t);
    struct tunnel_facts facts = {
        .id = { tail->id[0], tail->id[1] },
        .from_ms = (uint64_t)t->started_high << 32 | t->started_ms,
        .listener = listener_of_number(t->listener),
        .client = { .family = t->is_ipv6 ? 6 : 4 },
        .port = tail->port,
        .rule = tail->rule,
    };

    memcpy(facts.client.bytes, tail->client, address_size(t->is_ipv6));
    return facts;
}
