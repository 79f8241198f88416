/*
 * edge_additions.h -- blocks that may connect for a while: `alb edge add CIDR --for 10m`.
 *
 * A plain value of the control thread, part of what commands said (registrations.h): whoever
 * changes it writes it to the state file first. Each ends by itself at a moment of the wall clock,
 * so that a restart does not make it longer. Pure: time is an argument.
 *
 * In the state file one is a line:
 *
 *     edge 10.0.9.0/24 until=1795766400
 */
#ifndef ALB_EDGE_ADDITIONS_H
#define ALB_EDGE_ADDITIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ip.h"
#include "base/span.h"

enum {
    EDGE_ADDITIONS_MAX = 1000,
    EDGE_ADDITION_LINE_MAX = CIDR_TEXT_MAX + 32,
    EDGE_ADDITION_MOST_S = 30 * 24 * 3600,
};

struct edge_addition {
    struct cidr block;
    uint64_t until_s; /* since 1970: it is there before this second, and gone from it on */
};

struct edge_additions {
    struct edge_addition *items; /* owned; in the order in which they were said first */
    size_t count, room;
};

void edge_additions_done(struct edge_additions *a);
struct edge_additions edge_additions_copy(const struct edge_additions *a);

/* That very block; NULL when it is not there. */
struct edge_addition *edge_additions_find(const struct edge_additions *a, const struct cidr *block);

/* One that is there gets another end. False when there are EDGE_ADDITIONS_MAX already. */
bool edge_additions_add(struct edge_additions *a, const struct edge_addition *item);
void edge_additions_remove(struct edge_additions *a, struct edge_addition *item);

/* Those whose time is over: `gone` (may be NULL) is called for each, and it is removed. Returns how
 * many. */
size_t edge_additions_expire(struct edge_additions *a, uint64_t now_s,
                             void (*gone)(const struct edge_addition *item));

/* When the next one ends; UINT64_MAX: none will. */
uint64_t edge_additions_next_s(const struct edge_additions *a);

/* A duration (text.h) of 1s to 30d, in whole seconds, rounded up. False with a sentence. */
bool edge_addition_time(struct span text, uint32_t *seconds, char *why, size_t why_size);

/* The line of the state file, without its end; and such a line's two words behind "edge". False
 * with a phrase to stand behind the line. */
void edge_addition_format(const struct edge_addition *item, char line[EDGE_ADDITION_LINE_MAX]);
bool edge_addition_parse(struct span block, struct span until, struct edge_addition *item,
                         char *why, size_t why_size);

#endif
