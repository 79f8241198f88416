/*
 * edge.h -- who may connect now: the configuration's edge set and what was added for a while.
 *
 * The control thread makes a view of both whenever one changes; it is published as the
 * configuration is (balancer_publish.c), each loop swaps at its own time, and the old one is freed
 * when all have. Whatever asks "may this address connect?" asks the view.
 */
#ifndef ALB_EDGE_H
#define ALB_EDGE_H

#include <stdbool.h>

#include "base/edge_set.h"

struct addr;
struct balancer;
struct config;
struct counters;
struct edge_additions;
struct listener;

/* Immutable. */
struct edge_view {
    struct edge_set *set; /* owned; built: merged and disjoint, for a filter too */
    bool is_any;          /* allow = any */
    bool observes;        /* enforce = observe: whoever is not in it is let in all the same */
    bool closes_leavers;  /* on_leave = close */
};

struct edge_view *edge_view_new(const struct config *config,
                                const struct edge_additions *additions);
void edge_view_free(struct edge_view **view);

/* Is it in the set? */
bool edge_has(const struct edge_view *view, const struct ip *ip);

/* Is it not in the set any more, and are its connections to end for that? Whoever is not in it,
 * but connected when it was or while nothing was enforced, has left. */
bool edge_has_left(const struct edge_view *view, const struct ip *ip);

struct stranger_line;

/* One line of the log about a stranger; `listener` may be "". */
void edge_log_stranger(const struct edge_view *view, const struct ip *ip, const char *listener,
                       const struct stranger_line *line);

/* Just accepted: may it go on? The one place that decides, counts and keeps who was refused. Any
 * thread; `n` is its own. */
bool edge_admit(struct balancer *b, const struct edge_view *view, struct counters *n,
                const struct addr *peer, const struct listener *listener);

#endif
