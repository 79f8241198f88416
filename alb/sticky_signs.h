/*
 * sticky_signs.h -- cookies that fail without a word: what a row of requests to a sticky group
 * says of the way that its cookies take.
 *
 * Behind an edge that forwards no cookies, and under another balancer that sets cookies of the
 * same names, every client looks like a new one. One request says nothing; many in a row, none
 * of which brings a cookie of ours, do.
 */
#ifndef ALB_STICKY_SIGNS_H
#define ALB_STICKY_SIGNS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "stickiness/stickiness.h"

struct group_options;

/* So many in a row, and said at most once in that time. */
enum { STICKY_SIGNS_ROW = 100, STICKY_SIGNS_PAUSE_MS = 3600 * 1000 };

/* Of one group; all zero at first. Any thread: a few that are lost to a race do not matter. */
struct sticky_signs {
    atomic_uint unreturned; /* in a row: behind an edge, and no cookie of our names came */
    atomic_uint others;     /* of these, with other cookies */
    atomic_uint foreign;    /* in a row: of our names, but the managed balancer's kind */
    _Atomic uint64_t said_ms;
};

enum sticky_sign {
    STICKY_FINE,
    STICKY_EDGE_DROPS, /* the edge forwards no cookies */
    STICKY_EDGE_PICKS, /* it forwards some, but not ours */
    STICKY_SAME_NAMES, /* another balancer's cookies take the place of ours */
};

/* A response is about to go. */
struct sticky_seen {
    enum stickiness_lookup lookup; /* what its request brought */
    bool behind_edge;              /* ws_behind_edge() */
    bool brings_cookies;           /* of any name */
    bool sets_cookies;             /* the response does */
};

void sticky_signs_see(struct sticky_signs *signs, const struct sticky_seen *seen);

enum sticky_sign sticky_signs_now(const struct sticky_signs *signs);

/* Is it time to say so (again)? True once in STICKY_SIGNS_PAUSE_MS, to one thread. `now_ms` is a
 * clock that only grows. */
bool sticky_signs_may_say(struct sticky_signs *signs, uint64_t now_ms);

/* Whose way it is: that of the target's cookies, if it has any, else that of the group's. */
enum sticky_kind { STICKY_LB_COOKIE, STICKY_APP_COOKIE, STICKY_GROUP_COOKIE, STICKY_KINDS };

enum sticky_kind sticky_kind_of(const struct group_options *options);

/* Literals: what is wrong, and what to do. NULL for STICKY_FINE. */
const char *sticky_sign_reason(enum sticky_sign sign);
const char *sticky_sign_cure(enum sticky_sign sign, enum sticky_kind kind);

#endif
