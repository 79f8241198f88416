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

/* Before edge_set_build() only. */
void edge_set_add(struct edge_set *set, const struct cidr *block);

/* The blocks of a file: one a line, '#' starts a comment. False with
 * "FILE:LINE: sentence" in `why` at the first bad line; none is kept then. */
bool edge_set_add_file(struct edge_set *set, const char *path, char *why, size_t why_size);

/* The blocks of one service of the provider's ip-ranges.json, both families.
 * An unknown service is an error. */
bool edge_set_add_ip_ranges(struct edge_set *set, const char *path, const char *service, char *why,
                            size_t why_size);

/* Sort and merge. After this the set does not change. */
void edge_set_build(struct edge_set *set);

bool edge_set_contains(const struct edge_set *set, const struct ip *ip);

/* Blocks as they were added, and disjoint blocks after merging. */
size_t edge_set_blocks(const struct edge_set *set);
size_t edge_set_ranges(const struct edge_set *set);

/* The edge_set_ranges() disjoint blocks, IPv4 first, by address; for filling a
 * kernel filter and for warnings. They live as long as the set. */
const struct cidr *edge_set_items(const struct edge_set *set);

#endif
