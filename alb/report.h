/*
 * report.h -- the metrics reference. What /status and /metrics serve is
 * declared in balancer.h.
 */
#ifndef ALB_REPORT_H
#define ALB_REPORT_H

#include <stdio.h>

/* Every table that /metrics prints, in its order, as Markdown rows. */
void report_describe_metrics(FILE *to);

#endif
