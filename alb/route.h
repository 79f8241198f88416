/*
 * route.h -- where one request goes: what the rules made of it.
 *
 * Filled once for each request and read within the turn only: it points into the
 * snapshot and into the request.
 */
#ifndef ALB_ROUTE_H
#define ALB_ROUTE_H

struct group_config;
struct rule;

struct route {
    const struct rule *rule;    /* the one that matched; never NULL */
    struct group_config *group; /* where its action forwards to; NULL for another action */
};

#endif
