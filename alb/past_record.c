/* past_record.c -- see past_record.h. */
#include "alb/past_record.h"

#include <stddef.h>
#include <string.h>

#include "base/record.h"

#include "alb/balancer.h"
#include "alb/options.h"
#include "alb/target.h"
#include "alb/target_name.h"
#include "alb/tunnel_view.h"
#include "alb/upgrade_case.h"

enum { ONE_MAX = 16 * 1024 };

/* A number here is never used for anything else again. Those of plain members are in the tables. */
enum {
    PAST_LISTENER = 1,
    PAST_BIND = 2,
    PAST_BOUND = 3, /* struct addr */
    PAST_PROTOCOL = 4,
    PAST_GROUP = 5,
    PAST_TARGET = 6,
    PAST_STATE = 7, /* these by name */
    PAST_END = 8,
    PAST_FAILURE = 9,
    PAST_FLAGS = 10,
    PAST_HOST = 11,
    PAST_PATH = 12,
    PAST_DETAIL = 13,
};

enum {
    IS_OVER = 1,
    CLIENT_IS_OPAQUE = 2,
    TARGET_IS_OPAQUE = 4,
    BEHIND_EDGE = 8,
    HAS_PROTOCOL = 16,
    MISSES_HOST = 32,
    MISSES_HEADER = 64,
};

#define VIEW(type, member) RECORD_PLACE(type, RECORD_BYTES, tunnel_view, member)
#define CASE(type, member) RECORD_PLACE(type, RECORD_BYTES, upgrade_case, member)
#define SIDE(type, i)                                                                              \
    VIEW((type), from[i].bytes), VIEW((type) + 1, from[i].frames),                                 \
        VIEW((type) + 2, from[i].idle_ms), VIEW((type) + 3, from[i].rtt_ms),                       \
        VIEW((type) + 4, from[i].rtt_most_ms), VIEW((type) + 5, from[i].close_code)

static const struct record_place view_places[] = {
    VIEW(20, facts.id),    VIEW(21, facts.from_ms), VIEW(22, facts.client), VIEW(23, facts.port),
    VIEW(24, facts.rule),  VIEW(25, seen_us),       VIEW(26, age_ms),       VIEW(27, pid),
    SIDE(30, FROM_CLIENT), SIDE(40, FROM_TARGET),
};

static const struct record_place case_places[] = {
    CASE(50, when_us), CASE(51, id),     CASE(52, rule),          CASE(53, client),
    CASE(54, port),    CASE(55, status), CASE(56, target_status), CASE(57, retry_after_s),
};

enum {
    VIEW_PLACES = sizeof(view_places) / sizeof(view_places[0]),
    CASE_PLACES = sizeof(case_places) / sizeof(case_places[0]),
};

/* --- out ------------------------------------------------------------------------------- */

static bool put_names(struct buf *to, const struct listener *l, const char *group,
                      const char *target)
{
    bool ok = record_put(to, PAST_GROUP, span_text(group));

    ok &= record_put(to, PAST_TARGET, span_text(target));
    if (l->bind == NULL) /* of the one without a number */
        return ok;
    ok &= record_put(to, PAST_LISTENER, span_text(l->name));
    ok &= record_put(to, PAST_BIND, span_text(l->bind));
    ok &= record_put_number(to, PAST_PROTOCOL, (uint64_t)l->protocol);
    return ok && record_put(to, PAST_BOUND, span_of(&l->bound, sizeof(l->bound)));
}

static uint64_t view_flags(const struct tunnel_view *v)
{
    return (v->is_over ? IS_OVER : 0u) | (v->from[FROM_CLIENT].is_opaque ? CLIENT_IS_OPAQUE : 0u) |
           (v->from[FROM_TARGET].is_opaque ? TARGET_IS_OPAQUE : 0u);
}

static bool put_one(struct buf *to, uint16_t type, struct buf *one, bool ok)
{
    ok = ok && record_put(to, type, buf_data(one));
    buf_done(one);
    return ok;
}

bool past_put_view(struct buf *to, uint16_t type, const struct tunnel_view *v)
{
    struct buf one;

    buf_init(&one, ONE_MAX);
    bool ok = record_put_places(&one, view_places, VIEW_PLACES, v);
    ok &= put_names(&one, v->facts.listener, v->target->group, v->target->text);
    ok &= record_put(&one, PAST_STATE, span_text(tunnel_state_name((enum tunnel_state)v->state)));
    ok &= record_put(&one, PAST_END, span_text(tunnel_end_name((enum tunnel_end)v->end)));
    ok &= record_put_number(&one, PAST_FLAGS, view_flags(v));
    return put_one(to, type, &one, ok);
}

bool past_put_case(struct buf *to, uint16_t type, const struct upgrade_case *c)
{
    const uint64_t flags = (c->behind_edge ? BEHIND_EDGE : 0u) |
                           (c->offers_protocol ? HAS_PROTOCOL : 0u) |
                           (c->misses == RULES_MISS_HOST ? MISSES_HOST : 0u) |
                           (c->misses == RULES_MISS_HEADER ? MISSES_HEADER : 0u);
    struct buf one;

    buf_init(&one, ONE_MAX);
    bool ok = record_put_places(&one, case_places, CASE_PLACES, c);
    ok &= put_names(&one, c->listener, c->group, c->target == NULL ? "" : c->target->text);
    ok &= record_put(&one, PAST_FAILURE,
                     span_text(upgrade_failure_name((enum upgrade_failure)c->failure)));
    ok &= record_put_number(&one, PAST_FLAGS, flags);
    ok &= record_put(&one, PAST_HOST, span_text(c->host));
    ok &= record_put(&one, PAST_PATH, span_text(c->path));
    ok &= record_put(&one, PAST_DETAIL, span_text(c->detail == NULL ? "" : c->detail));
    return put_one(to, type, &one, ok);
}

/* --- in -------------------------------------------------------------------------------- */

/* What both have, found by its number. */
struct parts {
    struct past_names names;
    struct span state, end, failure, host, path, detail;
    uint64_t flags;
};

static void read_bound(struct span value, struct addr *into)
{
    if (value.len == sizeof(*into))
        memcpy(into, value.ptr, sizeof(*into));
}

static void read_part(struct parts *p, uint16_t type, struct span value)
{
    const struct {
        uint16_t type;
        struct span *into;
    } spans[] = {
        { PAST_LISTENER, &p->names.listener },
        { PAST_BIND, &p->names.bind },
        { PAST_GROUP, &p->names.group },
        { PAST_TARGET, &p->names.target },
        { PAST_STATE, &p->state },
        { PAST_END, &p->end },
        { PAST_FAILURE, &p->failure },
        { PAST_HOST, &p->host },
        { PAST_PATH, &p->path },
        { PAST_DETAIL, &p->detail },
    };

    for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++) {
        if (spans[i].type == type)
            *spans[i].into = value;
    }
    if (type == PAST_BOUND)
        read_bound(value, &p->names.bound);
    else if (type == PAST_PROTOCOL)
        p->names.protocol = record_number(value) == PROTOCOL_HTTPS ? PROTOCOL_HTTPS : PROTOCOL_HTTP;
    else if (type == PAST_FLAGS)
        p->flags = record_number(value);
}

static bool read_parts(struct parts *p, struct span bytes, const struct record_place *places,
                       size_t count, void *into)
{
    struct span value;
    uint16_t type;

    *p = (struct parts){ .flags = 0 };
    while (record_next(&bytes, &type, &value)) {
        read_part(p, type, value);
        record_take_place(places, count, type, value, into);
    }
    return bytes.len == 0 && p->names.bound.len <= sizeof(p->names.bound.un) &&
           p->names.target.len <= TARGET_NAME_MAX;
}

static const char *state_at(int i)
{
    return tunnel_state_name((enum tunnel_state)i);
}

static const char *end_at(int i)
{
    return tunnel_end_name((enum tunnel_end)i);
}

static const char *failure_at(int i)
{
    return upgrade_failure_name((enum upgrade_failure)i);
}

/* Its number, -1 when this program has none of that name. */
static int find(struct span name, const char *(*name_at)(int i), int first, int end)
{
    for (int i = first; i < end; i++) {
        if (span_equal(name, span_text(name_at(i))))
            return i;
    }
    return -1;
}

bool past_read_view(struct span bytes, struct tunnel_view *v, struct past_names *names)
{
    struct parts p;

    *v = (struct tunnel_view){ .target = NULL };
    if (!read_parts(&p, bytes, view_places, VIEW_PLACES, v) || p.names.group.len == 0 ||
        p.names.target.len == 0)
        return false;
    const int state = find(p.state, state_at, 0, TUNNEL_STATES);
    const int end = find(p.end, end_at, 0, TUNNEL_ENDS);
    v->state = (uint8_t)state;
    v->end = (uint8_t)end;
    v->is_over = (p.flags & IS_OVER) != 0;
    v->from[FROM_CLIENT].is_opaque = (p.flags & CLIENT_IS_OPAQUE) != 0;
    v->from[FROM_TARGET].is_opaque = (p.flags & TARGET_IS_OPAQUE) != 0;
    *names = p.names;
    return state >= 0 && end >= 0;
}

struct upgrade_case *past_read_case(struct span bytes, struct past_names *names)
{
    struct upgrade_case facts = { .target = NULL };
    struct parts p;

    if (!read_parts(&p, bytes, case_places, CASE_PLACES, &facts))
        return NULL;
    const int failure = find(p.failure, failure_at, UPGRADE_FINE + 1, UPGRADE_FAILURES);
    if (failure < 0)
        return NULL;
    facts.failure = (uint8_t)failure;
    facts.behind_edge = (p.flags & BEHIND_EDGE) != 0;
    facts.misses = (p.flags & MISSES_HOST) != 0     ? RULES_MISS_HOST
                   : (p.flags & MISSES_HEADER) != 0 ? RULES_MISS_HEADER
                                                    : RULES_MISS_NOTHING;
    facts.offers_protocol = (p.flags & HAS_PROTOCOL) != 0;
    *names = p.names;
    return upgrade_case_of(
        &facts, &(struct upgrade_case_texts){
                    .host = p.host, .path = p.path, .group = p.names.group, .detail = p.detail });
}
