/*
 * literals.h -- which of many short texts a text contains, in one pass over it.
 *
 * An Aho-Corasick automaton: each byte of the text is one step or two, however many texts
 * are looked for. They are in groups, and a text is searched for those of one group:
 *
 *   group 0, paths:  ".png"  "/tenant-17/"
 *   group 1, hosts:  "eu."
 *
 * ASCII letters are compared in any case. Immutable once made; copies what it needs.
 */
#ifndef BASE_LITERALS_H
#define BASE_LITERALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

struct literals;

struct literal {
    struct span text; /* at least one byte */
    uint32_t group;   /* below the number of groups */
    uint32_t number;  /* what it is called when it is found */
};

/* No two of a group may be the same in any case. */
struct literals *literals_new(const struct literal *all, size_t count, uint32_t groups);
void literals_free(struct literals **literals);

/* Called for each place where one ends, in order; of those that end in one place the longest
 * first. False ends the search. */
typedef bool literals_found(void *user, uint32_t number);

void literals_search(const struct literals *literals, uint32_t group, struct span text,
                     literals_found *found, void *user);

#endif
