/* Whatever the blocks: the set holds an address exactly when one of them does. */
#include <stdint.h>
#include <stdlib.h>

#include "base/edge_set.h"

enum { MAX_BLOCKS = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    const uint8_t *at;
    size_t left;
};

static uint8_t next(struct input *in)
{
    if (in->left == 0)
        return 0;
    in->left--;
    return *in->at++;
}

/* An odd first byte is IPv6. Addresses take few bytes, so that blocks meet. */
static struct ip next_ip(struct input *in)
{
    struct ip out = { .family = next(in) % 2 == 0 ? 4 : 6 };
    int size = out.family == 4 ? 4 : 16;
    uint8_t fill = next(in), at = next(in);

    for (int i = 0; i < size; i++)
        out.bytes[i] = fill;
    out.bytes[at % size] = next(in);
    return out;
}

static struct cidr next_block(struct input *in)
{
    struct cidr out = { .ip = next_ip(in) };
    int size = out.ip.family == 4 ? 32 : 128;

    out.bits = (uint8_t)(next(in) % (size + 1));
    for (int i = out.bits; i < size; i++)
        out.ip.bytes[i / 8] &= (uint8_t) ~(0x80 >> i % 8);
    return out;
}

static void check(const struct edge_set *set, const struct cidr *blocks, size_t count,
                  const struct ip *ip)
{
    bool want = false;

    for (size_t i = 0; i < count && !want; i++)
        want = cidr_contains(&blocks[i], ip);
    if (edge_set_contains(set, ip) != want)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = { data, size };
    struct cidr blocks[MAX_BLOCKS];
    size_t count = next(&in) % (MAX_BLOCKS + 1);
    struct edge_set *set = edge_set_new();

    for (size_t i = 0; i < count; i++) {
        blocks[i] = next_block(&in);
        edge_set_add(set, &blocks[i]);
    }
    edge_set_build(set);
    if (edge_set_blocks(set) != count || edge_set_ranges(set) > count)
        abort();
    for (size_t i = 0; i < count; i++)
        check(set, blocks, count, &blocks[i].ip);
    while (in.left > 0) {
        struct ip ip = next_ip(&in);
        check(set, blocks, count, &ip);
    }
    edge_set_free(&set);
    return 0;
}
