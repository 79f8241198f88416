/*
 * balancer_drains.c -- the drains that run: how each begins, what is said of it, how it ends.
 *
 * Commands, departures, failed health and the stop all come here: they differ in who is part
 * of it, and in what happens at its end (end_target()). The loops do the closing (closer.h).
 */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"

#include "alb/balancer_private.h"
#include "alb/closer.h"
#include "alb/config.h"
#include "alb/drain.h"
#include "alb/inherit.h"
#include "alb/inherit_state.h"
#include "alb/worker.h"

enum { LOOK_S = 1, PROGRESS_LOOKS = 10, WINDOW_TENTHS = 9 };

/* --- ending ------------------------------------------------------------------------------ */

static void stop_timers(struct drain *d)
{
    ev_timer_stop(d->balancer->control.ev, &d->end);
    ev_timer_stop(d->balancer->control.ev, &d->look);
}

/* The loops leave it; the last says what came of it. */
static void finish(struct drain *d)
{
    struct balancer *b = d->balancer;

    stop_timers(d);
    list_remove(&d->link);
    for (int i = 0; i < b->worker_count; i++)
        drain_ref(d); /* one for each job */
    balancer_tell_workers(b, closer_leave, d);
    drain_unref(&d);
}

static void cut(struct balancer *b, struct target *t, loop_fn *job)
{
    for (int i = 0; i < b->worker_count; i++)
        target_ref(t); /* one for each job */
    balancer_tell_workers(b, job, t);
}

/* Its mark stays, so that the loops know whose the cut ones were. */
static void end_target(struct balancer *b, struct target *t, enum drain_cause cause)
{
    t->drain = NULL;
    t->was_shed = cause == DRAIN_UNHEALTHY;
    cut(b, t, cause == DRAIN_UNHEALTHY ? worker_cut_tunnels : worker_cut_target);
    if (cause != DRAIN_DEPARTURE ||
        t->is_registered) /* with the process after this one it is not */
        return;
    log_info("target removed group=%s target=%s", t->group, t->text);
    registry_forget(&b->registry, t);
}

static void end(struct drain *d)
{
    if (d->cause == DRAIN_LEAVERS)
        balancer_tell_workers(d->balancer, worker_cut_leavers, NULL);
    for (size_t i = 0; i < d->target_count; i++) {
        if (d->targets[i]->drain == d)
            end_target(d->balancer, d->targets[i], d->cause);
    }
    finish(d);
}

static void on_end(struct ev_loop *loop, ev_timer *timer, int revents)
{
    (void)loop;
    (void)revents;
    end(timer->data);
}

static void let_go(struct target *t)
{
    struct drain *d = t->drain;

    t->drain = NULL;
    if (--d->still == 0)
        finish(d);
}

void balancer_drain_leave(struct balancer *b, struct target *t)
{
    inherit_order_undrain(b->inherit, t);
    if (t->drain == NULL)
        return;
    atomic_store(&t->drain_id, 0);
    let_go(t);
}

void balancer_end_drains(struct balancer *b)
{
    list_each_safe (at, after, &b->drains) {
        struct drain *d = list_entry(at, struct drain, link);
        for (size_t i = 0; i < d->target_count; i++) {
            if (d->targets[i]->drain == d)
                d->targets[i]->drain = NULL;
        }
        stop_timers(d);
        list_remove(&d->link);
        drain_unref(&d);
    }
}

/* --- while it runs ------------------------------------------------------------------------- */

static uint32_t requests_and_tunnels(const struct drain *d)
{
    uint32_t n = 0;

    for (size_t i = 0; i < d->target_count; i++)
        n += d->targets[i]->drain == d ? target_outstanding(d->targets[i]) : 0;
    return n;
}

/* Those that go have to be known until their delay is over, as with the managed balancer. */
static bool may_end_early(const struct drain *d)
{
    if (d->stays)
        return false;
    return (d->cause == DRAIN_COMMAND && requests_and_tunnels(d) == 0) ||
           (d->cause == DRAIN_UNHEALTHY && drain_open(d) == 0);
}

static void log_progress(struct drain *d)
{
    const uint32_t closed = atomic_load(&d->closed), open = drain_open(d);

    if (open == 0 && closed == d->seen)
        return;
    d->seen = closed;
    log_info("drain progress id=%" PRIu64 " cause=%s group=%s closed=%u left=%u open=%u", d->id,
             drain_cause_name(d->cause), drain_group(d), closed, drain_untold(d), open);
}

static void on_look(struct ev_loop *loop, ev_timer *timer, int revents)
{
    struct drain *d = timer->data;
    const uint64_t looks = (clock_mono_ms() - d->began_ms + 500) / 1000 / LOOK_S;
    (void)loop;
    (void)revents;

    if (looks % PROGRESS_LOOKS == 0)
        log_progress(d);
    if (may_end_early(d))
        end(d);
}

/* --- beginning ------------------------------------------------------------------------------ */

/* A target that is part of another drain leaves that. */
static void take_targets(struct drain *d, struct target *const *targets, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct target *t = d->targets[i] = target_ref(targets[i]);
        if (t->drain != NULL)
            let_go(t);
        t->drain = d;
        atomic_store(&t->drain_id, d->id);
    }
    d->still = count;
    for (size_t i = 0; i < count; i++)
        d->found += target_tunnels(d->targets[i]);
}

/* Other processes may be handed its page. */
static struct pace *new_rate(struct balancer *b, uint32_t rate)
{
    const int inherited = inherit_page(b->inherit);
    const int page = inherited != -1 ? -1 : pace_page();
    struct pace *p = pace_new_rate(inherited != -1 ? inherited : page, clock_mono_us(), rate);

    if (page != -1)
        close(page);
    return p;
}

void balancer_share_pace(struct balancer *b, struct drain_plan *plan,
                         const struct tunnel_options *options)
{
    plan->shared_rate = options->drain_rate;
    if (plan->shared_rate != 0)
        plan->shared = new_rate(b, plan->shared_rate);
}

static void set_pace(struct drain *d, const struct drain_plan *plan)
{
    const uint64_t now_us = clock_mono_us();
    const uint64_t window_us = (uint64_t)plan->delay_ms * 1000 / 10 * WINDOW_TENTHS;

    d->rate = plan->options->drain_rate;
    if (d->rate != 0 && plan->shared != NULL && d->rate == plan->shared_rate)
        d->pace = pace_ref(plan->shared);
    else if (d->rate != 0)
        d->pace = new_rate(d->balancer, d->rate);
    else
        d->pace = pace_new_within(now_us, window_us, drain_untold(d), random_jitter());
}

/* How many will be cut at its end, if nobody goes before. */
static uint32_t to_be_cut(const struct drain *d, const struct drain_plan *plan)
{
    if (plan->options->drain_close == FAREWELL_CUT)
        return d->found;
    if (d->rate == 0)
        return 0;
    const uint64_t told = pace_capacity(d->pace, (uint64_t)d->delay_ms * 1000) + 1;
    return d->found > told ? d->found - (uint32_t)told : 0;
}

static void describe(const struct drain *d, const struct drain_plan *plan,
                     struct drain_outlook *outlook)
{
    *outlook = (struct drain_outlook){
        .targets = (uint32_t)d->target_count,
        .tunnels = d->found,
        .rate = d->rate,
        .delay_ms = d->delay_ms,
        .window_ms = d->delay_ms / 10 * WINDOW_TENTHS,
        .is_cut = plan->options->drain_close == FAREWELL_CUT,
        .cut_at_end = to_be_cut(d, plan),
    };
}

static void log_beginning(const struct drain *d, const struct drain_outlook *o)
{
    char rate[16] = "auto";

    if (o->rate != 0)
        snprintf(rate, sizeof(rate), "%u", o->rate);
    log_info("drain begin id=%" PRIu64
             " cause=%s group=%s targets=%u tunnels=%u rate=%s delay_ms=%u order=%s cut_at_end=%u",
             d->id, drain_cause_name(d->cause), drain_group(d), o->targets, o->tunnels, rate,
             o->delay_ms, d->order == DRAIN_OLDEST ? "oldest" : "idlest", o->cut_at_end);
}

static void start_timers(struct drain *d)
{
    struct ev_loop *loop = d->balancer->control.ev;

    ev_timer_init(&d->end, on_end, d->delay_ms / 1000.0, 0);
    ev_timer_init(&d->look, on_look, LOOK_S, LOOK_S);
    d->end.data = d->look.data = d;
    if (d->cause != DRAIN_SHUTDOWN) /* whose end is the process's */
        ev_timer_start(loop, &d->end);
    ev_timer_start(loop, &d->look);
}

struct drain_outlook balancer_drain_begin(struct balancer *b, struct target *const *targets,
                                          size_t count, const struct drain_plan *plan)
{
    struct drain *d = drain_new(count, (size_t)b->worker_count);
    struct drain_outlook outlook;

    d->id = ++b->drains_begun;
    d->balancer = b;
    d->cause = plan->cause;
    d->order = (enum drain_order)plan->options->drain_order;
    d->delay_ms = plan->delay_ms;
    d->stays = plan->stays;
    d->is_cut = plan->options->drain_close == FAREWELL_CUT;
    d->began_ms = clock_mono_ms();
    d->found = plan->leavers;
    list_append(&b->drains, &d->link);
    take_targets(d, targets, count);
    set_pace(d, plan);
    describe(d, plan, &outlook);
    log_beginning(d, &outlook);
    for (int i = 0; i < b->worker_count; i++)
        drain_ref(d); /* the shares' */
    balancer_tell_workers(b, closer_join, d);
    start_timers(d);
    inherit_order_drain(b->inherit, d);
    return outlook;
}

/* --- from one process to the next ----------------------------------------------------------- */

void balancer_order_drains(struct balancer *b)
{
    list_each (at, &b->drains)
        inherit_order_drain(b->inherit, list_entry(at, struct drain, link));
}

bool balancer_drains_for_ms(const struct target *t, uint32_t *left_ms)
{
    const struct drain *d = t->drain;

    if (d == NULL || d->cause != DRAIN_COMMAND)
        return false;
    *left_ms = drain_left_ms(d);
    return true;
}

void balancer_drain_on(struct balancer *b, struct target *t, uint32_t delay_ms)
{
    const struct group_config *group = config_group(b->config, span_text(t->group));
    const struct drain_plan plan = { .cause = DRAIN_COMMAND,
                                     .delay_ms = delay_ms,
                                     .options = &group->options.tunnel,
                                     .stays = true };

    if (target_is_drained(t) && t->drain == NULL)
        balancer_drain_begin(b, &t, 1, &plan);
}

/* --- all, at a stop ------------------------------------------------------------------------------
 */

void balancer_drain_all(struct balancer *b, uint32_t delay_ms)
{
    struct drain_plan plan = { .cause = DRAIN_SHUTDOWN,
                               .delay_ms = delay_ms,
                               .options = &b->config->alb.tunnel,
                               .shared_rate = b->config->alb.tunnel.drain_rate };
    struct target **targets;
    size_t count = 0;

    list_each (at, &b->registry.targets)
        count++;
    targets = mem_array(struct target *, count);
    count = 0;
    list_each (at, &b->registry.targets)
        targets[count++] = list_entry(at, struct target, in_registry);
    if (plan.shared_rate != 0) /* of all processes together */
        plan.shared = pace_new_rate(b->stop_page, clock_mono_us(), plan.shared_rate);
    balancer_drain_begin(b, targets, count, &plan);
    pace_unref(&plan.shared);
    free(targets);
}

/* --- peers that have left the edge set
 * ------------------------------------------------------------
 */

/* Whoever the one before has not told is told by this one, and a rate goes on. */
static void take_place_of_the_one_before(struct balancer *b, struct drain_plan *plan)
{
    list_each_safe (at, after, &b->drains) {
        struct drain *d = list_entry(at, struct drain, link);
        if (d->cause != DRAIN_LEAVERS)
            continue;
        if (d->rate != 0 && plan->shared == NULL) {
            plan->shared = pace_ref(d->pace);
            plan->shared_rate = d->rate;
        }
        finish(d);
    }
}

void balancer_drain_leavers(struct balancer *b, uint32_t count)
{
    struct drain_plan plan = { .cause = DRAIN_LEAVERS,
                               .delay_ms = b->config->edge_options.leave_timeout_ms,
                               .options = &b->config->alb.tunnel,
                               .leavers = count };

    if (count == 0 || b->state > RUN_LEAVING)
        return;
    take_place_of_the_one_before(b, &plan);
    balancer_drain_begin(b, NULL, 0, &plan);
    pace_unref(&plan.shared);
}

/* --- failed health -------------------------------------------------------------------------------
 */

/* With a group that fails open, those told to come again would find the same targets. */
static bool is_to_be_shed(const struct group *g, const struct target *t)
{
    return target_health_of(t) == TARGET_UNHEALTHY && !target_is_drained(t) &&
           !atomic_load(&g->state->fails_open);
}

void balancer_review_health(void *user, const struct group *g)
{
    struct balancer *b = user;
    const struct drain_plan plan = { .cause = DRAIN_UNHEALTHY,
                                     .delay_ms = g->config->options.deregistration_delay_ms,
                                     .options = &g->config->options.tunnel,
                                     .stays = inherit_goes_on(b->inherit) };

    for (size_t i = 0; i < g->count; i++) {
        struct target *t = g->targets[i];
        const bool is_shed = t->drain != NULL && t->drain->cause == DRAIN_UNHEALTHY;
        const bool wanted = g->config->options.tunnel.drain_unhealthy && is_to_be_shed(g, t);
        if (is_shed && !wanted)
            balancer_drain_leave(b, t);
        t->was_shed &= wanted;
        if (wanted && t->drain == NULL && !t->was_shed && balancer_serves(b))
            balancer_drain_begin(b, &t, 1, &plan);
    }
}
