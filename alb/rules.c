/* rules.c -- see rules.h. */
#include "alb/rules.h"

#include "http/path.h"

#include "alb/headers.h"
#include "alb/rules_index.h"

enum { LOOKED_AT_MOST = 1000 };

int rules_unrouted(const struct http_message *m, const char **why)
{
    if (m->method_id == HTTP_TRACE || m->method_id == HTTP_CONNECT) {
        *why = "method not allowed";
        return 405;
    }
    if (headers_has_too_many_addresses(m)) {
        *why = "more than 30 addresses in X-Forwarded-For";
        return 463;
    }
    return 0;
}

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

bool rules_read_otherwise(const struct listener_config *listener, struct condition_request *request,
                          const struct rule *rule)
{
    char text[HTTP_LINE_MAX];
    struct condition_request other = *request;

    other.path = http_path_normal(request->path, text);
    if (span_equal(other.path, request->path))
        return false;
    const bool is_another = rules_match(listener, &other) != rule;
    request->left = other.left;
    return is_another;
}

static bool asks_for(const struct rule *rule, enum condition_kind kind)
{
    for (size_t i = 0; i < rule->condition_count; i++) {
        if (rule->conditions[i].kind == kind)
            return true;
    }
    return false;
}

/* Of a rule that does not hold. */
static bool holds_but_for(const struct rule *rule, enum condition_kind kind,
                          struct condition_request *request)
{
    for (size_t i = 0; i < rule->condition_count; i++) {
        if (rule->conditions[i].kind != kind && !condition_holds(&rule->conditions[i], request))
            return false;
    }
    return asks_for(rule, kind);
}

static enum rules_miss miss_of(const struct rule *rule, struct condition_request *request,
                               const struct rule *answering)
{
    static const enum condition_kind kinds[] = {
        [RULES_MISS_HOST] = CONDITION_HOST, [RULES_MISS_HEADER] = CONDITION_HEADER
    };

    if (rule->action.kind != ACTION_FORWARD)
        return RULES_MISS_NOTHING;
    for (int i = RULES_MISS_HOST; i <= RULES_MISS_HEADER; i++) {
        if (!asks_for(answering, kinds[i]) && holds_but_for(rule, kinds[i], request))
            return (enum rules_miss)i;
    }
    return RULES_MISS_NOTHING;
}

enum rules_miss rules_miss_one(const struct listener_config *listener,
                               struct condition_request *request, const struct rule *answering)
{
    enum rules_miss found = RULES_MISS_NOTHING;

    for (size_t i = 0; i < listener->rule_count && i < LOOKED_AT_MOST; i++) {
        if (&listener->rules[i] == answering || found != RULES_MISS_NOTHING)
            break;
        found = miss_of(&listener->rules[i], request, answering);
    }
    return condition_request_is_spent(request) ? RULES_MISS_NOTHING : found;
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
