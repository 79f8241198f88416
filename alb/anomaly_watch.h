/*
 * anomaly_watch.h -- a look at every group's targets, once a second: who fails more than its
 * peers (anomaly.h), and what that makes of its share. Control thread.
 */
#ifndef ALB_ANOMALY_WATCH_H
#define ALB_ANOMALY_WATCH_H

struct members;

enum { ANOMALY_LOOK_MS = 1000 };

/* Sets is_anomalous and share of each target. Shares go down only in groups that have
 * load_balancing.algorithm.anomaly_mitigation on; each change of a verdict is a log line. */
void anomaly_watch_look(const struct members *members);

#endif
