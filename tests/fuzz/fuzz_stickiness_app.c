/* Whatever an application sets: when that is a session, then its cookie and ours that goes with
 * it are found together, and ours not beside the cookies of the rest. The input is a Set-Cookie
 * field, a line end, and a Cookie field; any of it is a User-Agent. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "stickiness/cookie.h"
#include "stickiness/stickiness.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct stickiness_app_policy policy = { "A", "S", 60 };
static struct seal_ring *ring;

static void must(bool holds)
{
    if (!holds)
        abort();
}

static bool found(const struct span *fields, size_t count, struct stickiness_session *session)
{
    uint64_t id;
    const bool is = stickiness_app_read(&policy, ring, (struct stickiness_fields){ fields, count },
                                        1, 1001, &id, session) == STICKINESS_FOUND;

    must(!is || id == 2);
    return is;
}

/* The pair as a client returns it, and `rest`. */
static void check_session(struct span set_cookie, const struct stickiness_session *session,
                          struct span rest)
{
    char cookies[STICKINESS_SHARDS][STICKINESS_SET_COOKIE_MAX];
    struct stickiness_session again;
    struct span pair;

    stickiness_app_issue(&policy, ring, session, 1, 2, 1000, true, cookies);
    cookies[0][strcspn(cookies[0], ";")] = '\0';
    must(span_next(&set_cookie, ';', &pair));
    const struct span fields[] = { pair, span_text(cookies[0]), rest };
    must(found(fields, 3, &again) && memcmp(&again, session, sizeof(again)) == 0);
    must(!found(fields, 1, &again));
    must(!found(fields + 2, 1, &again));

    const struct span other[] = { SPAN("A=another session's"), span_text(cookies[0]) };
    must(stickiness_app_is_set(&policy, other[0], &again));
    const bool is_same = memcmp(&again, session, sizeof(again)) == 0;
    must(found(other, 2, &again) == is_same);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span rest = span_of(size == 0 ? (const uint8_t *)"" : data, size), set_cookie;
    struct stickiness_session session;

    if (ring == NULL)
        ring = seal_ring_random();
    stickiness_is_chromium_80(rest);
    must(span_next(&rest, '\n', &set_cookie));
    if (rest.ptr == NULL)
        rest = SPAN("");
    must(!found(&rest, 1, &session));
    if (stickiness_app_is_set(&policy, set_cookie, &session))
        check_session(set_cookie, &session, rest);
    return 0;
}
