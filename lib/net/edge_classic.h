/*
 * edge_classic.h -- a set of addresses as a program of the classic packet filter (bpf(4) of the
 * BSDs; SO_ATTACH_FILTER of socket(7)), for kernels that do not let us have the trie of
 * edge_program.h. The set is compiled into it; BPF_MAXINSNS are enough for some 800 IPv4 blocks.
 */
#ifndef NET_EDGE_CLASSIC_H
#define NET_EDGE_CLASSIC_H

#include <linux/filter.h>
#include <stddef.h>

#include "base/ip.h"

/* The blocks are disjoint and in order (edge_set_items()). Returns how many instructions it
 * has; 0 when that would be more than `max`. */
size_t edge_classic_write(const struct cidr *blocks, size_t count, struct sock_filter *to,
                          size_t max);

#endif
