/*
 * tunnel_facts.c -- what is known of a tunnel's beginning, in as few bytes as it takes.
 *
 * Every idle tunnel pays for it, so it is packed: a part fills gaps of struct tunnel, the rest
 * stands behind it in the same block (two blocks would cost 16 bytes more), with an IPv4
 * address in four bytes. Only lists and records ask for it.
 */
#include "alb/tunnel_private.h"

#include "base/mem.h"

#include "alb/balancer.h"

struct tail {
    uint64_t id[2];
    uint16_t port, rule;
    uint8_t client[]; /* 4 bytes or 16 */
};

_Static_assert(sizeof(struct tunnel) + offsetof(struct tail, client) + 4 <= 376,
               "an idle tunnel of IPv4 is this, in a block of 384 bytes, and nothing else");

static size_t address_size(bool is_ipv6)
{
    return is_ipv6 ? 16 : 4;
}

static struct tail *tail_of(const struct tunnel *t)
{
    return (struct tail *)(uintptr_t)(t + 1);
}

struct tunnel *tunnel_new(const struct tunnel_facts *facts)
{
    const bool is_ipv6 = facts->client.family == 6;
    const size_t address = address_size(is_ipv6);
    struct tunnel *t = mem_zero(sizeof(*t) + offsetof(struct tail, client) + address);
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
