/* upgrade_report.c -- see upgrade_report.h. */
#include "alb/upgrade_report.h"

#include <unistd.h>

#include "base/clock.h"
#include "net/handover.h"

#include "alb/balancer_private.h"
#include "alb/handing.h"
#include "alb/handing_record.h"
#include "alb/inherit.h"
#include "alb/worker.h"

enum { ALL_MAX = 16 * 1024 * 1024 };
static const double AGAIN_S = 0.1;
enum { ANYHOW = 10 }; /* looks: the other one may have a target that it did not have before */

static void put_process(struct buf *to, const struct elder *e)
{
    handing_put_process(
        to, &(struct handing_process){ (uint32_t)e->pid, e->left_us, e->connections, e->tunnels });
}

static void put_target(struct buf *to, const struct target *t)
{
    const struct handing_elsewhere told = {
        .group = span_text(t->group),
        .text = span_text(t->text),
        .outstanding = target_outstanding(t),
        .tunnels = target_tunnels(t),
        .untold = target_untold(t),
        .connections = metric_get(&t->counters.connections_open) +
                       metric_get(&t->elsewhere.counters.connections_open),
    };

    if (told.outstanding > 0 || told.connections > 0)
        handing_put_elsewhere(to, &told);
}

static struct elder this_process(const struct upgrade_report *r)
{
    const struct balancer *b = r->balancer;
    struct elder e = { .pid = getpid(),
                       .left_us = r->left_us,
                       .connections = atomic_load(&b->connections) };

    for (int i = 0; i < b->worker_count; i++)
        e.tunnels += (uint32_t)metric_get(&b->workers[i].counters.tunnels_open);
    return e;
}

static void fill(const struct upgrade_report *r, struct buf *to)
{
    struct balancer *b = r->balancer;
    const struct elder e = this_process(r), *before;
    const size_t count = inherit_elders(b->inherit, &before);

    put_process(to, &e);
    for (size_t i = 0; i < count; i++)
        put_process(to, &before[i]);
    list_each (at, &b->registry.targets)
        put_target(to, list_entry(at, struct target, in_registry));
}

static void tell(struct upgrade_report *r)
{
    struct buf now;

    if (!handover_is_flushed(r->link))
        return;
    buf_init(&now, ALL_MAX);
    fill(r, &now);
    if (++r->looks % ANYHOW != 0 && span_equal(buf_data(&now), buf_data(&r->last))) {
        buf_done(&now);
        return;
    }
    handover_send(r->link, HANDING_REPORT, buf_data(&now), NULL, 0);
    buf_done(&r->last);
    r->last = now;
}

static void on_again(struct ev_loop *loop, ev_timer *timer, int revents)
{
    (void)loop;
    (void)revents;
    tell(timer->data);
}

void upgrade_report_start(struct upgrade_report *r, struct balancer *b, struct handover *link)
{
    r->balancer = b;
    r->link = link;
    r->left_us = clock_wall_us();
    buf_init(&r->last, ALL_MAX);
    ev_timer_init(&r->again, on_again, AGAIN_S, AGAIN_S);
    r->again.data = r;
    ev_timer_start(b->control.ev, &r->again);
    tell(r);
}

void upgrade_report_stop(struct upgrade_report *r)
{
    if (r->balancer == NULL)
        return;
    ev_timer_stop(r->balancer->control.ev, &r->again);
    buf_done(&r->last);
    r->balancer = NULL;
}
