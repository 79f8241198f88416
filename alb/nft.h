/*
 * nft.h -- the packet filter of a machine that is for alb alone, made from alb's configuration: the
 * rule set for `nft -f -`, as one transaction that takes the place of the one before.
 *
 * Only input is filtered. The listeners' ports are for the edge set, and for who was added to it
 * for a while (edge_additions.h) until his time is up; those of [health] and [management] are for
 * sets of their own; what comes back to this machine's own connections, loopback, and what IPv6 and
 * DHCP cannot do without, is let in; nothing else is. The same configuration with the same
 * additions gives the same text: an end is a moment of the wall clock, which the kernel compares.
 */
#ifndef ALB_NFT_H
#define ALB_NFT_H

#include <stdbool.h>
#include <stdio.h>

#include "base/problems.h"

struct config;
struct edge_additions;

/* False with an error when a rule cannot be made of it: a listener with port 0. */
bool nft_print(const struct config *config, const struct edge_additions *additions,
               struct problems *problems, FILE *to);

/* `alb nft FILE`: to standard output; errors and warnings to standard error. The additions are
 * those of the state file at `state_path`, or, when that is NULL, of the one that the configuration
 * names; one that is not there has none, one that cannot be read is an error. The exit code. */
int nft_file(const char *path, const char *state_path);

#endif
