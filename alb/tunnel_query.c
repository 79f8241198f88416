/* tunnel_query.c -- see tunnel_query.h. */
#include "alb/tunnel_query.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"

#include "alb/balancer.h"
#include "alb/target.h"
#include "alb/tunnel_view.h"

enum { VALUE_MAX = QUERY_NAME_MAX, TAKES_MAX = 640 };

/* --- values from a list ------------------------------------------------------------------ */

static const char *const sort_names[TUNNEL_SORTS] = {
    [SORT_AGE] = "age",       [SORT_IDLE] = "idle",   [SORT_BYTES] = "bytes",
    [SORT_FRAMES] = "frames", [SORT_ENDED] = "ended",
};

static const char *state_at(int i)
{
    return i < TUNNEL_STATES ? tunnel_state_name((enum tunnel_state)i) : NULL;
}

/* Of a live one, without the last. */
static const char *sort_at(int i)
{
    return i < SORT_ENDED ? sort_names[i] : NULL;
}

static const char *closed_sort_at(int i)
{
    return i < TUNNEL_SORTS ? sort_names[i] : NULL;
}

static const char *order_at(int i)
{
    static const char *const orders[] = { "desc", "asc", NULL };
    return orders[i];
}

static const char *end_at(int i) /* none is still alive */
{
    return i + 1 < TUNNEL_ENDS ? tunnel_end_name((enum tunnel_end)(i + 1)) : NULL;
}

static const char *party_at(int i)
{
    return i + 1 < TUNNEL_PARTIES ? tunnel_party_name((enum tunnel_party)(i + 1)) : NULL;
}

typedef const char *list_at(int i);

static bool find(list_at *list, struct span value, int *out)
{
    for (int i = 0; list(i) != NULL; i++) {
        if (span_equal(value, span_text(list(i)))) {
            *out = i;
            return true;
        }
    }
    return false;
}

/* --- what each parameter takes ------------------------------------------------------------- */

/* One value on its way into a query. */
struct reading {
    struct tunnel_query *query;
    struct span value;
    uint64_t now_us;
    list_at *list;
    char hint[128]; /* more about what is wrong; or "" */
};

static bool read_name(struct reading *r, char out[QUERY_NAME_MAX])
{
    if (r->value.len == 0 || r->value.len >= QUERY_NAME_MAX ||
        memchr(r->value.ptr, '\0', r->value.len) != NULL)
        return false;
    memcpy(out, r->value.ptr, r->value.len);
    out[r->value.len] = '\0';
    return true;
}

static bool read_group(struct reading *r)
{
    return read_name(r, r->query->group);
}

static bool read_target(struct reading *r)
{
    return read_name(r, r->query->target);
}

static bool read_listener(struct reading *r)
{
    return read_name(r, r->query->listener);
}

static bool read_client(struct reading *r)
{
    r->query->has_client = true;
    return cidr_parse(r->value, &r->query->client, r->hint, sizeof(r->hint));
}

static bool read_state(struct reading *r)
{
    return find(r->list, r->value, &r->query->state);
}

static bool read_min_age(struct reading *r)
{
    return text_duration(r->value, true, &r->query->min_age_ms);
}

static bool read_pid(struct reading *r)
{
    uint64_t pid;

    if (!text_u64(r->value, &pid) || pid == 0 || pid > INT32_MAX)
        return false;
    r->query->pid = (uint32_t)pid;
    return true;
}

static bool read_sort(struct reading *r)
{
    int sort;

    if (!find(r->list, r->value, &sort))
        return false;
    r->query->sort = (enum tunnel_sort)sort;
    return true;
}

static bool read_order(struct reading *r)
{
    int order;

    if (!find(r->list, r->value, &order))
        return false;
    r->query->is_ascending = order == 1;
    return true;
}

static bool read_limit(struct reading *r)
{
    uint64_t limit;

    if (!text_u64(r->value, &limit) || limit > QUERY_LIMIT_MAX)
        return false;
    r->query->limit = (uint32_t)limit;
    return true;
}

static bool read_end(struct reading *r)
{
    int end;

    if (!find(r->list, r->value, &end))
        return false;
    r->query->end = end + 1;
    return true;
}

static bool read_by(struct reading *r)
{
    int by;

    if (!find(r->list, r->value, &by))
        return false;
    r->query->by = by + 1;
    return true;
}

static bool read_since(struct reading *r)
{
    uint32_t ago_ms;

    if (!text_duration(r->value, true, &ago_ms))
        return clock_read_iso(r->value.ptr, r->value.len, &r->query->since_us);
    const uint64_t ago_us = (uint64_t)ago_ms * 1000;
    r->query->since_us = ago_us >= r->now_us ? 0 : r->now_us - ago_us;
    return true;
}

enum { OF_BOTH, OF_LIVE, OF_CLOSED };

static const struct parameter {
    const char *name;
    int of;
    bool (*read)(struct reading *r);
    list_at *list; /* of the values that it takes; else they are in `takes` */
    const char *takes;
} parameters[] = {
    { "group", OF_BOTH, read_group, NULL, "the name of a target group" },
    { "target", OF_BOTH, read_target, NULL, "the name of a target, such as 10.0.0.1:80" },
    { "listener", OF_BOTH, read_listener, NULL, "the name of a listener" },
    { "client", OF_BOTH, read_client, NULL, "an address, or a block such as 10.0.0.0/8" },
    { "state", OF_BOTH, read_state, state_at, NULL },
    { "min_age", OF_BOTH, read_min_age, NULL, "a duration such as 90s, 5m or 1h" },
    { "pid", OF_LIVE, read_pid, NULL,
      "the number of a process: `alb status` has those that there are" },
    { "end", OF_CLOSED, read_end, end_at, NULL },
    { "by", OF_CLOSED, read_by, party_at, NULL },
    { "since", OF_CLOSED, read_since, NULL,
      "a duration (10m: the last ten minutes) or a time such as 2026-11-22T14:20:00Z" },
    { "sort", OF_LIVE, read_sort, sort_at, NULL },
    { "sort", OF_CLOSED, read_sort, closed_sort_at, NULL },
    { "order", OF_BOTH, read_order, order_at, NULL },
    { "limit", OF_BOTH, read_limit, NULL, "0 to 10000" },
};

enum { PARAMETERS = sizeof(parameters) / sizeof(parameters[0]) };

static bool is_of(const struct parameter *p, bool is_closed)
{
    return p->of == OF_BOTH || (p->of == OF_CLOSED) == is_closed;
}

/* --- sentences ------------------------------------------------------------------------------ */

static void put_takes(const struct parameter *p, char out[TAKES_MAX])
{
    size_t n = 0;

    if (p->list == NULL) {
        snprintf(out, TAKES_MAX, "%s", p->takes);
        return;
    }
    for (int i = 0; p->list(i) != NULL && n < TAKES_MAX; i++)
        n += (size_t)snprintf(out + n, TAKES_MAX - n, "%s%s", i == 0 ? "one of: " : ", ",
                              p->list(i));
}

static void say_wrong(const struct parameter *p, const struct reading *r, char *why, size_t size)
{
    char takes[TAKES_MAX];

    put_takes(p, takes);
    snprintf(why, size, "%s: \"%.*s\" is not understood%s%s: it takes %s", p->name,
             (int)(r->value.len < 80 ? r->value.len : 80), r->value.ptr,
             r->hint[0] == '\0' ? "" : ", ", r->hint, takes);
}

static void say_unknown(struct span name, bool is_closed, char *why, size_t size)
{
    size_t n = (size_t)snprintf(why, size, "%.*s: there is no such parameter: they are",
                                (int)(name.len < 80 ? name.len : 80), name.ptr);
    const char *before = " ";

    for (size_t i = 0; i < PARAMETERS && n < size; i++) {
        if (!is_of(&parameters[i], is_closed))
            continue;
        n += (size_t)snprintf(why + n, size - n, "%s%s", before, parameters[i].name);
        before = ", ";
    }
}

/* --- reading --------------------------------------------------------------------------------- */

static int hex_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* False when it is too long, or an escape is torn. */
static bool decode(struct span from, char out[VALUE_MAX], struct span *decoded)
{
    size_t n = 0;

    for (size_t i = 0; i < from.len; i++) {
        char c = from.ptr[i] == '+' ? ' ' : from.ptr[i];
        if (c == '%') {
            const int high = i + 2 < from.len ? hex_of(from.ptr[i + 1]) : -1;
            const int low = i + 2 < from.len ? hex_of(from.ptr[i + 2]) : -1;
            if (high < 0 || low < 0)
                return false;
            c = (char)(high << 4 | low);
            i += 2;
        }
        if (n == VALUE_MAX)
            return false;
        out[n++] = c;
    }
    *decoded = span_of(out, n);
    return true;
}

static const struct parameter *parameter_of(struct span name, bool is_closed)
{
    for (size_t i = 0; i < PARAMETERS; i++) {
        if (is_of(&parameters[i], is_closed) && span_equal(name, span_text(parameters[i].name)))
            return &parameters[i];
    }
    return NULL;
}

/* "name=value" */
static bool read_one(struct tunnel_query *q, struct span pair, uint64_t now_us, uint32_t *seen,
                     char *why, size_t why_size)
{
    struct reading r = { .query = q, .now_us = now_us };
    char value[VALUE_MAX];
    const char *equals = pair.len == 0 ? NULL : memchr(pair.ptr, '=', pair.len);
    const struct span name =
        span_of(pair.ptr, equals == NULL ? pair.len : (size_t)(equals - pair.ptr));
    const struct parameter *p = parameter_of(name, q->is_closed);

    if (p == NULL) {
        say_unknown(name, q->is_closed, why, why_size);
        return false;
    }
    const uint32_t bit = 1U << (p - parameters);
    if (*seen & bit) {
        snprintf(why, why_size, "%s: it is given twice", p->name);
        return false;
    }
    *seen |= bit;
    r.value = span_after(pair, name.len + 1);
    r.list = p->list;
    if (decode(r.value, value, &r.value) && p->read(&r))
        return true;
    say_wrong(p, &r, why, why_size);
    return false;
}

bool tunnel_query_read(struct tunnel_query *q, struct span text, bool is_closed, uint64_t now_us,
                       char *why, size_t why_size)
{
    uint32_t seen = 0;
    struct span pair;

    *q = (struct tunnel_query){ .is_closed = is_closed,
                                .state = -1,
                                .end = -1,
                                .by = -1,
                                .sort = is_closed ? SORT_ENDED : SORT_AGE,
                                .limit = QUERY_LIMIT };
    while (text.len > 0) {
        const char *amp = memchr(text.ptr, '&', text.len);
        pair = span_of(text.ptr, amp == NULL ? text.len : (size_t)(amp - text.ptr));
        text = span_after(text, pair.len + 1);
        if (pair.len > 0 && !read_one(q, pair, now_us, &seen, why, why_size))
            return false;
    }
    return true;
}

/* --- asking ----------------------------------------------------------------------------------- */

static bool is_named(const char *asked, const char *name)
{
    return asked[0] == '\0' || strcmp(asked, name) == 0;
}

static bool fits_closed(const struct tunnel_query *q, const struct tunnel_view *r)
{
    return (q->end == -1 || r->end == q->end) &&
           (q->by == -1 || (int)tunnel_end_party((enum tunnel_end)r->end) == q->by) &&
           r->seen_us >= q->since_us;
}

bool tunnel_query_fits(const struct tunnel_query *q, const struct tunnel_view *r)
{
    return is_named(q->group, r->target->group) && is_named(q->target, r->target->text) &&
           is_named(q->listener, r->facts.listener->name) &&
           (!q->has_client || cidr_contains(&q->client, &r->facts.client)) &&
           (q->state == -1 || r->state == q->state) && r->age_ms >= q->min_age_ms &&
           (q->pid == 0 || r->pid == q->pid) && (!q->is_closed || fits_closed(q, r));
}

static uint64_t sort_key(const struct tunnel_query *q, const struct tunnel_view *r)
{
    switch (q->sort) {
    case SORT_AGE:
        return r->age_ms;
    case SORT_IDLE:
        return tunnel_view_idle_ms(r);
    case SORT_BYTES:
        return tunnel_view_bytes(r);
    case SORT_FRAMES:
        return tunnel_view_frames(r);
    case SORT_ENDED:
    case TUNNEL_SORTS:
        break;
    }
    return r->seen_us;
}

/* Those with the same key are ordered by their ids, so that the order is always the same. */
bool tunnel_query_before(const struct tunnel_query *q, const struct tunnel_view *a,
                         const struct tunnel_view *b)
{
    const uint64_t of_a = sort_key(q, a), of_b = sort_key(q, b);

    if (of_a != of_b)
        return q->is_ascending ? of_a < of_b : of_a > of_b;
    if (a->facts.id[0] != b->facts.id[0])
        return a->facts.id[0] < b->facts.id[0];
    return a->facts.id[1] < b->facts.id[1];
}
