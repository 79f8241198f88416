/* status.h -- what `alb status` shows of a running daemon, for people. */
#ifndef ALB_STATUS_H
#define ALB_STATUS_H

#include <stdio.h>

#include <jansson.h>

/* The answer to GET /status, as tables: listeners, then each target with its state, the
 * reason for it and what is open on it. What is missing in `status` stays empty. */
void status_print(const json_t *status, FILE *to);

#endif
