/*
 * route.h -- where one request goes: what the rules made of it.
 *
 * Filled once for each request and read within the turn only: it points into the
 * snapshot and into the request.
 */
#ifndef ALB_ROUTE_H
#define ALB_ROUTE_H

#include <stdint.h>

#include "base/span.h"

struct group_config;
struct rule;

struct route {
    const struct rule *rule;    /* the one that matched; never NULL */
    struct group_config *group; /* where its action forwards to; NULL for another action */

    /* What the rule's transforms made of the request, for the access log. The message has it as
     * well: its host, path and query are what goes to the target, while its target is still what
     * came. Empty where nothing was changed. */
    struct span transformed_host, transformed_uri;
    struct span asked_host;       /* the host that came, when transformed_host is not empty */
    const char *transform_status; /* a literal: "TransformSuccess"; NULL: no transform matched */

    uint8_t group_lookup;    /* enum stickiness_lookup: the group's cookie */
    uint32_t group_cookie_s; /* how long its response is to keep the client in the group; 0: not */
    const char *error;       /* error_reason of the access log: a literal, or NULL */

    struct span redirect_url; /* the Location of a redirect; empty for another action */
};

#endif
