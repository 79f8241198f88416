/*
 * tunnel_query.h -- which tunnels somebody wants to see, and in which order: the query of
 * GET /tunnels and GET /closed. Pure: a query's text in, a yes or no for each record.
 */
#ifndef ALB_TUNNEL_QUERY_H
#define ALB_TUNNEL_QUERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ip.h"
#include "base/span.h"

#include "alb/tunnel_ends.h"

struct tunnel_view;

enum tunnel_sort { SORT_AGE, SORT_IDLE, SORT_BYTES, SORT_FRAMES, SORT_ENDED, TUNNEL_SORTS };

enum { QUERY_NAME_MAX = 288, QUERY_LIMIT_MAX = 10000, QUERY_LIMIT = 1000 };

struct tunnel_query {
    bool is_closed; /* of those that have ended */
    char group[QUERY_NAME_MAX], target[QUERY_NAME_MAX], listener[QUERY_NAME_MAX]; /* "": any */
    bool has_client;
    struct cidr client;
    int state;         /* enum tunnel_state; -1: any */
    int end, by;       /* enum tunnel_end, enum tunnel_party; -1: any. For closed ones */
    uint64_t since_us; /* wall clock; 0: any. For closed ones */
    uint32_t min_age_ms;
    uint32_t pid; /* of the process that has it; 0: any. For live ones */
    enum tunnel_sort sort;
    bool is_ascending;
    uint32_t limit;
    bool wants_peer; /* not to be asked for by text: with tunnel_view.peer, for live ones here */
};

/* Read "a=b&c=d", percent-encoded, "+" for a blank; an empty one asks for all. Strict: each
 * parameter once. False with a sentence that names the parameter and what it takes. `now_us`
 * is the wall clock, from which `since=10m` is counted. */
bool tunnel_query_read(struct tunnel_query *q, struct span text, bool is_closed, uint64_t now_us,
                       char *why, size_t why_size);

bool tunnel_query_fits(const struct tunnel_query *q, const struct tunnel_view *r);

/* Is `a` to be shown before `b`? Never so for two that are the same. */
bool tunnel_query_before(const struct tunnel_query *q, const struct tunnel_view *a,
                         const struct tunnel_view *b);

#endif
