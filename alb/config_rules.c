/*
 * config_rules.c -- [rule NAME]: its conditions, and its place on its listener.
 *
 * The limits are the managed balancer's (reference: its rule conditions). They
 * also bound what one match may cost. A new condition is a row in the table
 * below and a function that judges one value.
 */
#include <stdio.h>

#include "base/ini_file.h"
#include "base/mem.h"

#include "alb/config_parts.h"

enum {
    PATTERN_MAX = 128,
    VALUES_MAX = 5,    /* a rule, over all its conditions */
    WILDCARDS_MAX = 5, /* the same */
    WORD_MAX = 8192,
};

/* --- one value ---------------------------------------------------------------------- */

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_made_of(const char *text, const char *others)
{
    for (; *text != '\0'; text++) {
        bool is_digit = *text >= '0' && *text <= '9';
        if (!is_letter(*text) && !is_digit && strchr(others, *text) == NULL)
            return false;
    }
    return true;
}

/* What is wrong with a value, or NULL. */
static const char *check_path(const char *text)
{
    static const char others[] = "_-.$/~\"'@:+&*?";

    return is_made_of(text, others) ? NULL : "may hold letters, digits and _-.$/~\"'@:+&*? only";
}

static const char *check_host(const char *text)
{
    const char *dot = strrchr(text, '.');

    if (!is_made_of(text, "-.*?"))
        return "may hold letters, digits and -.*? only";
    if (dot == NULL)
        return "needs a '.'";
    for (const char *at = dot + 1; *at != '\0'; at++) {
        if (!is_letter(*at))
            return "may hold only letters after the last '.'";
    }
    return NULL;
}

static const struct condition {
    const char *key;
    size_t options; /* of the setting_list in struct rule_options */
    size_t list;    /* of the pattern_list in struct rule */
    const char *(*check)(const char *text);
} conditions[] = {
    { "path-pattern", offsetof(struct rule_options, path_pattern), offsetof(struct rule, path),
      check_path },
    { "host-header", offsetof(struct rule_options, host_header), offsetof(struct rule, host),
      check_host },
};

enum { CONDITIONS = sizeof(conditions) / sizeof(conditions[0]) };

static struct pattern_list *list_of(struct rule *rule, const struct condition *condition)
{
    return (struct pattern_list *)(void *)((char *)rule + condition->list);
}

/* --- the conditions of a rule --------------------------------------------------------- */

static void add_value(struct rule *rule, const struct condition *condition, const char *word,
                      int line, struct problems *problems)
{
    struct pattern_list *list = list_of(rule, condition);
    const char *wrong = strlen(word) == 0            ? "is empty"
                        : strlen(word) > PATTERN_MAX ? "is longer than 128 characters"
                                                     : condition->check(word);

    if (wrong != NULL)
        problems_error(problems, line, "%s: \"%.*s\" %s", condition->key, PATTERN_MAX, word, wrong);
    list->patterns = mem_resize(list->patterns, (list->count + 1) * sizeof(list->patterns[0]));
    list->patterns[list->count++] = mem_text(word);
}

static void read_line(struct rule *rule, const struct condition *condition,
                      const struct setting_item *item, struct problems *problems)
{
    struct span rest = span_text(item->text);
    char word[WORD_MAX + 1];
    bool bad = false;

    if (span_trim(rest).len == 0)
        problems_error(problems, item->line, "%s: has no value", condition->key);
    while (ini_next_word(&rest, word, sizeof(word), &bad))
        add_value(rule, condition, word, item->line, problems);
    if (bad)
        problems_error(problems, item->line, "%s: \"%.64s\" has a bad quote", condition->key,
                       rest.ptr);
}

static size_t count_wildcards(const struct pattern_list *list)
{
    size_t n = 0;

    for (size_t i = 0; i < list->count; i++) {
        for (const char *at = list->patterns[i]; *at != '\0'; at++)
            n += *at == '*' || *at == '?';
    }
    return n;
}

static void check_totals(struct rule *rule, struct problems *problems)
{
    size_t values = 0, wildcards = 0;

    for (size_t i = 0; i < CONDITIONS; i++) {
        values += list_of(rule, &conditions[i])->count;
        wildcards += count_wildcards(list_of(rule, &conditions[i]));
    }
    if (values > VALUES_MAX)
        problems_error(problems, rule->line, "[rule %s] has %zu condition values; at most %d",
                       rule->name, values, VALUES_MAX);
    if (wildcards > WILDCARDS_MAX)
        problems_error(problems, rule->line, "[rule %s] has %zu wildcards; at most %d", rule->name,
                       wildcards, WILDCARDS_MAX);
}

static void read_conditions(struct rule *rule, const struct rule_options *options,
                            struct problems *problems)
{
    size_t lines = 0;

    for (size_t i = 0; i < CONDITIONS; i++) {
        const struct setting_list *list =
            (const void *)((const char *)options + conditions[i].options);
        for (size_t j = 0; j < list->count; j++)
            read_line(rule, &conditions[i], &list->items[j], problems);
        lines += list->count;
    }
    if (lines == 0)
        problems_error(problems, rule->line,
                       "[rule %s] has no condition; what always applies is default_action",
                       rule->name);
    check_totals(rule, problems);
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
    l->rules = mem_resize(l->rules, (l->rule_count + 1) * sizeof(l->rules[0]));
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
                         .priority = draft->options.priority };
    int action_line = config_line_written(&draft->lines, rule_settings, "action");

    draft->name = NULL;
    config_require(&draft->lines, rule_settings, "rule", rule.name, required, problems);
    read_conditions(&rule, &draft->options, problems);
    if (action_line != 0)
        config_action(config, "action", draft->options.action, action_line, &rule.action, problems);

    struct listener_config *l = find_listener(config, draft, problems);
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
}

void config_rule_done(struct rule *rule)
{
    for (size_t i = 0; i < CONDITIONS; i++) {
        struct pattern_list *list = list_of(rule, &conditions[i]);
        for (size_t j = 0; j < list->count; j++)
            free(list->patterns[j]);
        mem_free(list->patterns);
    }
    config_action_done(&rule->action);
    mem_free(rule->name);
}
