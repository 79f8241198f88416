/*
 * app_cookie.c -- a session that the application began by a cookie of its own.
 *
 * The managed balancer puts that cookie's value into its own, and so needs up to four of them of
 * 4 KB. Ours are sealed to a digest of the value instead: it is a part of the purpose, so what
 * was made for one session opens beside no other, and is short whatever the application sets.
 */
#include <mbedtls/md.h>
#include <stdio.h>
#include <string.h>

#include "base/bug.h"

#include "cookie.h"
#include "reading.h"
#include "ticket.h"

#define PURPOSE "app_cookie 1"

enum { PURPOSE_BYTES = sizeof(PURPOSE) - 1 + sizeof(struct stickiness_session) };

/* Of one name, where paths differ. */
enum { SESSIONS_TRIED = 4 };

bool stickiness_is_app_name(struct span name)
{
    return stickiness_is_cookie_name(name) && !span_starts_with(name, SPAN(STICKINESS_COOKIE));
}

static void digest_of(struct span value, struct stickiness_session *session)
{
    const mbedtls_md_info_t *sha256 = mbedtls_md_info_from_type(MBEDTLS_MD_SHA256);

    if (mbedtls_md(sha256, (const uint8_t *)value.ptr, value.len, session->digest) != 0)
        bug("SHA-256 failed");
}

static struct span purpose_for(const struct stickiness_session *session, char out[PURPOSE_BYTES])
{
    memcpy(out, PURPOSE, sizeof(PURPOSE) - 1);
    memcpy(out + sizeof(PURPOSE) - 1, session->digest, sizeof(session->digest));
    return span_of(out, PURPOSE_BYTES);
}

/* --- reading -------------------------------------------------------------- */

/* NAME-0: the only one that ever holds something. */
static bool is_ours(const struct stickiness_app_policy *policy, struct span name)
{
    const struct span ours = span_text(policy->cookie_name);

    return name.len == ours.len + 2 && span_starts_with(name, ours) &&
           memcmp(name.ptr + ours.len, "-0", 2) == 0;
}

/* Does one of ours belong to this session? */
static void try_session(struct reading *r, const struct stickiness_app_policy *policy,
                        struct stickiness_fields cookies, const struct stickiness_session *session)
{
    char bytes[PURPOSE_BYTES];
    const struct span purpose = purpose_for(session, bytes);
    struct cookie_walk walk = { .fields = cookies };
    struct cookie cookie;

    while (reading_goes_on(r) && cookie_walk_next(&walk, &cookie)) {
        if (is_ours(policy, cookie.name))
            reading_try(r, purpose, cookie.value);
    }
}

/* Each of the application's cookies costs a digest and a walk, so there is a limit to them, too. */
enum stickiness_lookup stickiness_app_read(const struct stickiness_app_policy *policy,
                                           const struct seal_ring *ring,
                                           struct stickiness_fields cookies, uint64_t scope,
                                           uint64_t now_s, uint64_t *id,
                                           struct stickiness_session *session)
{
    struct reading r = { ring, scope, now_s, policy->duration_s, .tries = STICKINESS_TRIES };
    struct cookie_walk walk = { .fields = cookies };
    unsigned sessions = SESSIONS_TRIED;
    struct cookie cookie;

    while (reading_goes_on(&r) && sessions > 0 && cookie_walk_next(&walk, &cookie)) {
        if (!span_equal(cookie.name, span_text(policy->app_name)) || cookie.value.len == 0)
            continue;
        sessions--;
        digest_of(cookie.value, session);
        try_session(&r, policy, cookies, session);
    }
    *id = r.id;
    return r.best;
}

/* --- issuing -------------------------------------------------------------- */

bool stickiness_app_is_set(const struct stickiness_app_policy *policy, struct span set_cookie,
                           struct stickiness_session *session)
{
    struct cookie cookie;

    if (!cookie_of_set_cookie(set_cookie, &cookie) || cookie.value.len == 0 ||
        !span_equal(cookie.name, span_text(policy->app_name)))
        return false;
    digest_of(cookie.value, session);
    return true;
}

void stickiness_app_issue(const struct stickiness_app_policy *policy, const struct seal_ring *ring,
                          const struct stickiness_session *session, uint64_t scope, uint64_t id,
                          uint64_t now_s, bool cross_site,
                          char cookies[STICKINESS_SHARDS][STICKINESS_SET_COOKIE_MAX])
{
    const struct ticket t = { scope, id, now_s, now_s + policy->duration_s };
    const char *const attributes = cross_site ? "; SameSite=None; Secure" : "";
    char sealed[TICKET_TEXT_SIZE], date[CLOCK_TEXT_MAX], bytes[PURPOSE_BYTES];

    ticket_seal(ring, purpose_for(session, bytes), &t, sealed);
    ticket_expires_text(&t, date);
    for (int i = 0; i < STICKINESS_SHARDS; i++)
        snprintf(cookies[i], STICKINESS_SET_COOKIE_MAX, "%s-%d=%s; Expires=%s; Path=/%s",
                 policy->cookie_name, i, i == 0 ? sealed : "_remove_", date, attributes);
}

/* --- browsers -------------------------------------------------------------- */

/* The digits behind the product's name, as far as they go. */
static bool is_version_80(struct span text)
{
    uint32_t version = 0;

    for (size_t i = 0; i < text.len && text.ptr[i] >= '0' && text.ptr[i] <= '9' && i < 6; i++)
        version = version * 10 + (uint32_t)(text.ptr[i] - '0');
    return version >= 80;
}

bool stickiness_is_chromium_80(struct span user_agent)
{
    static const struct span products[] = { SPAN_INIT("Chrome/"), SPAN_INIT("Chromium/") };

    for (size_t p = 0; p < 2; p++) {
        const char *at =
            user_agent.len < products[p].len
                ? NULL
                : memmem(user_agent.ptr, user_agent.len, products[p].ptr, products[p].len);
        if (at != NULL &&
            is_version_80(span_after(user_agent, (size_t)(at - user_agent.ptr) + products[p].len)))
            return true;
    }
    return false;
}
