/* upgrades.h -- `alb upgrades`: the upgrades that failed last, for people. */
#ifndef ALB_UPGRADES_H
#define ALB_UPGRADES_H

#include <stdio.h>

#include <jansson.h>

/* The answer to GET /upgrades/failed, as a table: the newest first, and below it a cause and a
 * cure for each reason. */
void upgrades_print(const json_t *answer, FILE *to);

#endif
