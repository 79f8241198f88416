/* edge_table.h -- what `alb edge show`, `refused` and `check` show, for people. */
#ifndef ALB_EDGE_TABLE_H
#define ALB_EDGE_TABLE_H

#include <stdio.h>

#include <jansson.h>

/* The answers to GET /edge, /edge/refused and /edge/check. What is missing stays empty. */
void edge_table_print(const json_t *answer, FILE *to);
void edge_table_print_refused(const json_t *answer, FILE *to);
void edge_table_print_check(const json_t *answer, FILE *to);

#endif
