/*
 * balancer_reload.c -- a new configuration, without a hair of the old one's
 * connections being touched.
 *
 * The new file is read and checked whole, and its listeners are opened, before
 * anything changes; an error anywhere leaves all as it was. Then the snapshot
 * is published: each loop swaps at its own time and acknowledges, and the last
 * acknowledgement frees the old one.
 */
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "net/tls.h"

#include "alb/balancer_private.h"
#include "alb/config.h"
#include "alb/greeter.h"
#include "alb/health.h"
#include "alb/worker.h"

/* --- publishing -------------------------------------------------------------------- */

void balancer_free_config(struct config **config)
{
    if (*config == NULL)
        return;
    config_release_groups(*config);
    config_free(config);
}

static void on_swapped(struct ev_loop *loop, ev_async *swapped, int revents)
{
    struct publication *p = swapped->data;
    struct balancer *b = p->balancer;
    (void)revents;

    if (atomic_load(&p->waiting) != 0) /* never; it orders their last reads before the free */
        return;
    ev_async_stop(loop, swapped);
    balancer_free_config(&p->old);
    b->publishing = NULL;
    free(p);
    if (b->reload_wanted)
        balancer_hang_up(b);
}

void publication_acknowledge(struct publication *p)
{
    struct ev_loop *control = p->balancer->control.ev;

    if (atomic_fetch_sub(&p->waiting, 1) == 1)
        ev_async_send(control, &p->swapped);
}

static void publish(struct balancer *b, struct config *config)
{
    struct publication *p = mem_new(struct publication);

    p->balancer = b;
    p->config = config;
    p->old = b->config;
    atomic_init(&p->waiting, b->worker_count + b->greeter_count);
    ev_async_init(&p->swapped, on_swapped);
    p->swapped.data = p;
    ev_async_start(b->control.ev, &p->swapped);
    b->publishing = p;
    b->config = config;
    balancer_tell_workers(b, worker_adopt_config, p);
    balancer_tell_greeters(b, greeter_adopt_config, p);
}

/* --- targets that go ----------------------------------------------------------------- */

/* A removed target's deregistration delay. */
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
    registry_forget(t);
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

static void end_departures(struct balancer *b, bool of_all)
{
    list_each (at, &b->registry.targets) {
        struct target *t = list_entry(at, struct target, in_registry);
        if (t->is_registered || of_all)
            end_departure(t);
    }
}

void balancer_end_departures(struct balancer *b)
{
    end_departures(b, true);
}

/* --- certificates that stay ---------------------------------------------------------- */

/* A certificate that did not change keeps its tickets: otherwise each reload
 * would cost every client a full handshake. */
static void keep_tickets(const struct config *now, struct config *next)
{
    for (size_t i = 0; i < next->listener_count; i++) {
        struct listener_config *l = &next->listeners[i];
        const struct listener_config *old = config_listener(now, span_text(l->name));
        if (old == NULL || old->tls == NULL || l->tls == NULL ||
            !tls_server_is_same(old->tls, l->tls))
            continue;
        tls_server_unref(&l->tls);
        l->tls = tls_server_ref(old->tls);
    }
}

/* --- reloading -------------------------------------------------------------------------- */

static void warn_restart_only(const struct config *now, const struct config *next,
                              struct problems *problems)
{
    const struct {
        const char *key;
        bool differs;
    } rows[] = {
        { "workers", now->alb.workers != next->alb.workers },
        { "admin", strcmp(now->alb.admin, next->alb.admin) != 0 },
        { "control", strcmp(now->alb.control, next->alb.control) != 0 },
        { "seal_key_file", strcmp(now->alb.seal_key_file, next->alb.seal_key_file) != 0 },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].differs)
            problems_warning(problems, 0, "%s: a changed value applies at the next start",
                             rows[i].key);
    }
}

static bool take_log_file(struct balancer *b, const struct config *next, struct problems *problems)
{
    char why[256];
    const char *path = next->alb.access_logs ? next->alb.access_logs_file : "";

    if (strcmp(path, b->access.path) == 0 || access_file_open(&b->access, path, why, sizeof(why)))
        return true;
    problems_error(problems, 0, "%s", why);
    return false;
}

static bool refused(struct balancer *b, struct config **next)
{
    b->reloads_failed++;
    if (*next != NULL)
        balancer_close_listeners(b, b->config); /* those that were opened for it */
    balancer_free_config(next);
    return false;
}

bool balancer_reload(struct balancer *b, struct problems *problems)
{
    struct config *next = NULL;
    struct leaving leaving = { .balancer = b, .old = b->config };

    if (b->path == NULL) {
        problems_error(problems, 0, "`alb quick` has no file to read again");
        return refused(b, &next);
    }
    if (b->publishing != NULL || b->state != RUN_SERVING) {
        problems_error(problems, 0, "%s",
                       b->state != RUN_SERVING ? "the balancer is shutting down"
                                               : "another reload is under way: try again");
        return refused(b, &next);
    }
    next = config_read_file(b->path, problems);
    if (next == NULL || !balancer_open_listeners(b, next, problems) ||
        !take_log_file(b, next, problems))
        return refused(b, &next);
    warn_restart_only(b->config, next, problems);
    next->admin = b->config->admin; /* as it is bound */
    keep_tickets(b->config, next);
    registry_bind(&b->registry, next);
    b->connection_limit = balancer_connection_limit(next);
    /* First, so that what a loop has acknowledged is closed there: the next reload
     * may want the address back. */
    balancer_close_listeners(b, next);
    publish(b, next);
    registry_mark_removed(&b->registry, next, on_gone, &leaving);
    end_departures(b, false); /* of those that came back */
    health_follow(b->health, next);
    b->reloads++;
    log_info("configuration reloaded file=%s", b->path);
    return true;
}
