/*
 * config_parts.h -- what the files config_*.c share while one file is read.
 *
 * config.c takes the lines into structs of options; then each part below looks
 * at its sections as a whole and fills in what the loops use. A part reports
 * all that it finds, and leaves half-made pieces for config_free().
 */
#ifndef ALB_CONFIG_PARTS_H
#define ALB_CONFIG_PARTS_H

#include "alb/config.h"

enum { CONFIG_WHY_MAX = 1280 };

/* A [rule] section before it joins its listener. */
struct rule_draft {
    char *name; /* owned, until a rule takes it */
    struct section_lines lines;
    struct rule_options options;
};

/* The line of a setting; 0 when it was not written. */
int config_line_written(const struct section_lines *lines, const struct setting *table,
                        const char *key);

/* The same, but the line of the section's header when it was not written. */
int config_line(const struct section_lines *lines, const struct setting *table, const char *key);

/* Report each of `keys` (ends with NULL) that the section does not have. */
void config_require(const struct section_lines *lines, const struct setting *table,
                    const char *section, const char *name, const char *const *keys,
                    struct problems *problems);

/* The sentence for a key that a section's table does not have: another kind of section has it, or
 * the managed balancer. False: it is unknown. */
bool config_is_elsewhere(const struct setting *table, struct span key, char *why, size_t size);

void config_edge(struct config *config, struct problems *problems);
/* [health], [management]: where they listen, and for whom. After the listeners. */
void config_doors(struct config *config, struct problems *problems);
/* [management]: who may log in; after its door. */
void config_management(struct config *config, struct problems *problems);
void config_management_done(struct manage_config *m);
/* [edge] trust: after who may connect. */
void config_trust(struct config *config, struct problems *problems);
/* [edge] secret_header, secret_file: after the listeners and their rules. */
void config_secret(struct config *config, struct problems *problems);
/* The targets of one group. */
void config_targets(struct group_config *group, struct problems *problems);
/* What the group's targets are to prove. */
void config_group_tls(struct group_config *g, struct problems *problems);

void config_groups(struct config *config, struct problems *problems);

/* Cookies: of a group's targets, and of the groups of an action. */
void config_stickiness(struct group_config *group, struct problems *problems);
void config_group_cookie(struct config *config, struct problems *problems);

/* Which groups get requests: after the rules. */
void config_groups_used(struct config *config);

void config_listeners(struct config *config, struct problems *problems);
/* HTTPS: the listener's certificates, its policy, and whose certificates it takes. */
void config_listener_tls(const struct config *config, struct listener_config *l,
                         struct problems *problems);
void config_headers(struct listener_config *listener, struct problems *problems);
void config_rules(struct config *config, struct rule_draft *drafts, size_t count,
                  struct problems *problems);

/* The conditions of a rule, from what its section says. */
void config_conditions(struct rule *rule, const struct rule_options *options,
                       struct problems *problems);

/* What `key` at `line` says is to be done, on this listener (NULL: one that is not
 * there, which is reported elsewhere). */
struct action_text {
    const char *key, *text;
    int line;
};
void config_action(const struct config *config, const struct listener_config *listener,
                   const struct action_text *text, struct action *action,
                   struct problems *problems);
void config_action_done(struct action *action);

void config_rule_done(struct rule *rule);

#endif
