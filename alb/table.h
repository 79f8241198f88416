/* table.h -- rows of texts as a table for people. */
#ifndef ALB_TABLE_H
#define ALB_TABLE_H

#include <stdio.h>

#include <jansson.h>

enum { TABLE_COLUMNS_MAX = 12 };

/* The heads end with NULL. A row is an array of strings, as many as there are heads or fewer, which
 * the caller appends. */
json_t *table_new(const char *const *heads);

/* Frees it. One without rows is not shown. What would steer a terminal is shown as '?'. */
void table_print(json_t *table, FILE *to);

/* A text alone, shown in the same way. */
void table_print_text(const char *text, FILE *to);

#endif
