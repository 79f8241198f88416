/*
 * stickiness.c -- see stickiness.h.
 *
 * What is sealed: four numbers of 8 bytes, big endian -- group, target, issued,
 * expires. The seal's purpose carries the version of that layout.
 */
#include "stickiness.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cookie.h"

enum { WORDS = 4, PLAIN_BYTES = 8 * WORDS, COOKIE_DAYS_S = 7 * 86400 };

struct ticket {
    uint64_t group_id, target_id, issued_s, expires_s;
};

#define PURPOSE SPAN("lb_cookie 1")

/* Without padding, unlike SEAL_TEXT_SIZE(). */
enum { SEALED_CHARS = ((PLAIN_BYTES + SEAL_OVERHEAD) * 8 + 5) / 6 };

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

/* --- sealed values -------------------------------------------------------- */

static void write_u64(uint8_t *out, uint64_t n)
{
    for (int i = 7; i >= 0; i--, n >>= 8)
        out[i] = (uint8_t)n;
}

static uint64_t read_u64(const uint8_t *in)
{
    uint64_t n = 0;

    for (int i = 0; i < 8; i++)
        n = n << 8 | in[i];
    return n;
}

static void seal_ticket(const struct seal_ring *ring, const struct ticket *t, char *out)
{
    uint8_t plain[PLAIN_BYTES];

    write_u64(plain, t->group_id);
    write_u64(plain + 8, t->target_id);
    write_u64(plain + 16, t->issued_s);
    write_u64(plain + 24, t->expires_s);
    seal(ring, PURPOSE, span_of(plain, sizeof(plain)), out);
}

static bool open_ticket(const struct seal_ring *ring, struct span text, struct ticket *t)
{
    uint8_t plain[SEAL_PLAIN_MAX];
    size_t n;

    if (!seal_open(ring, PURPOSE, text, plain, &n) || n != PLAIN_BYTES)
        return false;
    *t = (struct ticket){ read_u64(plain), read_u64(plain + 8), read_u64(plain + 16),
                          read_u64(plain + 24) };
    return true;
}

/* --- reading -------------------------------------------------------------- */

/* Other things may bear the name (a managed balancer's own cookie, after a
 * move): they are told apart by their length, for nothing. */
static bool is_candidate(const struct stickiness_policy *policy, const struct cookie *cookie)
{
    return cookie->value.len == SEALED_CHARS &&
           (span_equal(cookie->name, span_text(policy->cookie_name)) ||
            span_equal(cookie->name, span_text(policy->cors_cookie_name)));
}

enum stickiness_lookup stickiness_read(const struct stickiness_policy *policy,
                                       const struct seal_ring *ring, struct span cookie_field,
                                       uint64_t group_id, uint64_t now_s, unsigned *tries,
                                       uint64_t *target_id)
{
    struct cookie cookie;
    struct ticket t;

    while (*tries > 0 && cookie_next(&cookie_field, &cookie)) {
        if (!is_candidate(policy, &cookie))
            continue;
        (*tries)--;
        if (open_ticket(ring, cookie.value, &t) && t.group_id == group_id && now_s < t.expires_s &&
            now_s < t.issued_s + policy->duration_s) {
            *target_id = t.target_id;
            return STICKINESS_FOUND;
        }
    }
    return STICKINESS_NONE;
}

/* --- issuing -------------------------------------------------------------- */

void stickiness_cache_init(struct stickiness_cache *cache, const struct seal_ring *ring)
{
    *cache = (struct stickiness_cache){ .ring = ring };
}

static bool slot_serves(const struct stickiness_slot *slot, const struct ticket *t,
                        uint32_t duration_s)
{
    return slot->duration_s == duration_s && slot->issued_s == t->issued_s &&
           slot->group_id == t->group_id && slot->target_id == t->target_id;
}

static void fill_slot(struct stickiness_slot *slot, const struct seal_ring *ring,
                      const struct ticket *t, uint32_t duration_s)
{
    char sealed[SEAL_TEXT_SIZE(PLAIN_BYTES)], date[CLOCK_TEXT_MAX];

    seal_ticket(ring, t, sealed);
    clock_http_date((t->issued_s + COOKIE_DAYS_S) * 1000000, date);
    slot->group_id = t->group_id;
    slot->target_id = t->target_id;
    slot->issued_s = t->issued_s;
    slot->duration_s = duration_s;
    snprintf(slot->value, sizeof(slot->value), "%s; Expires=%s; Path=/", sealed, date);
}

void stickiness_issue(const struct stickiness_policy *policy, struct stickiness_cache *cache,
                      uint64_t group_id, uint64_t target_id, uint64_t now_s,
                      char cookie[STICKINESS_SET_COOKIE_MAX],
                      char cors_cookie[STICKINESS_SET_COOKIE_MAX])
{
    struct stickiness_slot *slot = &cache->slots[(group_id ^ target_id) % STICKINESS_SLOTS];
    const struct ticket t = { group_id, target_id, now_s, now_s + policy->duration_s };

    if (!slot_serves(slot, &t, policy->duration_s))
        fill_slot(slot, cache->ring, &t, policy->duration_s);
    snprintf(cookie, STICKINESS_SET_COOKIE_MAX, "%s=%s", policy->cookie_name, slot->value);
    snprintf(cors_cookie, STICKINESS_SET_COOKIE_MAX, "%s=%s; SameSite=None; Secure",
             policy->cors_cookie_name, slot->value);
}
