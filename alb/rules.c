/* rules.c -- see rules.h. */
#include "alb/rules.h"

#include "base/text.h"
#include "http/message.h"

/* "[::1]:80" -> "[::1]", "example.com:8080" -> "example.com" */
static struct span without_port(struct span host)
{
    size_t n = host.len;

    while (n > 0 && host.ptr[n - 1] >= '0' && host.ptr[n - 1] <= '9')
        n--;
    if (n > 0 && host.ptr[n - 1] == ':')
        host.len = n - 1;
    return host;
}

/* A condition that is not there holds. */
static bool is_like_one(const struct pattern_list *list, struct span text, bool nocase)
{
    for (size_t i = 0; i < list->count; i++) {
        if (text_wildcard(span_text(list->patterns[i]), text, nocase))
            return true;
    }
    return list->count == 0;
}

const struct rule *rules_match(const struct listener_config *listener,
                               const struct http_message *request)
{
    struct span host = without_port(request->host);

    for (size_t i = 0; i < listener->rule_count; i++) {
        const struct rule *rule = &listener->rules[i];
        if (is_like_one(&rule->path, request->path, false) && is_like_one(&rule->host, host, true))
            return rule;
    }
    return &listener->fallback;
}
