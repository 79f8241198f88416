/*
 * stickiness.h -- which target, or which target group, a client's cookies ask for, and the
 * cookies that ask for one.
 *
 * A pure library: strings in, an id out. It keeps no table of clients: all that it knows is in
 * the cookie, sealed (base/seal.h), so every balancer with the same key file reads it. It knows
 * no sockets and no balancer: whether the target that was found may still be used is for the
 * caller to say.
 *
 * There are three kinds of cookies:
 *
 *   lb_cookie   AWSALB, AWSALBCORS        the target; with every response
 *   group       AWSALBTG, AWSALBTGCORS    the group, of an action that forwards to several
 *   app_cookie  AWSALBAPP-0 to -3         the target of an application's session: holds only
 *                                         beside the cookie that the application set
 *
 * Times are whole seconds since 1970. README.md has the format, the lifetime and what it
 * protects against.
 */
#ifndef STICKINESS_STICKINESS_H
#define STICKINESS_STICKINESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/seal.h"
#include "base/span.h"

#define STICKINESS_COOKIE "AWSALB"
#define STICKINESS_CORS_COOKIE "AWSALBCORS"
#define STICKINESS_GROUP_COOKIE "AWSALBTG"
#define STICKINESS_GROUP_CORS_COOKIE "AWSALBTGCORS"
#define STICKINESS_APP_COOKIE "AWSALBAPP"

enum {
    STICKINESS_DURATION_MAX_S = 604800,
    STICKINESS_NAME_MAX = 64,        /* bytes of a cookie name */
    STICKINESS_SET_COOKIE_MAX = 256, /* the value of one Set-Cookie field, with the NUL */
    STICKINESS_TRIES = 8,            /* sealed values opened for one request and kind */
    STICKINESS_SLOTS = 64,
    STICKINESS_SHARDS = 4, /* AWSALBAPP-0 to -3 */
};

enum stickiness_kind { STICKINESS_LB, STICKINESS_GROUP };

struct stickiness_policy {
    const char *cookie_name;      /* stickiness_is_cookie_name() holds */
    const char *cors_cookie_name; /* its twin, for requests from other sites */
    uint32_t duration_s;          /* 1 to STICKINESS_DURATION_MAX_S */
    enum stickiness_kind kind;
};

/* A token (RFC 6265 4.1.1) of 1 to STICKINESS_NAME_MAX bytes. */
bool stickiness_is_cookie_name(struct span name);

/* The id of a target group or a target by its name ("10.0.1.10:9001"): the same
 * in every process and on every machine. */
uint64_t stickiness_id(struct span name);

/* --- what a request asks for -------------------------------------------------------------- */

/* All Cookie fields of a request. */
struct stickiness_fields {
    const struct span *fields;
    size_t count;
};

/* The better ones last: of several cookies the best is told. */
enum stickiness_lookup {
    STICKINESS_NONE,    /* there is no cookie of this name */
    STICKINESS_FOREIGN, /* one that was never ours: empty, of another length */
    STICKINESS_MANAGED, /* so, and just as the managed balancer's look */
    STICKINESS_INVALID, /* forged, torn, or of a key that is gone */
    STICKINESS_STALE,   /* ours, but of another group, or expired */
    STICKINESS_FOUND,
};

/* The first cookie that opens, is of this scope and has not expired wins. At most
 * STICKINESS_TRIES are opened: a request full of false cookies costs that much and no more. A
 * cookie has expired when either the duration that it was issued with or the policy's present
 * one has passed. `scope` is the group's id; for STICKINESS_GROUP, whose `*id` is that of a
 * group, 0. */
enum stickiness_lookup stickiness_read(const struct stickiness_policy *policy,
                                       const struct seal_ring *ring,
                                       struct stickiness_fields cookies, uint64_t scope,
                                       uint64_t now_s, uint64_t *id);

/* --- the cookies of a response ---------------------------------------------------------------- */

/* The cookie says nothing about the client, so one sealed value serves all
 * responses of a target in a second. One cache a loop; not shared. */
struct stickiness_cache {
    const struct seal_ring *ring; /* borrowed */
    struct stickiness_slot {
        uint64_t scope, id, issued_s;
        uint32_t duration_s; /* 0: an empty slot */
        enum stickiness_kind kind;
        char value[STICKINESS_SET_COOKIE_MAX - STICKINESS_NAME_MAX]; /* and its Expires, Path */
    } slots[STICKINESS_SLOTS];
};

/* Again when the ring is replaced: forgets everything. */
void stickiness_cache_init(struct stickiness_cache *cache, const struct seal_ring *ring);

/* The values of the two Set-Cookie fields of a response, as C strings. */
void stickiness_issue(const struct stickiness_policy *policy, struct stickiness_cache *cache,
                      uint64_t scope, uint64_t id, uint64_t now_s,
                      char cookie[STICKINESS_SET_COOKIE_MAX],
                      char cors_cookie[STICKINESS_SET_COOKIE_MAX]);

/* --- app_cookie ---------------------------------------------------------------------------------
 */

struct stickiness_app_policy {
    const char *app_name;    /* the application's cookie */
    const char *cookie_name; /* ours, without the "-0" */
    uint32_t duration_s;     /* as above */
};

/* Stands for the value of an application's cookie (its SHA-256): a cookie of ours is sealed to
 * one, and nobody finds the value by it. */
struct stickiness_session {
    uint8_t digest[32];
};

/* May the application's cookie be called so? Not as ours are: AWSALB, AWSALBTG, AWSALBAPP and
 * what begins so. */
bool stickiness_is_app_name(struct span name);

/* As stickiness_read(); both cookies must be there and belong together. `*session` is the one
 * that was found. */
enum stickiness_lookup stickiness_app_read(const struct stickiness_app_policy *policy,
                                           const struct seal_ring *ring,
                                           struct stickiness_fields cookies, uint64_t scope,
                                           uint64_t now_s, uint64_t *id,
                                           struct stickiness_session *session);

/* Does this Set-Cookie field begin, or go on with, a session? False for another cookie, and for
 * one without a value, which ends it. */
bool stickiness_app_is_set(const struct stickiness_app_policy *policy, struct span set_cookie,
                           struct stickiness_session *session);

/* The values of the Set-Cookie fields: the first holds it all, the others take the rest of a
 * managed balancer's away. `cross_site`: the client is one that wants SameSite=None. */
void stickiness_app_issue(const struct stickiness_app_policy *policy, const struct seal_ring *ring,
                          const struct stickiness_session *session, uint64_t scope, uint64_t id,
                          uint64_t now_s, bool cross_site,
                          char cookies[STICKINESS_SHARDS][STICKINESS_SET_COOKIE_MAX]);

/* Chromium of at least version 80, by its User-Agent: from there on it sends no cookie to
 * another site without SameSite=None. Some of the others that are older drop one with it. */
bool stickiness_is_chromium_80(struct span user_agent);

#endif
