/*
 * edge_set.h -- the set of addresses that may connect: CIDR blocks, looked up
 * by prefix, exact for a set of any size.
 *
 * Built once, then read by any thread. Blocks inside other blocks, or given
 * twice, are dropped when it is built: two CIDR blocks are disjoint or nested,
 * so what is left is disjoint, and a look-up is one binary search.
 */
#ifndef BASE_EDGE_SET_H
#define BASE_EDGE_SET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/ip.h"

struct edge_set;

struct edge_set *edge_set_new(void);
void edge_set_free(struct edge_set **set);

/* Before edge_set_build() only, as the next three. */
void edge_set_add(struct edge_set *set, const struct cidr *block);

/* The same, of a line of the source that was named last; 0: of none. */
void edge_set_add_at(struct edge_set *set, const struct cidr *block, int line);

/* Where blocks that are added from now on stand: a file, and the service when it is an
 * ip-ranges.json (else NULL). Both are copied. The two below name theirs themselves. */
void edge_set_source(struct edge_set *set, const char *file, const char *service);

/* The blocks of a file: one a line, '#' starts a comment. False with
 * "FILE:LINE: sentence" in `why` at the first bad line; none is kept then. */
bool edge_set_add_file(struct edge_set *set, const char *path, char *why, size_t why_size);

/* The blocks of one service of the provider's ip-ranges.json, both families.
 * An unknown service is an error. */
bool edge_set_add_ip_ranges(struct edge_set *set, const char *path, const char *service, char *why,
                            size_t why_size);

/* Sort and merge. After this the set does not change. */
void edge_set_build(struct edge_set *set);

/* A set of its own, built: the blocks of this one (built, too) and `count` more. It does not know
 * where they stand. */
struct edge_set *edge_set_with(const struct edge_set *set, const struct cidr *more, size_t count);

bool edge_set_contains(const struct edge_set *set, const struct ip *ip);

/* Blocks as they were added, and disjoint blocks after merging. */
size_t edge_set_blocks(const struct edge_set *set);
size_t edge_set_ranges(const struct edge_set *set);

/* Block number `i` of edge_set_blocks(), in the order of adding, and where it stands. Not of a set
 * made by edge_set_with(). The texts live as long as the set. */
struct edge_origin {
    struct cidr block;
    const char *file, *service; /* NULL: none was named; not an ip-ranges.json */
    int line;                   /* 0: unknown */
};
struct edge_origin edge_set_origin(const struct edge_set *set, size_t i);

/* The edge_set_ranges() disjoint blocks, IPv4 first, by address; for filling a
 * kernel filter and for warnings. They live as long as the set. */
const struct cidr *edge_set_items(const struct edge_set *set);

#endif
