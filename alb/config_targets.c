/* config_targets.c -- the targets of a [target_group]. */
#include <stdio.h>

#include "base/ini_file.h"
#include "base/mem.h"
#include "base/text.h"

#include "alb/config_parts.h"

/* The managed balancer's quota; more work, it is only asked about. */
enum { TARGETS_QUOTA = 1000 };

#define FORM "IP:port, [IPv6]:port, unix:/path or dns:NAME:port, then [weight=N]"

bool config_weight(struct span text, uint32_t *weight, char *why, size_t why_size)
{
    const struct span key = SPAN("weight=");
    uint64_t n;

    if (!span_starts_with(text, key)) {
        snprintf(why, why_size, "\"%.*s\" is not weight=N", SPAN_ARGS(text));
        return false;
    }
    if (!text_u64(span_after(text, key.len), &n) || n > TARGET_WEIGHT_MAX) {
        snprintf(why, why_size, "\"%.*s\": a weight is a whole number of 0..%d", SPAN_ARGS(text),
                 TARGET_WEIGHT_MAX);
        return false;
    }
    *weight = (uint32_t)n;
    return true;
}

static bool parse_target(const struct group_config *g, const char *text, struct target_config *t,
                         char *why, size_t why_size)
{
    struct span rest = span_text(text);
    char name[512], word[64];
    bool bad = false;

    if (!ini_next_word(&rest, name, sizeof(name), &bad)) {
        snprintf(why, why_size, "\"%s\" is not " FORM, text);
        return false;
    }
    if (!target_name_parse(span_text(name), g->options.port, &t->name, why, why_size))
        return false;
    if (ini_next_word(&rest, word, sizeof(word), &bad) &&
        !config_weight(span_text(word), &t->weight, why, why_size))
        return false;
    if (bad || span_trim(rest).len > 0) {
        snprintf(why, why_size, "\"%s\" says more than " FORM, text);
        return false;
    }
    return true;
}

const struct target_config *config_target(const struct group_config *g, const char *text)
{
    for (size_t i = 0; i < g->target_count; i++) {
        if (strcmp(g->targets[i].name.text, text) == 0)
            return &g->targets[i];
    }
    return NULL;
}

static void add_target(struct group_config *g, const struct setting_item *item,
                       struct problems *problems)
{
    struct target_config t = { .weight = TARGET_WEIGHT_DEFAULT, .line = item->line };
    char why[CONFIG_WHY_MAX];

    if (!parse_target(g, item->text, &t, why, sizeof(why))) {
        problems_error(problems, item->line, "target: %s", why);
        return;
    }
    const struct target_config *first = config_target(g, t.name.text);
    if (first != NULL)
        problems_error(problems, item->line, "target: %s is already in this group at line %d",
                       t.name.text, first->line);
    else
        g->targets[g->target_count++] = t;
}

void config_targets(struct group_config *g, struct problems *problems)
{
    const struct setting_list *targets = &g->options.target;

    g->targets = mem_array(struct target_config, targets->count);
    for (size_t i = 0; i < targets->count; i++)
        add_target(g, &targets->items[i], problems);
    if (targets->count == 0)
        problems_warning(problems, g->lines.header,
                         "[target_group %s] has no target: it answers 503", g->name);
    if (targets->count > TARGETS_QUOTA)
        problems_warning(problems, targets->items[TARGETS_QUOTA].line,
                         "[target_group %s] has %zu targets: the managed balancer has at most %d",
                         g->name, targets->count, TARGETS_QUOTA);
}
