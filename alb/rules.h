/*
 * rules.h -- which rule answers a request.
 *
 * Rules are tried by priority, the first whose conditions all match wins, the
 * listener's default is last. Values within a condition are alternatives.
 * host-header ignores case and the port; path-pattern minds case and never
 * sees the query (reference: the managed balancer's conditions).
 */
#ifndef ALB_RULES_H
#define ALB_RULES_H

#include "alb/config.h"

struct http_message;

/* Never NULL. Lives as long as the snapshot. */
const struct rule *rules_match(const struct listener_config *listener,
                               const struct http_message *request);

#endif
