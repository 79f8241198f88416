/*
 * reload_plan.h -- what a reload would change, and which live tunnels it would touch and why:
 * for `alb reload --dry-run`.
 *
 * It compares two configurations, and says what becomes of one tunnel after another. Nothing
 * here changes anything. The control thread's.
 */
#ifndef ALB_RELOAD_PLAN_H
#define ALB_RELOAD_PLAN_H

#include <jansson.h>

#include "alb/config.h"
#include "alb/members.h"
#include "alb/registrations.h"
#include "alb/tunnel_view.h"

/* What a reload has to do with a tunnel; the worst first. */
enum plan_reason {
    PLAN_GROUP_GONE,       /* as PLAN_TARGET_REMOVED */
    PLAN_TARGET_REMOVED,   /* drained over the group's deregistration delay */
    PLAN_SHORTER_IDLE,     /* it stays, but may be silent for less long */
    PLAN_OTHER_SETTINGS,   /* it stays: pings, closing or a longer idle time-out */
    PLAN_LISTENER_REMOVED, /* it stays */
    PLAN_PEER_CLOSED,      /* the edge set will not have its peer: on_leave = close */
    PLAN_PEER_KEPT,        /* the same, but it stays */
    PLAN_REASONS,
};

struct plan {
    const struct config *now, *next;
    const struct members *members; /* of `now` */
    const struct registrations *said;
    uint32_t pid; /* ours: a tunnel of another process keeps the settings and the set that it has */
};

/* Changes as a JSON array of {"what": "listener", "name": "two", "change": "closes",
 * "detail": "127.0.0.1:80 HTTP"}; empty when both say the same. Reference to the caller. */
json_t *plan_changes(const struct plan *p);

/* A bit for each enum plan_reason; 0: it is not touched. */
unsigned plan_reasons(const struct plan *p, const struct tunnel_view *tunnel);

/* Is it silent for longer than the new file allows, or goes its target without any delay? */
bool plan_ends_at_once(const struct plan *p, const struct tunnel_view *tunnel);

const char *plan_reason_name(enum plan_reason reason);

/* What becomes of such a tunnel: a literal. */
const char *plan_effect(enum plan_reason reason);

#endif
