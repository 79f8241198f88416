/* tunnel_record.c -- see tunnel_record.h. */
#include "alb/tunnel_record.h"

#include <unistd.h>

#include "base/mem.h"
#include "base/record.h"
#include "net/loop.h"

#include "alb/access_log.h"
#include "alb/access_record.h"
#include "alb/balancer.h"
#include "alb/closer.h"
#include "alb/config.h"
#include "alb/doctor_watch.h"
#include "alb/exchange.h"
#include "alb/leavers.h"
#include "alb/target.h"
#include "alb/tunnel_private.h"
#include "alb/tunnel_walk.h"
#include "alb/worker.h"

/* A number here is never used for anything else again. */
enum {
    TUNNEL_GROUP = 1,
    TUNNEL_TARGET = 2,
    TUNNEL_ADDRESS = 3,
    TUNNEL_CLIENT = 4, /* a leg */
    TUNNEL_TARGET_LEG = 5,
    TUNNEL_ENTRY = 6,
    TUNNEL_STARTED_MS = 8,
    TUNNEL_ID = 9,
    TUNNEL_FROM_MS = 10,
    TUNNEL_LISTENER = 11, /* its name */
    TUNNEL_BIND = 12,
    TUNNEL_BOUND = 13, /* struct addr */
    TUNNEL_CLIENT_IP = 14,
    TUNNEL_CLIENT_PORT = 15,
    TUNNEL_RULE = 16,
};

enum {
    LEG_TRACKER = 1,
    LEG_FRAMES = 2,
    LEG_BYTES = 3,
    LEG_LAST_MS = 4, /* of the machine's monotonic clock: it is the same for all processes */
    LEG_PENDING = 5,
    LEG_RTT_MS = 6, /* the last, and the longest */
    LEG_RTT_MOST_MS = 7,
    LEG_PINGED_MS = 8, /* likewise */
    LEG_PING = 9,
};

enum { ENTRY_BYTES = 64 * 1024 };

static void give_back(struct tunnel *t);

/* --- out of a loop, and back ------------------------------------------------------------ */

/* The first bytes of a pong are nowhere but in the tracker: a moment later they are whole. */
static bool leg_can_go(const struct leg *leg)
{
    return leg->stream.tls == NULL && !leg->eof && !leg->finished && !(leg->ping & PING_HOLDING);
}

static bool can_go(const struct tunnel *t)
{
    return t->close == CLOSE_NONE && !t->is_told && t->end == TUNNEL_ALIVE && !t->is_over &&
           leg_can_go(&t->client) && leg_can_go(&t->target_leg);
}

struct tunnel *tunnel_take_out(struct worker *w, uint32_t *at)
{
    while (*at < w->tunnel_count && !can_go(w->tunnels[*at]))
        ++*at;
    if (*at >= w->tunnel_count)
        return NULL;
    struct tunnel *t = w->tunnels[*at];
    tunnel_walk_forget(w, t); /* another one takes its place */
    closer_forget(w, t);
    doctor_watch_end(w, &t->target_leg.io.data, TUNNEL_ALIVE);
    ev_io_stop(w->loop.ev, &t->client.io);
    ev_io_stop(w->loop.ev, &t->target_leg.io);
    wheel_stop(&w->loop.wheel, &t->timer);
    return t;
}

void tunnel_put_back(struct tunnel *t)
{
    struct worker *w = worker_here;

    tunnel_enlist(w, t);
    wheel_set(&w->loop.wheel, &t->timer, 0);
    tunnel_settle(t);
}

void tunnel_let_go(struct tunnel *t)
{
    struct worker *w = worker_here;

    metric_sub(&w->counters.tunnels_open, 1);
    atomic_fetch_sub_explicit(&t->target->tunnels, 1, memory_order_relaxed);
    atomic_fetch_sub_explicit(&t->target->untold, 1, memory_order_relaxed);
    give_back(t);
    tunnel_give(w, t);
    balancer_connection_closed(w->balancer, w);
}

/* --- packing ------------------------------------------------------------------------------ */

static struct span pending_of(const struct leg *leg)
{
    return leg->pending == NULL ? SPAN("") : buf_data(leg->pending);
}

static bool pack_leg(struct buf *to, uint16_t type, const struct leg *leg)
{
    uint8_t tracker[WS_TRACKER_SAVED];
    struct buf bytes;

    ws_tracker_save(&leg->tracker, tracker);
    buf_init(&bytes, TUNNEL_PENDING_MAX + CLIENT_OUT_MAX + 4096);
    bool ok = record_put(&bytes, LEG_TRACKER, span_of(tracker, sizeof(tracker)));
    ok &= record_put(&bytes, LEG_FRAMES, span_of(&leg->counts, sizeof(leg->counts)));
    ok &= record_put_number(&bytes, LEG_BYTES, leg->bytes);
    ok &= record_put_number(&bytes, LEG_LAST_MS, leg->last_ms);
    ok &= record_put_number(&bytes, LEG_RTT_MS, leg->rtt_ms);
    ok &= record_put_number(&bytes, LEG_RTT_MOST_MS, leg->rtt_most_ms);
    ok &= record_put_number(&bytes, LEG_PINGED_MS, leg->pinged_ms);
    ok &= record_put_number(&bytes, LEG_PING, leg->ping);
    ok &= record_put(&bytes, LEG_PENDING, pending_of(leg));
    ok &= record_put(to, type, buf_data(&bytes));
    buf_done(&bytes);
    return ok;
}

static bool pack_entry(struct buf *to, const struct access_entry *entry)
{
    struct buf bytes;
    bool ok = true;

    if (entry == NULL)
        return true;
    buf_init(&bytes, ENTRY_BYTES);
    ok &= access_entry_pack(entry, &bytes);
    ok &= record_put(to, TUNNEL_ENTRY, buf_data(&bytes));
    buf_done(&bytes);
    return ok;
}

static bool pack_facts(struct buf *to, const struct tunnel_facts *f)
{
    const struct listener *l = f->listener;

    return record_put(to, TUNNEL_ID, span_of(f->id, sizeof(f->id))) &&
           record_put_number(to, TUNNEL_FROM_MS, f->from_ms) &&
           record_put(to, TUNNEL_LISTENER, span_text(l->name)) &&
           record_put(to, TUNNEL_BIND, span_text(l->bind)) &&
           record_put(to, TUNNEL_BOUND, span_of(&l->bound, sizeof(l->bound))) &&
           record_put(to, TUNNEL_CLIENT_IP, span_of(&f->client, sizeof(f->client))) &&
           record_put_number(to, TUNNEL_CLIENT_PORT, f->port) &&
           record_put_number(to, TUNNEL_RULE, f->rule);
}

bool tunnel_pack(const struct tunnel *t, struct buf *to, int fds[2])
{
    const struct target *target = t->target;
    const struct tunnel_facts facts = tunnel_facts(t);

    fds[0] = t->client.stream.fd;
    fds[1] = t->target_leg.stream.fd;
    return record_put(to, TUNNEL_GROUP, span_text(target->group)) &&
           record_put(to, TUNNEL_TARGET, span_text(target->text)) &&
           record_put(to, TUNNEL_ADDRESS, span_of(&target->addr, sizeof(target->addr))) &&
           record_put_number(to, TUNNEL_STARTED_MS, t->started_ms) && pack_facts(to, &facts) &&
           pack_leg(to, TUNNEL_CLIENT, &t->client) &&
           pack_leg(to, TUNNEL_TARGET_LEG, &t->target_leg) && pack_entry(to, t->entry);
}

/* --- unpacking ---------------------------------------------------------------------------- */

static void read_pending(struct leg *leg, struct span bytes)
{
    if (bytes.len == 0 || bytes.len > TUNNEL_PENDING_MAX + CLIENT_OUT_MAX)
        return;
    leg->pending = mem_new(struct buf);
    buf_init(leg->pending, TUNNEL_PENDING_MAX + CLIENT_OUT_MAX);
    buf_put(leg->pending, bytes);
}

static bool read_leg(struct leg *leg, struct span bytes)
{
    struct span value;
    uint16_t type;
    bool ok = false;

    while (record_next(&bytes, &type, &value)) {
        if (type == LEG_TRACKER)
            ok = ws_tracker_load(&leg->tracker, value);
        else if (type == LEG_FRAMES && value.len == sizeof(leg->counts))
            memcpy(&leg->counts, value.ptr, value.len);
        else if (type == LEG_BYTES)
            leg->bytes = record_number(value);
        else if (type == LEG_LAST_MS)
            leg->last_ms = (uint32_t)record_number(value);
        else if (type == LEG_RTT_MS)
            leg->rtt_ms = (uint16_t)record_number(value);
        else if (type == LEG_RTT_MOST_MS)
            leg->rtt_most_ms = (uint16_t)record_number(value);
        else if (type == LEG_PINGED_MS)
            leg->pinged_ms = (uint32_t)record_number(value);
        else if (type == LEG_PING)
            leg->ping = record_number(value) &
                        (PING_OUT | PING_WANTED | PING_FOREIGN | PING_HEARD | PING_LATE);
        else if (type == LEG_PENDING && leg->pending == NULL)
            read_pending(leg, value);
    }
    return ok && bytes.len == 0;
}

struct parts {
    struct span group, target, address, client, target_leg, entry, listener, bind, bound;
    struct tunnel_facts facts;
    uint32_t started_ms;
};

static void read_bytes(struct span value, void *into, size_t size)
{
    if (value.len == size)
        memcpy(into, value.ptr, size);
}

static void read_fact(struct tunnel_facts *f, uint16_t type, struct span value)
{
    switch (type) {
    case TUNNEL_ID:
        read_bytes(value, f->id, sizeof(f->id));
        break;
    case TUNNEL_FROM_MS:
        f->from_ms = record_number(value);
        break;
    case TUNNEL_CLIENT_IP:
        read_bytes(value, &f->client, sizeof(f->client));
        break;
    case TUNNEL_CLIENT_PORT:
        f->port = (uint16_t)record_number(value);
        break;
    case TUNNEL_RULE:
        f->rule = (uint16_t)record_number(value);
        break;
    }
}

/* False when what is left is no record. */
static bool read_parts(struct parts *p, struct span bytes)
{
    const struct {
        uint16_t type;
        struct span *into;
    } spans[] = {
        { TUNNEL_GROUP, &p->group },     { TUNNEL_TARGET, &p->target },
        { TUNNEL_ADDRESS, &p->address }, { TUNNEL_CLIENT, &p->client },
        { TUNNEL_ENTRY, &p->entry },     { TUNNEL_TARGET_LEG, &p->target_leg },
        { TUNNEL_BIND, &p->bind },       { TUNNEL_LISTENER, &p->listener },
        { TUNNEL_BOUND, &p->bound },
    };
    struct span value;
    uint16_t type;

    while (record_next(&bytes, &type, &value)) {
        for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++) {
            if (spans[i].type == type)
                *spans[i].into = value;
        }
        if (type == TUNNEL_STARTED_MS)
            p->started_ms = (uint32_t)record_number(value);
        read_fact(&p->facts, type, value);
    }
    return bytes.len == 0;
}

static bool read_addr(struct span value, struct addr *into)
{
    read_bytes(value, into, sizeof(*into));
    return value.len == sizeof(*into) && into->len <= sizeof(into->un);
}

bool tunnel_read_origin(struct span bytes, struct tunnel_origin *origin)
{
    struct parts p = { .group = SPAN("") };

    *origin = (struct tunnel_origin){ NULL };
    if (!read_parts(&p, bytes) || p.group.len == 0 || p.target.len == 0 ||
        p.target.len > TARGET_NAME_MAX || p.listener.len == 0 || p.bind.len == 0 ||
        !read_addr(p.address, &origin->addr) || !read_addr(p.bound, &origin->bound))
        return false;
    origin->group = record_text(p.group);
    origin->target = record_text(p.target);
    origin->listener = record_text(p.listener);
    origin->bind = record_text(p.bind);
    return true;
}

void tunnel_origin_done(struct tunnel_origin *origin)
{
    free(origin->group);
    free(origin->target);
    free(origin->listener);
    free(origin->bind);
    *origin = (struct tunnel_origin){ NULL };
}

static void free_pending(struct leg *leg)
{
    if (leg->pending != NULL)
        buf_done(leg->pending);
    free(leg->pending);
}

static void init_stream(struct leg *leg, int fd)
{
    stream_init(&leg->stream, fd, NULL);
    ev_io_init(&leg->io, NULL, fd, EV_READ);
}

struct tunnel *tunnel_unpack(struct span bytes, int client_fd, int target_fd, struct target *target,
                             const struct listener *listener)
{
    struct parts p = { .group = SPAN("") };

    if (!read_parts(&p, bytes))
        return NULL;
    p.facts.listener = listener;
    struct tunnel *t = tunnel_new(NULL, &p.facts);
    if (!read_leg(&t->client, p.client) || !read_leg(&t->target_leg, p.target_leg)) {
        free_pending(&t->client);
        free_pending(&t->target_leg);
        free(t);
        return NULL;
    }
    init_stream(&t->client, client_fd);
    init_stream(&t->target_leg, target_fd);
    t->started_ms = p.started_ms;
    t->target = target;
    t->entry = p.entry.len == 0 ? NULL : access_entry_unpack(p.entry, target);
    return t;
}

static void give_back(struct tunnel *t)
{
    struct tunnel_policy *policy = t->client.io.data;

    tunnel_policy_unref(&policy);
    stream_close(&t->client.stream);
    stream_close(&t->target_leg.stream);
    free_pending(&t->client);
    free_pending(&t->target_leg);
    access_entry_free(NULL, &t->entry); /* none of a tunnel is a loop's spare */
    metric_sub(&t->target->counters.connections_open, 1);
    target_release(t->target);
    target_unref(&t->target);
}

void tunnel_discard(struct tunnel *t)
{
    give_back(t);
    free(t);
}

void tunnel_arrive(struct worker *w, struct tunnel *from)
{
    struct tunnel *t = tunnel_move_in(w, from);

    tunnel_take_events(t);
    tunnel_take_policy(w, t);
    tunnel_enlist(w, t);
    tunnel_count_in(t);
    wheel_set(&w->loop.wheel, &t->timer, 0); /* what its time has left is worked out there */
    metric_add(&w->counters.tunnels_open, 1);
    leavers_check(w, t);
    tunnel_settle(t);
}
