/*
 * balancer_strangers.c -- whom the kernel has dropped: nobody here sees that, so it is asked now
 * and then, and whenever somebody wants to know. What is new goes where whoever is refused at
 * accept goes (strangers.h).
 */
#include "base/clock.h"
#include "base/mem.h"

#include "alb/balancer_private.h"
#include "alb/doors.h"
#include "alb/edge.h"

_Static_assert((int)FILTERS == (int)STRANGER_FILTERS, "each filter has its count of a stranger");

static const double LOOK_S = 5;

/* IPv4 and IPv6 have the same ports. */
static bool was_tried(const struct listener *l, const struct edge_refused *r)
{
    struct ip ip;

    return l->is_open && addr_port(&l->bound) == r->port && addr_ip(&l->bound, &ip) &&
           ip.family == r->ip.family;
}

/* The name of the listener that he tried; "" when there is none, or none any more. */
static const char *listener_tried(const struct balancer *b, const struct edge_refused *r)
{
    list_each (at, &b->listeners) {
        const struct listener *l = list_entry(at, struct listener, link);
        if (was_tried(l, r))
            return l->name;
    }
    return "";
}

static void log_line(const struct balancer *b, const struct stranger_drops *drops,
                     const struct stranger_line *line)
{
    if (drops->filter >= FILTER_DOORS)
        doors_log_stranger((enum door_kind)(drops->filter - FILTER_DOORS), &drops->ip, line);
    else
        edge_log_stranger(b->edge, &drops->ip, drops->listener, line);
}

/* Only [edge] observes. */
static void note(struct balancer *b, enum filter_kind kind, const struct edge_refused *r)
{
    const uint64_t past_ms = clock_mono_ms() - r->last_ms;
    const bool is_door = kind >= FILTER_DOORS;
    const struct stranger_drops drops = {
        .ip = r->ip,
        .listener = is_door ? door_labels[kind - FILTER_DOORS] : listener_tried(b, r),
        .filter = kind,
        .total = r->count,
        .is_let_in = !is_door && b->edge->observes,
        .at_us = clock_wall_us() - past_ms * 1000,
    };
    struct stranger_line line;

    if (strangers_note_dropped(&b->strangers, &drops, &line))
        log_line(b, &drops, &line);
}

static int by_time(const void *a, const void *b)
{
    const uint64_t first = ((const struct edge_refused *)a)->last_ms;
    const uint64_t second = ((const struct edge_refused *)b)->last_ms;

    return (first > second) - (first < second);
}

static void look(struct balancer *b, enum filter_kind kind)
{
    const struct edge_filter *f = b->filters[kind];
    struct edge_filter_counts n;

    edge_filter_counts(f, &n);
    const uint64_t seen = n.dropped[0] + n.dropped[1] + n.observed[0] + n.observed[1];
    if (seen == b->strangers_seen[kind])
        return;
    b->strangers_seen[kind] = seen;
    struct edge_refused *rows = mem_array(struct edge_refused, EDGE_STRANGERS_MAX);
    const size_t count = edge_filter_refused(f, rows, EDGE_STRANGERS_MAX);
    qsort(rows, count, sizeof(rows[0]), by_time);
    for (size_t i = 0; i < count; i++)
        note(b, kind, &rows[i]);
    free(rows);
}

void balancer_look_for_strangers(struct balancer *b)
{
    for (int kind = 0; kind < FILTERS; kind++)
        look(b, (enum filter_kind)kind);
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int revents)
{
    struct balancer *b = timer->data;
    (void)loop;
    (void)revents;

    if (balancer_serves(b)) /* else another process asks */
        balancer_look_for_strangers(b);
}

void balancer_watch_strangers(struct balancer *b)
{
    ev_timer_init(&b->strangers_timer, on_timer, LOOK_S, LOOK_S);
    b->strangers_timer.data = b;
    ev_timer_start(b->control.ev, &b->strangers_timer);
}
