/* past.c -- see past.h. */
#include "alb/past.h"

#include "base/buf.h"
#include "net/handover.h"

#include "alb/balancer_private.h"
#include "alb/handing.h"
#include "alb/past_record.h"

enum { AT_ONCE = 64, MESSAGE_MAX = 1024 * 1024 };
static const double BUSY_S = 0.001, IDLE_S = 0.02;

static void put_views(struct buf *to, uint16_t type, struct tunnel_view *views, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        past_put_view(to, type, &views[i]);
        tunnel_view_done(&views[i]);
    }
}

static void put_case(void *user, const struct upgrade_case *c)
{
    past_put_case(user, PAST_FAILED, c);
}

static void put_old_case(void *user, const struct upgrade_case *c)
{
    past_put_case(user, PAST_FAILED_BEFORE, c);
}

/* The next few, new ones first. */
static void fill(struct past *p, struct buf *to)
{
    struct balancer *b = p->balancer;
    struct tunnel_view views[AT_ONCE];

    put_views(to, PAST_CLOSED, views,
              tunnel_ring_since(&b->closed, &p->closed.since, views, AT_ONCE));
    upgrade_ring_since(&b->failed_upgrades, &p->failed.since, put_case, to);
    if (buf_len(to) > 0)
        return;
    put_views(to, PAST_CLOSED_BEFORE, views,
              tunnel_ring_before(&b->closed, &p->closed.before, views, AT_ONCE));
    upgrade_ring_before(&b->failed_upgrades, &p->failed.before, put_old_case, to);
}

static void on_next(struct ev_loop *loop, ev_timer *timer, int revents)
{
    struct past *p = timer->data;
    struct buf bytes;
    (void)revents;

    buf_init(&bytes, MESSAGE_MAX);
    if (handover_is_flushed(p->link))
        fill(p, &bytes);
    const bool is_idle = handover_is_flushed(p->link) && buf_len(&bytes) == 0;
    if (buf_len(&bytes) > 0)
        handover_send(p->link, HANDING_PAST, buf_data(&bytes), NULL, 0);
    buf_done(&bytes);
    ev_timer_set(timer, is_idle ? IDLE_S : BUSY_S, 0);
    ev_timer_start(loop, timer);
}

static struct past_place place(uint64_t next)
{
    return (struct past_place){ .before = next, .since = next };
}

void past_start(struct past *p, struct balancer *b, struct handover *link)
{
    p->balancer = b;
    p->link = link;
    p->closed = place(tunnel_ring_next(&b->closed));
    p->failed = place(upgrade_ring_next(&b->failed_upgrades));
    ev_timer_init(&p->next, on_next, 0, 0);
    p->next.data = p;
    ev_timer_start(b->control.ev, &p->next);
}

void past_stop(struct past *p)
{
    if (p->balancer != NULL)
        ev_timer_stop(p->balancer->control.ev, &p->next);
    p->balancer = NULL;
}

bool past_is_told(struct past *p)
{
    struct balancer *b = p->balancer;

    return b == NULL || (p->closed.since == tunnel_ring_next(&b->closed) &&
                         p->failed.since == upgrade_ring_next(&b->failed_upgrades) &&
                         p->closed.before <= tunnel_ring_first(&b->closed) &&
                         p->failed.before <= upgrade_ring_first(&b->failed_upgrades) &&
                         handover_is_flushed(p->link));
}
