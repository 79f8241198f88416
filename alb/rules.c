/* rules.c -- see rules.h. */
#include "alb/rules.h"

#include "alb/rules_index.h"

bool rule_holds(const struct rule *rule, struct condition_request *request)
{
    for (size_t i = 0; i < rule->condition_count; i++) {
        if (!condition_holds(&rule->conditions[i], request))
            return false;
    }
    return true;
}

const struct rule *rules_match(const struct listener_config *listener,
                               struct condition_request *request)
{
    if (listener->rule_count == 0)
        return &listener->fallback;
    const size_t place = rules_index_find(listener->index, request, rule_holds);
    return place < listener->rule_count ? &listener->rules[place] : &listener->fallback;
}

size_t rules_evaluated(const struct listener_config *listener, const struct rule *rule)
{
    return rule == &listener->fallback ? listener->rule_count
                                       : (size_t)(rule - listener->rules) + 1;
}

struct group_config *action_choose_group(const struct action *forward, uint64_t random)
{
    uint32_t left;

    if (forward->weights == 0)
        return NULL;
    left = (uint32_t)(random % forward->weights);
    for (size_t i = 0; i < forward->group_count; i++) {
        if (left < forward->groups[i].weight)
            return forward->groups[i].group;
        left -= forward->groups[i].weight;
    }
    return NULL;
}
