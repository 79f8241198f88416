/*
 * balancer_departures.c -- targets that go: they get no new requests, and what they
 * carry may go on until their deregistration delay is over.
 */
#include "base/log.h"
#include "base/mem.h"

#include "alb/balancer_private.h"
#include "alb/config.h"
#include "alb/health.h"
#include "alb/members.h"
#include "alb/worker.h"

struct departure {
    ev_timer timer;
    struct balancer *balancer;
    struct target *target;
};

static void end_departure(struct target *t)
{
    if (t->departure != NULL)
        ev_timer_stop(t->departure->balancer->control.ev, &t->departure->timer);
    mem_free(t->departure);
}

static void on_delay_over(struct ev_loop *loop, ev_timer *timer, int revents)
{
    const struct departure *d = timer->data;
    struct balancer *b = d->balancer;
    struct target *t = d->target;
    (void)loop;
    (void)revents;

    log_info("target removed group=%s target=%s", t->group, t->text);
    end_departure(t);
    for (int i = 0; i < b->worker_count; i++)
        target_ref(t); /* one for each job */
    balancer_tell_workers(b, worker_cut_target, t);
    registry_forget(&b->registry, t);
}

struct leaving {
    struct balancer *balancer;
    const struct config *old;
};

static void on_gone(void *user, struct target *t)
{
    const struct leaving *leaving = user;
    struct balancer *b = leaving->balancer;
    const struct group_config *group = config_group(leaving->old, span_text(t->group));
    const uint32_t delay_ms = group == NULL ? 0 : group->options.deregistration_delay_ms;
    struct departure *d = mem_new(struct departure);

    log_info("target draining group=%s target=%s delay_ms=%u", t->group, t->text, delay_ms);
    health_forget(b->health, t);
    d->balancer = b;
    d->target = t;
    t->departure = d;
    ev_timer_init(&d->timer, on_delay_over, delay_ms / 1000.0, 0);
    d->timer.data = d;
    ev_timer_start(b->control.ev, &d->timer);
}

void balancer_welcome_members(struct balancer *b)
{
    for (size_t i = 0; i < b->members->group_count; i++) {
        const struct group *g = &b->members->groups[i];
        for (size_t j = 0; j < g->count; j++)
            end_departure(g->targets[j]);
    }
    health_follow(b->health, b->members);
}

void balancer_dismiss_others(struct balancer *b, const struct config *old)
{
    struct leaving leaving = { .balancer = b, .old = old };

    members_mark(&b->registry, b->members, on_gone, &leaving);
}

void balancer_end_departures(struct balancer *b)
{
    list_each (at, &b->registry.targets)
        end_departure(list_entry(at, struct target, in_registry));
}
