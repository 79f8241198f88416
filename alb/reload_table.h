/* reload_table.h -- what `alb reload --dry-run` shows, for people. */
#ifndef ALB_RELOAD_TABLE_H
#define ALB_RELOAD_TABLE_H

#include <stdio.h>

#include <jansson.h>

/* The answer to POST /reload?dry_run=1, as tables. What is missing stays empty. */
void reload_table_print(const json_t *answer, FILE *to);

#endif
