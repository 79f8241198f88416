/* config_secret.c -- [edge] secret_header and secret_file: the origin secret. */
#include "http/message.h"

#include "alb/config_parts.h"
#include "alb/edge_secret.h"

#define HEADER_KEY "secret_header"
#define FILE_KEY "secret_file"

static int line_of(const struct config *c, const char *key)
{
    return config_line(&c->edge_lines, edge_settings, key);
}

static void read_secret(struct config *c, struct problems *problems)
{
    const struct edge_options *o = &c->edge_options;
    char why[CONFIG_WHY_MAX];

    const char *blame = edge_secret_blame_header(span_text(o->secret_header));
    if (blame != NULL)
        problems_error(problems, line_of(c, HEADER_KEY), HEADER_KEY ": \"%s\" %s", o->secret_header,
                       blame);
    c->secret = edge_secret_read(o->secret_header, o->secret_file, why, sizeof(why));
    if (c->secret == NULL)
        problems_error(problems, line_of(c, FILE_KEY), FILE_KEY ": %s", why);
}

/* A listener that gives a header of ours that name would have it taken for the secret. */
static void check_names(const struct config *c, const struct listener_config *l,
                        struct problems *problems)
{
    const struct span name = span_text(c->edge_options.secret_header);

    for (int i = 0; l->headers.renames && i < REQUEST_HEADERS; i++) {
        if (http_name_is_alike(name, l->headers.request_names[i]))
            problems_error(problems, line_of(c, HEADER_KEY),
                           HEADER_KEY ": \"%s\" is what [listener %s] calls a header of its own; "
                                      "choose another",
                           c->edge_options.secret_header, l->name);
    }
}

/* As one would have it who has come from the managed balancer. */
static void advise_rule(const struct config *c, const struct rule *rule, struct problems *problems)
{
    for (size_t i = 0; i < rule->condition_count; i++) {
        const struct condition *condition = &rule->conditions[i];
        if (condition->kind == CONDITION_HEADER &&
            http_name_is_alike(span_text(condition->name),
                               span_text(c->edge_options.secret_header)))
            problems_warning(problems, rule->line,
                             "[rule %s] never matches: %s %s is the secret_header of [edge], which "
                             "no rule sees; take the condition out",
                             rule->name, condition->setting, condition->name);
    }
}

static void advise_group(const struct config *c, const struct group_config *g,
                         struct problems *problems)
{
    static const char key[] = "load_balancing.consistent_hash.key";

    if (g->options.algorithm == CONSISTENT_HASH && g->hash_key.kind == HASH_KEY_HEADER &&
        http_name_is_alike(span_text(g->hash_key.name), span_text(c->edge_options.secret_header)))
        problems_warning(problems, config_line(&g->lines, group_settings, key),
                         "%s: header %s is the secret_header of [edge], which is taken out before: "
                         "no request has this key",
                         key, g->hash_key.name);
}

void config_secret(struct config *config, struct problems *problems)
{
    const struct edge_options *o = &config->edge_options;
    const bool has_header = o->secret_header[0] != '\0', has_file = o->secret_file[0] != '\0';

    if (has_header != has_file)
        problems_error(
            problems, line_of(config, has_header ? HEADER_KEY : FILE_KEY),
            has_header ? HEADER_KEY ": needs the file that has the secret; add " FILE_KEY " = FILE"
                       : FILE_KEY ": needs the header that the secret comes in; add " HEADER_KEY
                                  " = X-Origin-Verify");
    if (!has_header || !has_file)
        return;
    read_secret(config, problems);
    for (size_t i = 0; i < config->listener_count; i++) {
        const struct listener_config *l = &config->listeners[i];
        check_names(config, l, problems);
        for (size_t j = 0; j < l->rule_count; j++)
            advise_rule(config, &l->rules[j], problems);
    }
    for (size_t i = 0; i < config->group_count; i++)
        advise_group(config, &config->groups[i], problems);
}
