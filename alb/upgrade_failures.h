/*
 * upgrade_failures.h -- why an upgrade to WebSocket failed: a closed list, with a name, a
 * cause and a cure for each.
 *
 * What is wrong with the handshake itself is in lib/ws/handshake.h and keeps its number
 * and its texts; the other reasons are a balancer's. `alb upgrades --reasons` prints them
 * all (docs/upgrades.md).
 */
#ifndef ALB_UPGRADE_FAILURES_H
#define ALB_UPGRADE_FAILURES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "ws/handshake.h"

#include "alb/rules_miss.h"

enum upgrade_failure {
    UPGRADE_FINE = WS_OK, /* the others of enum ws_refusal stand here */
    /* it got no further than here */
    UPGRADE_REDIRECTED = WS_REFUSALS,
    UPGRADE_REDIRECT_LOOP,
    UPGRADE_FIXED_RESPONSE,
    UPGRADE_HOST_NOT_MATCHED,
    UPGRADE_HEADER_NOT_MATCHED,
    UPGRADE_SECRET_NOT_MATCHED,
    UPGRADE_REQUEST_REFUSED,
    UPGRADE_RULE_FAILED,
    UPGRADE_NO_TARGET,
    UPGRADE_RATE_LIMITED,
    /* the target */
    UPGRADE_TARGET_UNREACHABLE,
    UPGRADE_TARGET_NO_ANSWER,
    UPGRADE_TARGET_TIMEOUT,
    UPGRADE_TARGET_BAD_ANSWER,
    UPGRADE_TARGET_STATUS,
    /* the rest */
    UPGRADE_INTERRUPTED,
    UPGRADE_CLIENT_GONE,
    UPGRADE_ENDED_AT_ONCE,
    UPGRADE_FAILURES,
};

/* A stable word: "missing_key". */
const char *upgrade_failure_name(enum upgrade_failure failure);

/* What is known of one that failed; zero or NULL for what is not. */
struct upgrade_symptoms {
    enum upgrade_failure failure;
    bool behind_edge;       /* ws_behind_edge() */
    enum rules_miss misses; /* what rules_miss_one() says when the default action forwarded it */
    int target_status;      /* what the target answered */
    const char *detail;     /* some words on what exactly went wrong */
};

enum { UPGRADE_TEXT_MAX = 512 };

/* A sentence each; both return `out`. */
const char *upgrade_cause(const struct upgrade_symptoms *s, char out[UPGRADE_TEXT_MAX]);
const char *upgrade_cure(const struct upgrade_symptoms *s, char out[UPGRADE_TEXT_MAX]);

/* What exactly went wrong, for the log; "" when there is nothing to add. */
const char *upgrade_detail(const struct upgrade_symptoms *s);

/* All of them, as a page of Markdown. */
void upgrade_failures_describe(FILE *to);

#endif
