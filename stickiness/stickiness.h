/*
 * stickiness.h -- which target a client's cookie asks for, and the cookie that
 * asks for one.
 *
 * A pure library: strings in, a target's id out. It keeps no table of clients:
 * all that it knows is in the cookie, sealed (base/seal.h), so every balancer
 * with the same key file reads it. It knows no sockets and no balancer: whether
 * the target that was found may still be used is for the caller to say.
 *
 * Times are whole seconds since 1970. README.md has the cookie's format, its
 * lifetime and what it protects against.
 */
#ifndef STICKINESS_STICKINESS_H
#define STICKINESS_STICKINESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/seal.h"
#include "base/span.h"

#define STICKINESS_COOKIE "AWSALB"
#define STICKINESS_CORS_COOKIE "AWSALBCORS"

enum {
    STICKINESS_DURATION_MAX_S = 604800,
    STICKINESS_NAME_MAX = 64,        /* bytes of a cookie name */
    STICKINESS_SET_COOKIE_MAX = 256, /* the value of one Set-Cookie field, with the NUL */
    STICKINESS_TRIES = 8,            /* sealed values opened for one request */
    STICKINESS_SLOTS = 64,
};

struct stickiness_policy {
    const char *cookie_name;      /* stickiness_is_cookie_name() holds */
    const char *cors_cookie_name; /* its twin, for requests from other sites */
    uint32_t duration_s;          /* 1 to STICKINESS_DURATION_MAX_S */
};

/* A token (RFC 6265 4.1.1) of 1 to STICKINESS_NAME_MAX bytes. */
bool stickiness_is_cookie_name(struct span name);

/* The id of a target group or a target by its name ("10.0.1.10:9001"): the same
 * in every process and on every machine. */
uint64_t stickiness_id(struct span name);

enum stickiness_lookup { STICKINESS_NONE, STICKINESS_FOUND };

/* Look for a valid cookie of this policy and group in one Cookie field; call it
 * for each field of the request until one is found. The first that opens, is of
 * this group and has not expired wins. `tries` is STICKINESS_TRIES before the
 * request's first field and counts down: a request full of false cookies costs
 * that many openings and no more. A cookie has expired when either the duration
 * that it was issued with or the policy's present one has passed. */
enum stickiness_lookup stickiness_read(const struct stickiness_policy *policy,
                                       const struct seal_ring *ring, struct span cookie_field,
                                       uint64_t group_id, uint64_t now_s, unsigned *tries,
                                       uint64_t *target_id);

/* The cookie says nothing about the client, so one sealed value serves all
 * responses of a target in a second. One cache a loop; not shared. */
struct stickiness_cache {
    const struct seal_ring *ring; /* borrowed */
    struct stickiness_slot {
        uint64_t group_id, target_id, issued_s;
        uint32_t duration_s;                                         /* 0: an empty slot */
        char value[STICKINESS_SET_COOKIE_MAX - STICKINESS_NAME_MAX]; /* and its Expires, Path */
    } slots[STICKINESS_SLOTS];
};

/* Again when the ring is replaced: forgets everything. */
void stickiness_cache_init(struct stickiness_cache *cache, const struct seal_ring *ring);

/* The values of the two Set-Cookie fields that every response of a sticky group
 * carries, as C strings. */
void stickiness_issue(const struct stickiness_policy *policy, struct stickiness_cache *cache,
                      uint64_t group_id, uint64_t target_id, uint64_t now_s,
                      char cookie[STICKINESS_SET_COOKIE_MAX],
                      char cors_cookie[STICKINESS_SET_COOKIE_MAX]);

#endif
