/*
 * reload_files.h -- what a reload would change though the configuration's text is the same:
 * the contents of the files that it names.
 *
 * Each function adds to the JSON array of plan_changes() (reload_plan.h). The control thread's.
 */
#ifndef ALB_RELOAD_FILES_H
#define ALB_RELOAD_FILES_H

#include <stdbool.h>

#include <jansson.h>

struct action;
struct config;
struct group_config;
struct listener_config;

/* In reload_plan.c: one change. */
void plan_add(json_t *to, const char *what, const char *name, const char *change,
              const char *detail);

/* Who may connect, wherever that stands. */
void plan_edge(json_t *to, const struct config *now, const struct config *next);

/* The keys of cookies, of which none is ever shown. */
void plan_keys(json_t *to, const struct config *now, const struct config *next);

/* The origin secret. */
void plan_edge_secret(json_t *to, const struct config *now, const struct config *next);

/* [management]: its tokens, its certificate, and the authority of its clients. */
void plan_management(json_t *to, const struct config *now, const struct config *next);

/* Certificates, trusted authorities, and the text of the default action. */
void plan_listener_files(json_t *to, const struct listener_config *now,
                         const struct listener_config *next);

/* The authorities that its targets' certificates are to be from. */
void plan_group_files(json_t *to, const struct group_config *now, const struct group_config *next);

/* Two actions that say the same: is what they answer the same, too? */
bool plan_same_text(const struct action *now, const struct action *next);

/* What is to be said when it is not. */
extern const char plan_other_text[];

#endif
