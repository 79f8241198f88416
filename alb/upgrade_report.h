/*
 * upgrade_report.h -- what is still here, told to the process that has taken over (REPORT in
 * handing.h): at once, when it has changed, and now and then. On the control thread.
 */
#ifndef ALB_UPGRADE_REPORT_H
#define ALB_UPGRADE_REPORT_H

#include <ev.h>
#include <stdint.h>

#include "base/buf.h"

struct balancer;
struct handover;

struct upgrade_report {
    struct balancer *balancer; /* NULL: it was not started */
    struct handover *link;     /* borrowed */
    ev_timer again;
    uint64_t left_us;
    unsigned looks;
    struct buf last; /* as it was told */
};

void upgrade_report_start(struct upgrade_report *r, struct balancer *b, struct handover *link);

/* The link is gone. */
void upgrade_report_stop(struct upgrade_report *r);

#endif
