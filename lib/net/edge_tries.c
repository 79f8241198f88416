/* edge_tries.c -- see edge_tries.h. */
#include "net/edge_tries.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "net/bpf.h"
#include "net/edge_program.h"

/* --- blocks -------------------------------------------------------------------------- */

struct edge_blocks edge_blocks_copy(const struct cidr *items, size_t count)
{
    struct edge_blocks copy = { mem_array(struct cidr, count), count };

    if (count > 0)
        memcpy(copy.items, items, count * sizeof(*items));
    return copy;
}

void edge_blocks_done(struct edge_blocks *blocks)
{
    mem_free(blocks->items);
    blocks->count = 0;
}

/* By family, address, and the shorter prefix first: as in edge_set.c. */
static int compare(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct cidr));
}

static void append(struct edge_blocks *to, const struct cidr *block)
{
    to->items[to->count++] = *block; /* whoever calls has made the room */
}

/* Those of `of` that `in` does not have. */
static struct edge_blocks missing(const struct edge_blocks *of, const struct edge_blocks *in)
{
    struct edge_blocks found = { mem_array(struct cidr, of->count), 0 };

    for (size_t i = 0, j = 0; i < of->count; i++) {
        while (j < in->count && compare(&in->items[j], &of->items[i]) < 0)
            j++;
        if (j == in->count || compare(&in->items[j], &of->items[i]) != 0)
            append(&found, &of->items[i]);
    }
    return found;
}

/* Those of both, which have none in common. */
static struct edge_blocks merged(const struct edge_blocks *a, const struct edge_blocks *b)
{
    struct edge_blocks all = { mem_array(struct cidr, a->count + b->count), 0 };
    size_t i = 0, j = 0;

    while (i < a->count || j < b->count) {
        const bool is_a =
            j == b->count || (i < a->count && compare(&a->items[i], &b->items[j]) < 0);
        append(&all, is_a ? &a->items[i++] : &b->items[j++]);
    }
    return all;
}

size_t edge_blocks_of(const struct edge_blocks *blocks, uint8_t family)
{
    size_t count = 0;

    for (size_t i = 0; i < blocks->count; i++)
        count += blocks->items[i].ip.family == family;
    return count;
}

size_t edge_blocks_in_either(const struct edge_blocks *a, const struct edge_blocks *b,
                             uint8_t family)
{
    struct edge_blocks more = missing(b, a);
    const size_t count = edge_blocks_of(a, family) + edge_blocks_of(&more, family);

    edge_blocks_done(&more);
    return count;
}

bool edge_blocks_within(const struct edge_blocks *part, const struct edge_blocks *whole)
{
    for (size_t i = 0, j = 0; i < part->count; i++) {
        const struct cidr *block = &part->items[i];
        while (j + 1 < whole->count &&
               memcmp(&whole->items[j + 1].ip, &block->ip, sizeof(block->ip)) <= 0)
            j++;
        if (j >= whole->count || whole->items[j].bits > block->bits ||
            !cidr_contains(&whole->items[j], &block->ip))
            return false;
    }
    return true;
}

/* --- in the kernel ------------------------------------------------------------------- */

static int map_of(const int *maps, const struct cidr *block)
{
    return maps[block->ip.family == 4 ? EDGE_TRIE_4 : EDGE_TRIE_6];
}

static struct edge_key key_of(const struct cidr *block)
{
    struct edge_key key = { .bits = block->bits };

    memcpy(key.address, block->ip.bytes, sizeof(key.address));
    return key;
}

static bool put(const int *maps, const struct cidr *block)
{
    const struct edge_key key = key_of(block);
    const uint32_t present = 1;

    return bpf_map_put(map_of(maps, block), &key, &present);
}

static bool take(const int *maps, const struct cidr *block)
{
    const struct edge_key key = key_of(block);

    return bpf_map_remove(map_of(maps, block), &key) || errno == ENOENT;
}

static bool put_all(const int *maps, const struct edge_blocks *blocks)
{
    for (size_t i = 0; i < blocks->count; i++) {
        if (put(maps, &blocks->items[i]))
            continue;
        const int error = errno;
        while (i-- > 0)
            take(maps, &blocks->items[i]);
        errno = error;
        return false;
    }
    return true;
}

static void replace(struct edge_blocks *old, struct edge_blocks by)
{
    edge_blocks_done(old);
    *old = by;
}

bool edge_tries_add(const int *maps, struct edge_blocks *inside, const struct edge_blocks *wanted)
{
    struct edge_blocks coming = missing(wanted, inside);
    const bool ok = put_all(maps, &coming);
    const int error = errno;

    if (ok)
        replace(inside, merged(inside, &coming));
    edge_blocks_done(&coming);
    errno = error;
    return ok;
}

bool edge_tries_remove_others(const int *maps, struct edge_blocks *inside,
                              const struct edge_blocks *wanted)
{
    struct edge_blocks going = missing(inside, wanted);
    bool ok = true;
    int error = 0;

    for (size_t i = 0; i < going.count; i++) {
        if (take(maps, &going.items[i]))
            continue;
        ok = false;
        error = errno;
    }
    edge_blocks_done(&going);
    replace(inside, ok ? edge_blocks_copy(wanted->items, wanted->count) : edge_tries_read(maps));
    errno = error;
    return ok;
}

/* --- as it is -------------------------------------------------------------------------- */

/* A key that is removed meanwhile would begin the walk anew: nobody else changes the tries when
 * they are read. */
static void read_family(int map, uint8_t family, struct edge_blocks *to)
{
    struct edge_key key, next;
    bool is_first = true;

    memset(&next, 0, sizeof(next));
    while (to->count < 2 * EDGE_BLOCKS_MAX && bpf_map_next(map, is_first ? NULL : &key, &next)) {
        struct cidr block = { .ip.family = family, .bits = (uint8_t)next.bits };
        memcpy(block.ip.bytes, next.address, family == 4 ? 4 : 16);
        append(to, &block);
        key = next;
        is_first = false;
    }
}

struct edge_blocks edge_tries_read(const int *maps)
{
    struct edge_blocks all = { mem_array(struct cidr, 2 * EDGE_BLOCKS_MAX), 0 };

    read_family(maps[EDGE_TRIE_4], 4, &all);
    read_family(maps[EDGE_TRIE_6], 6, &all);
    qsort(all.items, all.count, sizeof(*all.items), compare);
    all.items = mem_resize(all.items, all.count * sizeof(*all.items));
    return all;
}
