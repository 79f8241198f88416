/*
 * names.h -- the DNS names of targets, and the addresses that each has now.
 *
 * A name is asked for again when its answer is no longer good, within bounds; its
 * addresses are those of A and AAAA together. DNS that fails takes nothing away: the
 * last addresses stay, and so they do when DNS says that there are none, because health
 * checks know better than that what still serves. Either is logged once, and its end.
 *
 * Control thread.
 */
#ifndef ALB_NAMES_H
#define ALB_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ip.h"

struct config;
struct counters;
struct ev_loop;
struct names;

/* Addresses of a name that are used; more are passed over, with a warning. */
enum { NAMES_ADDRESSES_MAX = 100 };

/* `changed` is called when a name has got other addresses. */
struct names *names_new(struct ev_loop *loop, struct counters *counters,
                        void (*changed)(void *user), void *user);
void names_free(struct names **names);

/* Ask for the names in this configuration, with its servers and its bounds; names that
 * it does not have are forgotten. False with a sentence when DNS cannot be used: then
 * nothing has changed. */
bool names_follow(struct names *names, const struct config *config, char *why, size_t why_size);

/* Would names_follow() succeed? Changes and asks nothing. */
bool names_may_follow(const struct names *names, const struct config *config, char *why,
                      size_t why_size);

/* In order; none until there was an answer with addresses, and never none again. They live until
 * the loop turns. */
const struct ip *names_addresses(const struct names *names, const char *host, size_t *count);

/* Every name was answered or has failed once. */
bool names_are_known(const struct names *names);

/* After how long a name is asked for again. */
uint32_t names_wait_ms(uint32_t ttl_s, uint32_t min_ms, uint32_t max_ms);

#endif
