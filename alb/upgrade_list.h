/*
 * upgrade_list.h -- the tunnels that are still here, for the list of the process that has taken
 * over (ASK and LISTED in handing.h). On the control thread.
 */
#ifndef ALB_UPGRADE_LIST_H
#define ALB_UPGRADE_LIST_H

#include "base/list.h"
#include "base/span.h"

struct balancer;
struct handover;

struct upgrade_lists {
    struct balancer *balancer;
    struct handover *link; /* borrowed */
    struct list asked;     /* that were not answered yet */
};

void upgrade_lists_init(struct upgrade_lists *l, struct balancer *b, struct handover *link);

/* An ASK: it is answered when all loops have looked. */
void upgrade_lists_ask(struct upgrade_lists *l, struct span bytes);

/* The link is gone. */
void upgrade_lists_stop(struct upgrade_lists *l);

#endif
