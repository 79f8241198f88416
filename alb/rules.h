/*
 * rules.h -- which rule answers a request, and where its action sends it.
 *
 * Rules are tried by priority, the first whose conditions all hold wins, the
 * listener's default is last (conditions.h says when one holds). An index
 * (rules_index.h) finds it without a look at most of the others.
 */
#ifndef ALB_RULES_H
#define ALB_RULES_H

#include "alb/config.h"
#include "alb/rules_miss.h"

/* A request that no rule sees: the status that it gets, and why (a literal). 0: ask the rules. */
int rules_unrouted(const struct http_message *m, const char **why);

/* Never NULL. Lives as long as the snapshot. */
const struct rule *rules_match(const struct listener_config *listener,
                               struct condition_request *request);

/* Has a target that reads the path in its normal form (http/path.h) got a request of another rule
 * than this one, which answers it? In strictest such a one is refused: what is guarded as /admin/x
 * is not to be had as //admin/x. */
#define RULES_WHY_TWOFOLD "another rule answers the path in its normal form"
bool rules_read_otherwise(const struct listener_config *listener, struct condition_request *request,
                          const struct rule *rule);

/* Of the rules before the one that answers: does one that forwards hold but for its host-header, or
 * but for its http-headers? The first such; of what the answering one asks for itself, none is
 * missed. Only the first 1000 rules are looked at. */
enum rules_miss rules_miss_one(const struct listener_config *listener,
                               struct condition_request *request, const struct rule *answering);

bool rule_holds(const struct rule *rule, struct condition_request *request);

/* How many rules a walk by priority looks at before it is at this one. The default
 * is not counted (the managed balancer's RuleEvaluations). */
size_t rules_evaluated(const struct listener_config *listener, const struct rule *rule);

/* The group of a forward action for one request: by weight, whatever becomes of
 * it there. `random` is any number. NULL when no group has a weight. */
struct group_config *action_choose_group(const struct action *forward, uint64_t random);

#endif
