/*
 * upgrade_obey.h -- orders of the process that has taken over (ORDER in handing.h): what is told to
 * it holds for the connections that are still here, too. On the control thread.
 */
#ifndef ALB_UPGRADE_OBEY_H
#define ALB_UPGRADE_OBEY_H

#include "base/span.h"

struct balancer;

/* `page` is the descriptor that came with it, or -1; it stays the caller's. What is not known is
 * not obeyed. */
void upgrade_obey(struct balancer *b, struct span orders, int page);

#endif
