/*
 * Any query of GET /tunnels or GET /closed: it is read, or refused with a sentence of its own
 * room; what is read has values that the table knows, and means the same when it is written
 * again from what was read; and the order that it asks for is one.
 *
 * Input: a byte for which of the two, then the query.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"

#include "alb/balancer.h"
#include "alb/target.h"
#include "alb/tunnel_query.h"
#include "alb/tunnel_view.h"

#define NOW 1709251200000000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put_escaped(struct buf *to, const char *name, const char *text)
{
    if (text[0] == '\0')
        return;
    buf_print(to, "&%s=", name);
    for (; *text != '\0'; text++)
        buf_print(to, "%%%02x", (unsigned char)*text);
}

static void put_closed(struct buf *to, const struct tunnel_query *q)
{
    char time[CLOCK_TEXT_MAX];

    if (q->end != -1)
        put_escaped(to, "end", tunnel_end_name((enum tunnel_end)q->end));
    if (q->by != -1)
        put_escaped(to, "by", tunnel_party_name((enum tunnel_party)q->by));
    if (q->since_us != 0)
        buf_print(to, "&since=%s", clock_iso_us(q->since_us, time));
}

static void write_query(struct buf *to, const struct tunnel_query *q)
{
    static const char *const sorts[TUNNEL_SORTS] = { "age", "idle", "bytes", "frames", "ended" };
    char client[CIDR_TEXT_MAX];

    put_escaped(to, "group", q->group);
    put_escaped(to, "target", q->target);
    put_escaped(to, "listener", q->listener);
    if (q->has_client)
        put_escaped(to, "client", cidr_format(&q->client, client));
    if (q->state != -1)
        put_escaped(to, "state", tunnel_state_name((enum tunnel_state)q->state));
    buf_print(to, "&min_age=%" PRIu32 "ms&sort=%s&order=%s&limit=%" PRIu32, q->min_age_ms,
              sorts[q->sort], q->is_ascending ? "asc" : "desc", q->limit);
    if (q->pid != 0)
        buf_print(to, "&pid=%" PRIu32, q->pid);
    if (q->is_closed)
        put_closed(to, q);
}

static bool is_same(const struct tunnel_query *a, const struct tunnel_query *b)
{
    return a->is_closed == b->is_closed && strcmp(a->group, b->group) == 0 &&
           strcmp(a->target, b->target) == 0 && strcmp(a->listener, b->listener) == 0 &&
           a->has_client == b->has_client && ip_equal(&a->client.ip, &b->client.ip) &&
           a->client.bits == b->client.bits && a->state == b->state && a->end == b->end &&
           a->by == b->by && a->since_us == b->since_us && a->min_age_ms == b->min_age_ms &&
           a->pid == b->pid && a->sort == b->sort && a->is_ascending == b->is_ascending &&
           a->limit == b->limit;
}

static void check_written_again(const struct tunnel_query *q)
{
    struct tunnel_query again;
    struct buf text;
    char why[1024];

    buf_init(&text, 8192);
    write_query(&text, q);
    const bool ok = tunnel_query_read(&again, buf_data(&text), q->is_closed, NOW, why, sizeof(why));
    assert(ok && is_same(q, &again));
    buf_done(&text);
}

static void check_order(const struct tunnel_query *q, const uint8_t *data, size_t size)
{
    static const struct listener listener = { .name = (char *)(uintptr_t) "web" };
    static const union { /* a struct with a flexible member cannot be made of nothing */
        struct target_key key;
        char bytes[sizeof(struct target_key) + 8];
    } name = { .key = { .group = "app", .text = "t" } };
    struct tunnel_view views[2];

    for (size_t i = 0; i < 2; i++) {
        memset(&views[i], 0, sizeof(views[i]));
        for (size_t at = i; at < size; at += 2)
            views[i].facts.id[1] = views[i].facts.id[1] * 31 + data[at];
        views[i].age_ms = views[i].facts.id[1] % 5;
        views[i].facts.listener = &listener;
        views[i].target = (struct target_key *)(uintptr_t)&name.key;
        views[i].end = TUNNEL_CLIENT_FIN;
        tunnel_query_fits(q, &views[i]);
    }
    const bool forth = tunnel_query_before(q, &views[0], &views[1]);
    const bool back = tunnel_query_before(q, &views[1], &views[0]);
    assert(!(forth && back));
    assert(forth || back || views[0].facts.id[1] == views[1].facts.id[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tunnel_query q;
    char why[1024] = "";

    if (size == 0)
        return 0;
    const size_t room = 1 + data[0] % 2 * (sizeof(why) - 1);
    if (!tunnel_query_read(&q, span_of(data + 1, size - 1), data[0] & 2, NOW, why, room)) {
        assert(strlen(why) < room && (room == 1 || strchr(why, ':') != NULL));
        return 0;
    }
    assert(q.limit <= QUERY_LIMIT_MAX && q.sort < TUNNEL_SORTS && q.end != TUNNEL_ALIVE);
    check_written_again(&q);
    check_order(&q, data, size);
    return 0;
}
