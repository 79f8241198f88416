/*
 * edge_tries.h -- which blocks the kernel's tries hold (edge_program.h), and how they come to hold
 * others: what comes is added before what goes is removed, one block after the other, so that no
 * address that is in both sets is ever a stranger.
 */
#ifndef NET_EDGE_TRIES_H
#define NET_EDGE_TRIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ip.h"

/* Blocks that are disjoint and in order, as in edge_set_items(). */
struct edge_blocks {
    struct cidr *items; /* owned */
    size_t count;
};

struct edge_blocks edge_blocks_copy(const struct cidr *items, size_t count);
void edge_blocks_done(struct edge_blocks *blocks);

/* Of a family, 4 or 6. */
size_t edge_blocks_of(const struct edge_blocks *blocks, uint8_t family);

/* How many there are of a family in either. */
size_t edge_blocks_in_either(const struct edge_blocks *a, const struct edge_blocks *b,
                             uint8_t family);

/* Is each block of `part` inside one of `whole`? */
bool edge_blocks_within(const struct edge_blocks *part, const struct edge_blocks *whole);

/* Both take `inside`, what the tries hold, to what they hold then; it is in order, but what comes
 * may lie inside what goes until that has gone. */

/* False with errno when one cannot be added: those that were are removed again. */
bool edge_tries_add(const int *maps, struct edge_blocks *inside, const struct edge_blocks *wanted);

/* False with errno: some stay. */
bool edge_tries_remove_others(const int *maps, struct edge_blocks *inside,
                              const struct edge_blocks *wanted);

/* As the kernel has them. */
struct edge_blocks edge_tries_read(const int *maps);

#endif
