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

enum literals_next {
    LITERALS_GO_ON,
    LITERALS_SKIP_SHORTER, /* go on, but without the shorter ones that end in this place */
    LITERALS_END,
};

/* Called for each place where one ends, in order; of those that end in one place the longest
 * first. The same shorter ones end with a literal wherever it stands: who only asks which are
 * there at all skips them when it comes the second time, and is called once or less for each byte
 * and each literal. */
typedef enum literals_next literals_found(void *user, uint32_t number);

void literals_search(const struct literals *literals, uint32_t group, struct span text,
                     literals_found *found, void *user);

#endif
