/*
 * sticky.h -- what one exchange has to do with sticky cookies: the group and the target that its
 * request asks for, and the cookies that its response gets.
 *
 * What is in a cookie is the library's (stickiness/stickiness.h); whether a target may be used,
 * that of balance.h. Only responses of targets get cookies; what the balancer answers itself
 * gets none.
 */
#ifndef ALB_STICKY_H
#define ALB_STICKY_H

#include <stdbool.h>
#include <stdint.h>

#include "stickiness/stickiness.h"

struct action;
struct group;
struct http_message;
struct route;
struct target;
struct worker;

/* error_reason in the access log, as the managed balancer has it. */
#define STICKY_GROUP_COOKIE_INVALID "AWSALBTGCookieInvalid"

/* Kept from the request to the response. */
struct sticky {
    uint32_t group_cookie_s; /* the action's stickiness=; 0: its response gets no group's cookie */
    uint8_t lookup;          /* enum stickiness_lookup: the target's cookie; without stickiness of
                              * the group's targets, the group's */
    bool behind_edge, brings_cookies;
    bool cross_site;                   /* its client is a Chromium of 80 or later */
    bool has_moved;                    /* its cookie was good, but not for the target that it has */
    struct stickiness_session session; /* when the lookup of an app_cookie has found it */
};

/* What `route` needs of the action's groups: the cookie's, or one by weight. `random` is any
 * number. The group is NULL when none has a weight. A cookie for a group whose weight is 0 holds
 * until it expires, and is not issued again. */
void sticky_choose_group(const struct worker *w, const struct http_message *request,
                         uint64_t random, struct route *route);

/* Read the cookies for the target, when the route is known. True: they ask for that id. */
bool sticky_read(struct sticky *s, struct worker *w, const struct http_message *request,
                 const struct route *route, uint64_t *target_id);

/* Another target than the cookie's has it. */
void sticky_move(struct sticky *s);

/* The values of Set-Cookie fields, the group's first. */
struct sticky_cookies {
    char group[2][STICKINESS_SET_COOKIE_MAX], target[STICKINESS_SHARDS][STICKINESS_SET_COOKIE_MAX];
    const char *values[2 + STICKINESS_SHARDS + 1]; /* pointers to these; ends with NULL */
    size_t count;
};

/* Those that this response of this target gets, if the configuration of now still wants them. */
void sticky_issue(const struct sticky *s, struct worker *w, const struct target *target,
                  const struct http_message *response, struct sticky_cookies *out);

#endif
