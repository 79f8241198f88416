/*
 * address_set.h -- sorted arrays of addresses without doubles, as values.
 */
#ifndef ALB_ADDRESS_SET_H
#define ALB_ADDRESS_SET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/ip.h"

/* Makes a set of an array; how many are left. */
size_t address_set_make(struct ip *ips, size_t count);

bool address_set_has(const struct ip *set, size_t count, const struct ip *ip);

/* How many of `set` are not in `other`. */
size_t address_set_missing(const struct ip *set, size_t count, const struct ip *other,
                           size_t other_count);

/* Leaves at most `max`, first of all those that are in `kept`: an answer in another
 * order changes nothing. How many are left. */
size_t address_set_cut(struct ip *set, size_t count, size_t max, const struct ip *kept,
                       size_t kept_count);

#endif
