/*
 * health.h -- active health checks, on the control thread.
 *
 * One probe per registered target of a group that is checked: a GET over a
 * fresh connection at every interval, the first one spread by jitter. The first
 * pass makes a new target healthy; from then on the thresholds count. Each
 * change of state is one log line that says what was seen.
 */
#ifndef ALB_HEALTH_H
#define ALB_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

struct addr;
struct ev_loop;
struct group;
struct health;
struct health_result;
struct members;
struct probe;
struct target;

struct health *health_new(struct ev_loop *loop);
void health_free(struct health **health);

/* A check that has ended, whatever it means for the target. For the length of the call. */
struct health_record {
    const struct target *target;
    const struct addr *probed; /* its address, with health_check.port */
    bool is_https;
    bool passed;
    const struct health_result *result; /* health_check.h */
};

/* Tell each from now on; NULL: nobody. */
typedef void health_told_fn(void *user, const struct health_record *record);
void health_tell(struct health *health, health_told_fn *told, void *user);

/* Call this whenever the health of one of a group's targets has changed. */
typedef void health_watch_fn(void *user, const struct group *group);
void health_watch(struct health *health, health_watch_fn *changed, void *user);

/* After new members were published: start, change and stop probes so that
 * they fit it. Probes that go on keep their counts and their rhythm. Targets of
 * a group with health_check.enabled = no become TARGET_UNAVAILABLE (usable), those of one that
 * no action forwards to TARGET_UNUSED. */
void health_follow(struct health *health, const struct members *members);

/* The target is about to be forgotten: stop its probe, if any. */
void health_forget(struct health *health, struct target *target);

/* The managed balancer's words for why a target is not healthy, for `status`:
 * "Target.ResponseCodeMismatch", "Target.Timeout", "Target.FailedHealthChecks",
 * "Elb.InitialHealthChecking"...; "" when healthy. And a sentence:
 * "Health checks failed with these codes: [503]", "Request timed out". */
const char *health_reason(const struct target *target);
const char *health_description(const struct target *target);

#endif
