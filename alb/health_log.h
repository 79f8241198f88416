/*
 * health_log.h -- one row per health check, when it has ended.
 *
 * Eight fields with the managed balancer's names: type time latency target_addr
 * target_group_id status status_code reason_code.
 */
#ifndef ALB_HEALTH_LOG_H
#define ALB_HEALTH_LOG_H

#include "alb/health.h"

struct alb_options;
struct log_buffer;

/* Nothing when the log is off. */
void health_log_row(struct log_buffer *b, const struct alb_options *o,
                    const struct health_record *r);

/* The last field: why a check failed; NULL when it passed. */
const char *health_log_reason(const struct health_record *r);

#endif
