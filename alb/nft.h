/*
 * nft.h -- the packet filter of a machine that is for alb alone, made from alb's configuration: the
 * rule set for `nft -f -`, as one transaction that takes the place of the one before.
 *
 * Only input is filtered. The listeners' ports are for the edge set, those of [health] for its own;
 * what comes back to this
 * machine's own connections, loopback, and what IPv6 and DHCP cannot do without, is let in; nothing
 * else is. The same configuration gives the same text.
 */
#ifndef ALB_NFT_H
#define ALB_NFT_H

#include <stdbool.h>
#include <stdio.h>

#include "base/problems.h"

struct config;

/* False with an error when a rule cannot be made of it: a listener with port 0. */
bool nft_print(const struct config *config, struct problems *problems, FILE *to);

/* `alb nft FILE`: to standard output; errors and warnings to standard error. The exit code. */
int nft_file(const char *path);

#endif
