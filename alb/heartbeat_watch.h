/*
 * heartbeat_watch.h -- a look at how long the WebSockets of every group are quiet
 * (heartbeat.h), once a second: a warning where that comes close to their idle time-out.
 */
#ifndef ALB_HEARTBEAT_WATCH_H
#define ALB_HEARTBEAT_WATCH_H

#include <stdint.h>

struct members;
struct target;
struct worker;

/* Control thread. */
void heartbeat_watch_look(const struct members *members);

/* A tunnel to this target was quiet for `ms`, at least HEARTBEAT_LEAST_MS. That loop's thread. */
void heartbeat_watch_note(const struct worker *w, const struct target *target, uint32_t ms);

#endif
