/* config_groups.c -- [target_group NAME]: its targets, what passes its probes, its cookie. */
#include <stdio.h>

#include "base/ini_file.h"
#include "base/mem.h"
#include "base/text.h"

#include "alb/config_parts.h"

enum {
    WEIGHT_DEFAULT = 100,
    WEIGHT_MAX = 999,
    PATH_LONGEST = 1024,
    STATUS_LOW = 200,
    STATUS_HIGH = 499,
};

static int line_in(const struct group_config *g, const char *key)
{
    return config_line(&g->lines, group_settings, key);
}

/* --- targets --------------------------------------------------------------------- */

static bool parse_weight(const char *word, uint32_t *weight, char *why, size_t why_size)
{
    static const char key[] = "weight=";
    struct span text = span_text(word);
    uint64_t n;

    if (!span_starts_with(text, SPAN("weight="))) {
        snprintf(why, why_size, "\"%s\" is not weight=N", word);
        return false;
    }
    if (!text_u64(span_after(text, sizeof(key) - 1), &n) || n > WEIGHT_MAX) {
        snprintf(why, why_size, "\"%s\": a weight is a whole number of 0..%d", word, WEIGHT_MAX);
        return false;
    }
    *weight = (uint32_t)n;
    return true;
}

/* "IP:port [weight=N]". On success `t` owns its text. */
static bool parse_target(const char *text, struct target_config *t, char *why, size_t why_size)
{
    struct span rest = span_text(text);
    char address[ADDR_TEXT_MAX], word[64];
    bool bad = false;

    if (!ini_next_word(&rest, address, sizeof(address), &bad)) {
        snprintf(why, why_size, "\"%s\" is not IP:port [weight=N]", text);
        return false;
    }
    if (!addr_parse(span_text(address), false, &t->addr, why, why_size))
        return false;
    if (ini_next_word(&rest, word, sizeof(word), &bad) &&
        !parse_weight(word, &t->weight, why, why_size))
        return false;
    if (bad || span_trim(rest).len > 0) {
        snprintf(why, why_size, "\"%s\" says more than IP:port [weight=N]", text);
        return false;
    }
    t->text = mem_text(address);
    return true;
}

static const struct target_config *find_target(const struct group_config *g,
                                               const struct addr *addr)
{
    for (size_t i = 0; i < g->target_count; i++) {
        if (addr_equal(&g->targets[i].addr, addr))
            return &g->targets[i];
    }
    return NULL;
}

static void add_target(struct group_config *g, const struct setting_item *item,
                       struct problems *problems)
{
    struct target_config t = { .weight = WEIGHT_DEFAULT, .line = item->line };
    char why[CONFIG_WHY_MAX];

    if (!parse_target(item->text, &t, why, sizeof(why))) {
        problems_error(problems, item->line, "target: %s", why);
        return;
    }
    const struct target_config *first = find_target(g, &t.addr);
    if (first != NULL) {
        problems_error(problems, item->line, "target: %s is already in this group at line %d",
                       t.text, first->line);
        free(t.text);
        return;
    }
    g->targets[g->target_count++] = t;
}

/* --- health checks ----------------------------------------------------------------- */

/* "200" or "200-299" */
static bool parse_range(struct span text, struct status_range *range)
{
    struct span low, high = text;
    uint64_t from, to;

    span_next(&high, '-', &low);
    if (high.ptr == NULL)
        high = low;
    if (!text_u64(low, &from) || !text_u64(high, &to))
        return false;
    *range = (struct status_range){ (uint16_t)from, (uint16_t)to };
    return from >= STATUS_LOW && to <= STATUS_HIGH && from <= to;
}

static void parse_matcher(struct group_config *g, struct problems *problems)
{
    struct span rest = span_text(g->options.health_matcher);
    struct span piece;

    g->matcher = mem_array(struct status_range, rest.len + 1);
    while (span_next(&rest, ',', &piece)) {
        if (parse_range(piece, &g->matcher[g->matcher_count])) {
            g->matcher_count++;
            continue;
        }
        problems_error(problems, line_in(g, "health_check.matcher"),
                       "health_check.matcher: \"%.*s\" is not a status or range within %d-%d, "
                       "such as 200,202 or 200-299",
                       SPAN_ARGS(piece), STATUS_LOW, STATUS_HIGH);
    }
}

static bool is_request_path(const char *path)
{
    size_t n = 0;

    while (path[n] > ' ' && path[n] < 0x7f && path[n] != '#')
        n++;
    return path[0] == '/' && path[n] == '\0' && n <= PATH_LONGEST;
}

static void check_health(const struct group_config *g, struct problems *problems)
{
    if (!is_request_path(g->options.health_path))
        problems_error(problems, line_in(g, "health_check.path"),
                       "health_check.path: a path begins with '/' and has at most %d visible "
                       "ASCII characters",
                       PATH_LONGEST);
}

/* --- stickiness --------------------------------------------------------------------- */

static void check_cookie_name(const struct group_config *g, const char *key, const char *name,
                              struct problems *problems)
{
    if (!stickiness_is_cookie_name(span_text(name)))
        problems_error(problems, line_in(g, key),
                       "%s: \"%s\" is not a cookie name: 1 to %d letters, digits and !#$%%&'*+-.^_"
                       "`|~",
                       key, name, STICKINESS_NAME_MAX);
}

static void check_stickiness(struct group_config *g, struct problems *problems)
{
    const struct group_options *o = &g->options;

    check_cookie_name(g, "stickiness.lb_cookie.cookie_name", o->lb_cookie_name, problems);
    check_cookie_name(g, "stickiness.lb_cookie.cors_cookie_name", o->lb_cookie_cors_name, problems);
    if (strcmp(o->lb_cookie_name, o->lb_cookie_cors_name) == 0)
        problems_error(problems, line_in(g, "stickiness.lb_cookie.cors_cookie_name"),
                       "stickiness.lb_cookie.cors_cookie_name: \"%s\" is the other cookie's name",
                       o->lb_cookie_cors_name);
    if (o->lb_cookie_duration_ms % 1000 != 0)
        problems_error(problems, line_in(g, "stickiness.lb_cookie.duration_seconds"),
                       "stickiness.lb_cookie.duration_seconds: is not a whole number of seconds");
    g->stickiness = (struct stickiness_policy){ .cookie_name = o->lb_cookie_name,
                                                .cors_cookie_name = o->lb_cookie_cors_name,
                                                .duration_s = o->lb_cookie_duration_ms / 1000 };
}

static void check_group(struct group_config *g, struct problems *problems)
{
    const struct setting_list *targets = &g->options.target;

    g->id = stickiness_id(span_text(g->name));
    g->targets = mem_array(struct target_config, targets->count);
    for (size_t i = 0; i < targets->count; i++)
        add_target(g, &targets->items[i], problems);
    if (targets->count == 0)
        problems_warning(problems, g->lines.header,
                         "[target_group %s] has no target: it answers 503", g->name);
    parse_matcher(g, problems);
    check_health(g, problems);
    check_stickiness(g, problems);
}

void config_groups(struct config *config, struct problems *problems)
{
    for (size_t i = 0; i < config->group_count; i++) {
        config->groups[i].index = i;
        check_group(&config->groups[i], problems);
    }
}
