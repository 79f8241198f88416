/*
 * balancer_publish.c -- what is new reaches every loop, and what was is freed.
 *
 * A publication carries a configuration and the members of its groups. Each loop swaps
 * at its own time and acknowledges; the last acknowledgement frees the old ones (the
 * configuration only when it is another). One is under way at a time: changes of
 * members that come meanwhile are gathered for the next, a reload waits for its turn.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include "alb/balancer_private.h"
#include "alb/config.h"
#include "alb/edge.h"
#include "alb/greeter.h"
#include "alb/leaving.h"
#include "alb/worker.h"

/* --- those who wait ------------------------------------------------------------------ */

void balancer_wait(struct balancer *b, struct waiter *w, uint64_t number)
{
    w->number = number;
    list_append(&b->waiters, &w->link);
}

static struct waiter *first_due(struct balancer *b)
{
    list_each (at, &b->waiters) {
        struct waiter *w = list_entry(at, struct waiter, link);
        if (w->number <= b->in_force)
            return w;
    }
    return NULL;
}

/* Each may leave, publish, or wait again (for a later one). */
static void wake_waiters(struct balancer *b)
{
    struct waiter *w;

    while ((w = first_due(b)) != NULL) {
        list_remove(&w->link);
        w->wake(w);
    }
}

/* --- the end of one -------------------------------------------------------------------- */

static void go_on(struct balancer *b)
{
    balancer_on_late_signal(b);
    wake_waiters(b);
    if (b->members_changed && b->publishing == NULL)
        balancer_publish(b, b->config);
}

static void on_swapped(struct ev_loop *loop, ev_async *swapped, int revents)
{
    struct publication *p = swapped->data;
    struct balancer *b = p->balancer;
    (void)revents;

    if (atomic_load(&p->waiting) != 0) /* never; it orders their last reads before the free */
        return;
    ev_async_stop(loop, swapped);
    balancer_dismiss_others(b, p->old_config != NULL ? p->old_config : b->config);
    members_free(&p->old_members);
    leaving_free(&p->old_leaving);
    edge_view_free(&p->old_edge);
    config_free(&p->old_config);
    b->publishing = NULL;
    b->in_force = p->number;
    balancer_drain_leavers(b, atomic_load(&p->leavers));
    free(p);
    go_on(b);
}

void publication_acknowledge(struct publication *p)
{
    struct ev_loop *control = p->balancer->control.ev;

    if (atomic_fetch_sub(&p->waiting, 1) == 1)
        ev_async_send(control, &p->swapped);
}

/* --- the beginning ---------------------------------------------------------------------- */

/* Greeters have no use for members only. */
static void post(struct balancer *b, struct publication *p)
{
    const bool to_greeters = p->old_config != NULL || p->old_edge != NULL;

    atomic_init(&p->waiting, b->worker_count + (to_greeters ? b->greeter_count : 0));
    ev_async_init(&p->swapped, on_swapped);
    p->swapped.data = p;
    ev_async_start(b->control.ev, &p->swapped);
    b->publishing = p;
    balancer_tell_workers(b, worker_adopt, p);
    if (p->old_config != NULL)
        balancer_tell_workers(b, worker_begin, NULL);
    if (to_greeters)
        balancer_tell_greeters(b, greeter_adopt, p);
}

struct members_sources balancer_sources(const struct balancer *b)
{
    return (struct members_sources){ .said = &b->said, .names = b->names, .before = b->members };
}

static void on_leaving_over(struct ev_loop *loop, ev_timer *timer, int revents)
{
    (void)loop;
    (void)revents;
    balancer_change_members(timer->data); /* any publication forgets them */
}

/* What listeners answered that this configuration has no longer. */
static void follow_leaving(struct balancer *b, struct publication *p, struct config *before)
{
    const uint64_t now_ms = clock_mono_ms();

    p->old_leaving = b->leaving;
    p->leaving = b->leaving =
        leaving_after(p->old_leaving, &b->listeners, before, b->config, now_ms);
    ev_timer_stop(b->control.ev, &b->leaving_timer);
    if (b->leaving == NULL)
        return;
    ev_timer_init(&b->leaving_timer, on_leaving_over,
                  (double)(leaving_until_ms(b->leaving) - now_ms) / 1000, 0);
    b->leaving_timer.data = b;
    ev_timer_start(b->control.ev, &b->leaving_timer);
}

/* A view of its own for each configuration, and for each change of what was added. */
static void follow_edge(struct balancer *b, struct publication *p)
{
    if (p->old_config != NULL || b->edge_changed) {
        p->old_edge = b->edge;
        b->edge = edge_view_new(b->config, &b->said.edge);
    }
    p->edge = b->edge;
    b->edge_changed = false;
}

void balancer_publish(struct balancer *b, struct config *config)
{
    struct publication *p = mem_new(struct publication);
    struct config *before = b->config;
    const struct members_sources sources = balancer_sources(b);

    p->balancer = b;
    p->number = ++b->published;
    p->config = b->config = config;
    p->old_config = before == config ? NULL : before;
    p->old_members = b->members;
    p->members = b->members = members_new(&b->registry, config, &sources);
    b->members_changed = false;
    follow_leaving(b, p, before);
    follow_edge(b, p);
    balancer_welcome_members(b);
    post(b, p);
    registry_forget_groups(&b->registry, config);
}

uint64_t balancer_change_members(struct balancer *b)
{
    b->members_changed = true;
    if (b->publishing == NULL)
        balancer_publish(b, b->config);
    return b->published + (b->members_changed ? 1 : 0);
}
