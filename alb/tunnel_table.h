/* tunnel_table.h -- what `alb tunnels` and `alb closed` show, for people. */
#ifndef ALB_TUNNEL_TABLE_H
#define ALB_TUNNEL_TABLE_H

#include <stdio.h>

#include <jansson.h>

/* The answers to GET /tunnels and GET /closed, as tables. What is missing stays empty. */
void tunnel_table_print_live(const json_t *answer, FILE *to);
void tunnel_table_print_closed(const json_t *answer, FILE *to);

/* Append `?a=b&c=d` to a path, from words such as "a=b", percent-encoded. NULL when one of them has
 * no
 * '='; else free() it. */
char *tunnel_table_path(const char *path, const char *const *words, int count);

#endif
