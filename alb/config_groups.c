/* config_groups.c -- [target_group NAME]: what passes its probes, its cookie. */
#include <stdio.h>

#include "base/mem.h"
#include "base/text.h"

#include "alb/config_parts.h"

enum {
    PATH_LONGEST = 1024,
    MANAGED_TIMEOUT_MS = 2000, /* its shortest */
    STATUS_LOW = 200,
    STATUS_HIGH = 499,
};

static int line_in(const struct group_config *g, const char *key)
{
    return config_line(&g->lines, group_settings, key);
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

static void check_port(struct group_config *g, struct problems *problems)
{
    const char *text = g->options.health_port;
    uint64_t n;

    if (span_equal_nocase(span_text(text), SPAN("traffic-port")))
        return;
    if (!text_u64(span_text(text), &n) || n < 1 || n > UINT16_MAX)
        problems_error(problems, line_in(g, "health_check.port"),
                       "health_check.port: \"%s\" is neither traffic-port nor 1-65535", text);
    else
        g->health_port = (uint16_t)n;
}

/* The managed balancer wants the interval to be greater. Of the short ones, which it does not
 * have, probes may overlap: a turn is passed over then. */
static void check_rhythm(struct group_config *g, struct problems *problems)
{
    static const char key[] = "health_check.timeout_seconds";
    struct group_options *o = &g->options;
    char timeout[16], interval[16];

    if (!settings_was_set(group_settings, g->lines.seen, key)) {
        const uint32_t most = o->health_interval_ms - o->health_interval_ms / 5;
        o->health_timeout_ms = o->health_timeout_ms < most ? o->health_timeout_ms : most;
    }
    if (!o->health_enabled || o->health_timeout_ms < o->health_interval_ms)
        return;
    (o->health_timeout_ms >= MANAGED_TIMEOUT_MS ? problems_error : problems_warning)(
        problems, line_in(g, key),
        "%s: %s is not less than the interval of %s: probes would overlap; set it lower, or "
        "health_check.interval_seconds higher",
        key, text_format_duration(o->health_timeout_ms, timeout),
        text_format_duration(o->health_interval_ms, interval));
}

static void check_health(struct group_config *g, struct problems *problems)
{
    if (!is_request_path(g->options.health_path))
        problems_error(problems, line_in(g, "health_check.path"),
                       "health_check.path: a path begins with '/' and has at most %d visible "
                       "ASCII characters",
                       PATH_LONGEST);
    check_port(g, problems);
    check_rhythm(g, problems);
}

/* --- the algorithm ------------------------------------------------------------------- */

static void check_algorithm(const struct group_config *g, struct problems *problems)
{
    const struct group_options *o = &g->options;

    if (o->slow_start_ms != 0 && o->algorithm != ROUND_ROBIN && o->algorithm != CONSISTENT_HASH)
        problems_error(problems, line_in(g, "slow_start.duration_seconds"),
                       "slow_start.duration_seconds: is only for load_balancing.algorithm.type = "
                       "round_robin or consistent_hash; set it to 0, or choose one of them");
    if (o->anomaly_mitigation && o->algorithm != WEIGHTED_RANDOM)
        problems_error(problems, line_in(g, "load_balancing.algorithm.anomaly_mitigation"),
                       "load_balancing.algorithm.anomaly_mitigation: is only for "
                       "load_balancing.algorithm.type = weighted_random; turn it off, or choose "
                       "that one");
}

static void check_hash_key(struct group_config *g, struct problems *problems)
{
    static const char key[] = "load_balancing.consistent_hash.key";
    const char *text = g->options.hash_key;
    const bool is_hash = g->options.algorithm == CONSISTENT_HASH;
    const bool is_none = span_equal_nocase(span_text(text), SPAN("none"));
    char why[CONFIG_WHY_MAX];

    if (is_hash && is_none)
        problems_error(problems, line_in(g, "load_balancing.algorithm.type"),
                       "%s: is missing: consistent_hash needs what a target goes by: path, header "
                       "NAME, cookie NAME, query NAME or viewer",
                       key);
    else if (!is_none && !hash_key_parse(span_text(text), &g->hash_key, why, sizeof(why)))
        problems_error(problems, line_in(g, key), "%s: %s", key, why);
    else if (!is_none && !is_hash)
        problems_error(problems, line_in(g, key),
                       "%s: is only for load_balancing.algorithm.type = consistent_hash; take it "
                       "out, or choose that one",
                       key);
}

static void check_group(struct group_config *g, struct problems *problems)
{
    g->id = stickiness_id(span_text(g->name));
    config_targets(g, problems);
    parse_matcher(g, problems);
    check_health(g, problems);
    config_group_tls(g, problems);
    check_algorithm(g, problems);
    check_hash_key(g, problems);
    config_stickiness(g, problems);
}

void config_groups(struct config *config, struct problems *problems)
{
    for (size_t i = 0; i < config->group_count; i++) {
        config->groups[i].index = i;
        config->groups[i].name_len = strlen(config->groups[i].name);
        check_group(&config->groups[i], problems);
    }
}

static void mark_used(struct action *action)
{
    for (size_t i = 0; i < action->group_count; i++) {
        action->groups[i].group->is_used = true;
        action->groups[i].group->is_kept_to |= action->stickiness_s != 0;
    }
}

void config_groups_used(struct config *config)
{
    for (size_t i = 0; i < config->listener_count; i++) {
        struct listener_config *l = &config->listeners[i];
        mark_used(&l->fallback.action);
        for (size_t j = 0; j < l->rule_count; j++)
            mark_used(&l->rules[j].action);
    }
}
