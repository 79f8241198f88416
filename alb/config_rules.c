/*
 * config_rules.c -- [rule NAME]: what it changes in a request, and its place on
 * its listener. Its conditions are in config_conditions.c, its action in
 * config_actions.c.
 */
#include <stdio.h>

#include "base/ini_file.h"
#include "base/mem.h"

#include "alb/config_parts.h"
#include "alb/rules_index.h"
#include "alb/transform.h"

enum {
    RULES_QUOTA = 100, /* of the managed balancer, unless its owner asks for more */
    WORD_MAX = 8192,
};

/* --- its transforms --------------------------------------------------------------------- */

static struct rewrite *read_rewrite(const char *key, const struct setting_item *item, bool is_host,
                                    struct problems *problems)
{
    struct span rest = span_text(item->text);
    char regex[WORD_MAX + 1], replacement[WORD_MAX + 1], why[CONFIG_WHY_MAX];
    bool bad = false;

    if (!ini_next_word(&rest, regex, sizeof(regex), &bad) ||
        !ini_next_word(&rest, replacement, sizeof(replacement), &bad) || span_trim(rest).len > 0) {
        problems_error(problems, item->line,
                       "%s: is not REGEX REPLACEMENT; put one that has blanks in quotes", key);
        return NULL;
    }
    struct rewrite *made = rewrite_new(regex, replacement, is_host, why, sizeof(why));
    if (made == NULL)
        problems_error(problems, item->line, "%s: %s", key, why);
    return made;
}

static struct rewrite *read_transform(const char *key, const struct setting_list *list,
                                      bool is_host, struct problems *problems)
{
    for (size_t i = 1; i < list->count; i++)
        problems_error(problems, list->items[i].line, "%s: a rule has only one; it is at line %d",
                       key, list->items[0].line);
    return list->count == 0 ? NULL : read_rewrite(key, &list->items[0], is_host, problems);
}

static void read_transforms(struct rule *rule, const struct rule_draft *draft,
                            struct problems *problems)
{
    const struct rule_options *o = &draft->options;

    rule->host_rewrite =
        read_transform("host-header-rewrite", &o->host_header_rewrite, true, problems);
    rule->url_rewrite = read_transform("url-rewrite", &o->url_rewrite, false, problems);
}

/* Only what goes to a target is rewritten. */
static void advise_transforms(const struct rule *rule, struct problems *problems)
{
    if (rule->action.kind != ACTION_FORWARD &&
        (rule->host_rewrite != NULL || rule->url_rewrite != NULL))
        problems_warning(problems, rule->line,
                         "[rule %s] rewrites what it does not forward: that has no effect",
                         rule->name);
}

/* --- its place -------------------------------------------------------------------------- */

/* Into the listener's rules, which stay in the order of their priorities. */
static void insert(struct listener_config *l, const struct rule *rule, struct problems *problems)
{
    size_t at = l->rule_count;

    while (at > 0 && l->rules[at - 1].priority >= rule->priority)
        at--;
    if (at < l->rule_count && l->rules[at].priority == rule->priority)
        problems_error(problems, rule->line,
                       "[rule %s] has priority %u on [listener %s], as [rule %s] at line %d has",
                       rule->name, rule->priority, l->name, l->rules[at].name, l->rules[at].line);
    l->rules = mem_room(l->rules, l->rule_count, sizeof(l->rules[0]));
    memmove(&l->rules[at + 1], &l->rules[at], (l->rule_count - at) * sizeof(l->rules[0]));
    l->rules[at] = *rule;
    l->rule_count++;
}

static struct listener_config *find_listener(struct config *config, const struct rule_draft *draft,
                                             struct problems *problems)
{
    const char *name = draft->options.listener;
    int line = config_line_written(&draft->lines, rule_settings, "listener");
    struct listener_config *l = config_listener(config, span_text(name));

    if (l == NULL && line != 0)
        problems_error(problems, line, "listener: there is no [listener %.64s]", name);
    return l;
}

static void make_rule(struct config *config, struct rule_draft *draft, struct problems *problems)
{
    static const char *const required[] = { "listener", "priority", "action", NULL };
    struct rule rule = { .name = draft->name,
                         .line = draft->lines.header,
                         .written = draft->lines.written,
                         .priority = draft->options.priority };
    int action_line = config_line_written(&draft->lines, rule_settings, "action");

    draft->name = NULL;
    config_require(&draft->lines, rule_settings, "rule", rule.name, required, problems);
    config_conditions(&rule, &draft->options, problems);
    read_transforms(&rule, draft, problems);
    struct listener_config *l = find_listener(config, draft, problems);
    if (action_line != 0)
        config_action(config, l,
                      &(struct action_text){ "action", draft->options.action, action_line },
                      &rule.action, problems);
    advise_transforms(&rule, problems);
    bool has_priority = settings_was_set(rule_settings, draft->lines.seen, "priority");
    if (l != NULL && has_priority)
        insert(l, &rule, problems);
    else
        config_rule_done(&rule);
}

void config_rules(struct config *config, struct rule_draft *drafts, size_t count,
                  struct problems *problems)
{
    for (size_t i = 0; i < count; i++)
        make_rule(config, &drafts[i], problems);
    for (size_t i = 0; i < config->listener_count; i++) {
        struct listener_config *l = &config->listeners[i];
        l->index = rules_index_new(l->rules, l->rule_count);
    }
    if (count > RULES_QUOTA)
        problems_warning(problems, drafts[RULES_QUOTA].lines.header,
                         "%zu rules: the managed balancer takes %d unless its quota is raised",
                         count, RULES_QUOTA);
}

void config_rule_done(struct rule *rule)
{
    for (size_t i = 0; i < rule->condition_count; i++)
        condition_done(&rule->conditions[i]);
    mem_free(rule->conditions);
    rewrite_free(&rule->host_rewrite);
    rewrite_free(&rule->url_rewrite);
    config_action_done(&rule->action);
    mem_free(rule->name);
}
