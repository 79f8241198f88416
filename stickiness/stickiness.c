/* stickiness.c -- see stickiness.h: names and ids, the cookies of targets and of groups. */
#include "stickiness.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cookie.h"
#include "reading.h"
#include "ticket.h"

/* The purpose carries the version of the layout. */
static const struct span purposes[] = {
    [STICKINESS_LB] = SPAN_INIT("lb_cookie 1"),
    [STICKINESS_GROUP] = SPAN_INIT("group_cookie 1"),
};

bool stickiness_is_cookie_name(struct span name)
{
    static const char others[] = "!#$%&'*+-.^_`|~";

    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!alnum && (c == '\0' || strchr(others, c) == NULL))
            return false;
    }
    return name.len >= 1 && name.len <= STICKINESS_NAME_MAX;
}

/* FNV-1a. It needs no key: names come from the operator, ids travel only inside
 * a seal, and two names of one length that differ in one byte never collide. */
uint64_t stickiness_id(struct span name)
{
    uint64_t hash = 0xcbf29ce484222325;

    for (size_t i = 0; i < name.len; i++)
        hash = (hash ^ (uint8_t)name.ptr[i]) * 0x100000001b3;
    return hash;
}

/* --- reading -------------------------------------------------------------- */

static bool is_named(const struct stickiness_policy *policy, struct span name)
{
    return span_equal(name, span_text(policy->cookie_name)) ||
           span_equal(name, span_text(policy->cors_cookie_name));
}

enum stickiness_lookup stickiness_read(const struct stickiness_policy *policy,
                                       const struct seal_ring *ring,
                                       struct stickiness_fields cookies, uint64_t scope,
                                       uint64_t now_s, uint64_t *id)
{
    struct reading r = { ring, scope, now_s, policy->duration_s, .tries = STICKINESS_TRIES };
    struct cookie_walk walk = { .fields = cookies };
    struct cookie cookie;

    while (reading_goes_on(&r) && cookie_walk_next(&walk, &cookie)) {
        if (is_named(policy, cookie.name))
            reading_try(&r, purposes[policy->kind], cookie.value);
    }
    *id = r.id;
    return r.best;
}

/* --- issuing -------------------------------------------------------------- */

void stickiness_cache_init(struct stickiness_cache *cache, const struct seal_ring *ring)
{
    *cache = (struct stickiness_cache){ .ring = ring };
}

static bool slot_serves(const struct stickiness_slot *slot, const struct stickiness_policy *policy,
                        const struct ticket *t)
{
    return slot->duration_s == policy->duration_s && slot->kind == policy->kind &&
           slot->issued_s == t->issued_s && slot->scope == t->scope && slot->id == t->choice;
}

static void fill_slot(struct stickiness_slot *slot, const struct seal_ring *ring,
                      const struct stickiness_policy *policy, const struct ticket *t)
{
    char sealed[TICKET_TEXT_SIZE], date[CLOCK_TEXT_MAX];

    ticket_seal(ring, purposes[policy->kind], t, sealed);
    ticket_expires_text(t, date);
    slot->scope = t->scope;
    slot->id = t->choice;
    slot->issued_s = t->issued_s;
    slot->duration_s = policy->duration_s;
    slot->kind = policy->kind;
    snprintf(slot->value, sizeof(slot->value), "%s; Expires=%s; Path=/", sealed, date);
}

void stickiness_issue(const struct stickiness_policy *policy, struct stickiness_cache *cache,
                      uint64_t scope, uint64_t id, uint64_t now_s,
                      char cookie[STICKINESS_SET_COOKIE_MAX],
                      char cors_cookie[STICKINESS_SET_COOKIE_MAX])
{
    struct stickiness_slot *slot = &cache->slots[(scope ^ id ^ policy->kind) % STICKINESS_SLOTS];
    const struct ticket t = { scope, id, now_s, now_s + policy->duration_s };

    if (!slot_serves(slot, policy, &t))
        fill_slot(slot, cache->ring, policy, &t);
    snprintf(cookie, STICKINESS_SET_COOKIE_MAX, "%s=%s", policy->cookie_name, slot->value);
    snprintf(cors_cookie, STICKINESS_SET_COOKIE_MAX, "%s=%s; SameSite=None; Secure",
             policy->cors_cookie_name, slot->value);
}
