/* worker.c -- see worker.h. */
#include "alb/worker.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"

#include "alb/balancer.h"
#include "alb/client.h"
#include "alb/closer.h"
#include "alb/config.h"
#include "alb/cutter.h"
#include "alb/edge.h"
#include "alb/leavers.h"
#include "alb/leaving.h"
#include "alb/regex.h"
#include "alb/target.h"
#include "alb/tunnel.h"
#include "alb/tunnel_record.h"
#include "alb/usher_verdict.h"

enum { INBOX = 8192 };

_Thread_local struct worker *worker_here;

static usher_fn on_ushered;

void worker_init(struct worker *w, struct balancer *balancer, int index)
{
    w->balancer = balancer;
    loop_init(&w->loop, index, INBOX, w);
    list_init(&w->listeners);
    usher_init(&w->usher, &w->loop, on_ushered, w);
    list_init(&w->clients);
    tunnels_init(w);
    list_init(&w->walks);
    pool_init(&w->pool);
    dial_line_init(&w->dials);
    stickiness_cache_init(&w->cookies, balancer_seal_ring(balancer, balancer->config));
    log_buffer_init(&w->access_log, &w->loop, &balancer->access_log);
    log_buffer_init(&w->connection_log, &w->loop, &balancer->connection_log);
    list_init(&w->shares);
    list_init(&w->cutters);
    w->regex = regex_scratch_new();
}

static void free_listener(struct worker_listener *l)
{
    const int fd = l->acceptor.fd;

    acceptor_stop(&l->acceptor);
    close(fd);
    list_remove(&l->link);
    free(l);
}

static void close_listeners(struct worker *w)
{
    list_each_safe (at, after, &w->listeners)
        free_listener(list_entry(at, struct worker_listener, link));
}

/* All but those that are being removed: whoever has connected to one of these is still taken. */
static void each_open(struct worker *w, void (*apply)(struct worker_listener *l))
{
    list_each_safe (at, after, &w->listeners) {
        struct worker_listener *l = list_entry(at, struct worker_listener, link);
        if (!l->acceptor.is_leaving)
            apply(l);
    }
}

void worker_done(struct worker *w)
{
    worker_here = w; /* after its thread has ended */
    loop_run_left(&w->loop);
    close_listeners(w);
    usher_done(&w->usher);
    clients_cut(w, NULL, "shutdown");
    cutter_finish(w);
    closer_stop(w, tunnels_cut(w));
    pool_done(&w->pool);
    dial_line_done(&w->dials, &w->loop);
    spares_done(&w->exchanges);
    log_buffer_done(&w->access_log);
    log_buffer_done(&w->connection_log);
    spares_done(&w->entries);
    free(w->tunnels);
    tunnels_done(w);
    regex_scratch_free(&w->regex);
    loop_done(&w->loop);
}

const struct seal_ring *worker_seal_ring(const struct worker *w)
{
    return w->cookies.ring;
}

/* --- accepting --------------------------------------------------------------- */

/* A listener that the snapshot has is open as long as the snapshot is in force: its address is no
 * other's meanwhile. */
const struct listener_config *worker_listener_config(struct worker *w,
                                                     const struct listener *listener)
{
    if (w->found.listener == listener)
        return w->found.config;
    const struct listener_config *now = listener_config_of(w->config, listener);
    if (now == NULL)
        return leaving_find(w->removed, listener);
    w->found.listener = listener;
    w->found.config = now;
    return now;
}

bool worker_listener_is_gone(const struct worker *w, const struct listener *listener)
{
    return atomic_load_explicit(&listener->is_unwanted, memory_order_relaxed) ||
           (w->removed != NULL && listener_config_of(w->config, listener) == NULL);
}

const struct listener_headers *worker_listener_headers(struct worker *w,
                                                       const struct listener *listener)
{
    static const struct listener_headers none;
    const struct listener_config *config = worker_listener_config(w, listener);

    return config == NULL ? &none : &config->headers;
}

static void adopt(struct worker *w, const struct arrival *a)
{
    metric_add(&w->counters.connections, 1);
    metric_add(&w->counters.connections_open, 1);
    client_start(w, a);
}

void worker_adopt_connection(struct loop *loop, void *arg)
{
    struct arrival *a = arg;

    worker_here = loop->user;
    adopt(loop->user, a);
    free(a);
}

/* Hand it to a loop that has clearly fewer: WebSockets live for hours, so what
 * the kernel's hashing distributes unevenly would stay so. */
static bool hand_over(struct worker *w, struct worker *to, const struct arrival *arrival)
{
    struct arrival *a = mem_new(struct arrival);

    *a = *arrival;
    if (!loop_post(&to->loop, worker_adopt_connection, a)) {
        free(a);
        return false;
    }
    metric_add(&w->counters.handed_over, 1);
    return true;
}

/* To the loop that should have it. */
static void settle_in(struct worker *w, const struct arrival *a)
{
    struct worker *to = balancer_pick_worker(w->balancer, w);

    if (to != w && hand_over(w, to, a))
        return;
    if (to != w) { /* its inbox is full: keep it */
        atomic_fetch_sub_explicit(&to->load, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&w->load, 1, memory_order_relaxed);
    }
    adopt(w, a);
}

static struct arrival arrival_of(struct listener *listener, int fd, const struct addr *client)
{
    return (struct arrival){ .listener = listener,
                             .from = { .fd = fd,
                                       .peer = *client,
                                       .id = { random_jitter(), random_jitter() },
                                       .accepted_us = clock_wall_us() } };
}

static void on_ushered(void *user, struct usher_result *r)
{
    struct worker *w = user;
    struct listener *listener = r->tag;
    const struct usher_judge judge = { .balancer = w->balancer,
                                       .config = w->config,
                                       .edge = w->edge,
                                       .counters = &w->counters,
                                       .connection_log = &w->connection_log };

    if (!usher_verdict(&judge, r))
        return;
    struct arrival a = arrival_of(listener, r->fd, &r->client);
    a.announced = r->announced;
    settle_in(w, &a);
}

static void on_accept(struct acceptor *acceptor, int fd, const struct addr *peer)
{
    struct worker_listener *l = acceptor->user;
    struct worker *w = l->worker;
    const struct listener_config *config = worker_listener_config(w, l->listener);

    if (!edge_admit(w->balancer, w->edge, &w->counters, peer, l->listener)) {
        close(fd);
    } else if (!balancer_connection_opened(w->balancer)) {
        metric_add(&w->counters.refused_limit, 1);
        close(fd);
    } else if (config != NULL && config->options.proxy_protocol) {
        usher_begin(&w->usher, fd, peer, config->options.proxy_protocol_timeout_ms, l->listener);
    } else {
        const struct arrival a = arrival_of(l->listener, fd, peer);
        settle_in(w, &a);
    }
}

void worker_listen(struct loop *loop, void *arg)
{
    struct worker_listen *order = arg;
    struct worker *w = loop->user;
    struct worker_listener *l = mem_new(struct worker_listener);

    l->listener = order->listener;
    l->worker = w;
    list_append(&w->listeners, &l->link);
    acceptor_start(&l->acceptor, loop->ev, order->fd, on_accept, l);
    l->acceptor.filter = l->listener->filter;
    l->is_early = listener_config_of(w->config, l->listener) == NULL;
    if (l->is_early)
        acceptor_hold(&l->acceptor);
    free(order);
}

/* Each socket of this listener. */
static void each_socket(struct loop *loop, const struct listener *of,
                        void (*apply)(struct worker_listener *l))
{
    struct worker *w = loop->user;

    worker_here = w;
    list_each_safe (at, after, &w->listeners) {
        struct worker_listener *l = list_entry(at, struct worker_listener, link);
        if (l->listener == of)
            apply(l);
    }
}

static void leave(struct worker_listener *l)
{
    balancer_acceptor_leaves(&l->acceptor);
    acceptor_resume(&l->acceptor); /* it is held while another process takes over */
}

static void stay(struct worker_listener *l)
{
    acceptor_stay(&l->acceptor);
}

static void empty_and_free(struct worker_listener *l)
{
    acceptor_empty(&l->acceptor);
    free_listener(l);
}

void worker_unlisten(struct loop *loop, void *arg)
{
    each_socket(loop, arg, leave);
}

void worker_relisten(struct loop *loop, void *arg)
{
    each_socket(loop, arg, stay);
}

void worker_close_listener(struct loop *loop, void *arg)
{
    struct listener *l = arg;

    each_socket(loop, l, empty_and_free);
    atomic_fetch_sub(&l->closing, 1);
}

void worker_accept(struct loop *loop, void *arg)
{
    struct worker *w = loop->user;

    w->is_leaving = arg == NULL;
    list_each (at, &w->listeners) {
        struct worker_listener *l = list_entry(at, struct worker_listener, link);
        if (l->acceptor.is_leaving)
            continue; /* the other process does not have it */
        if (arg != NULL && !l->is_early)
            acceptor_resume(&l->acceptor);
        else
            acceptor_hold(&l->acceptor);
    }
    if (arg == NULL)
        upgrade_report_quiet(w->balancer);
}

void worker_close_listeners(struct loop *loop, void *arg)
{
    (void)arg;
    each_open(loop->user, free_listener);
}

void worker_hang_up_idle(struct loop *loop, void *arg)
{
    (void)arg;
    worker_here = loop->user;
    clients_hang_up_tls(loop->user);
}

void worker_adopt_moved(struct loop *loop, void *arg)
{
    struct worker *w = loop->user;
    struct arrival *a = arg;

    worker_here = w;
    metric_add(&w->counters.connections_open, 1);
    client_arrive(w, a);
    free(a);
}

void worker_adopt_tunnel(struct loop *loop, void *arg)
{
    struct worker *w = loop->user;

    worker_here = w;
    metric_add(&w->counters.connections_open, 1);
    tunnel_arrive(w, arg);
}

/* --- orders from the control thread ------------------------------------------- */

void worker_begin(struct loop *loop, void *arg)
{
    struct worker *w = loop->user;
    (void)arg;

    list_each (at, &w->listeners) {
        struct worker_listener *l = list_entry(at, struct worker_listener, link);
        if (!l->is_early || listener_config_of(w->config, l->listener) == NULL)
            continue;
        l->is_early = false;
        acceptor_resume(&l->acceptor);
    }
}

void worker_adopt(struct loop *loop, void *arg)
{
    struct worker *w = loop->user;
    struct publication *p = arg;

    worker_here = w;
    if (w->config != NULL)
        tunnels_adopt(w, w->config, p->config);
    if (w->config != p->config)
        stickiness_cache_init(&w->cookies, balancer_seal_ring(w->balancer, p->config));
    w->config = p->config;
    w->found.listener = NULL;
    w->members = p->members;
    w->removed = p->leaving;
    w->edge = p->edge;
    if (p->old_edge != NULL)
        atomic_fetch_add(&p->leavers, leavers_look(w));
    publication_acknowledge(p);
}

void worker_cut_target(struct loop *loop, void *arg)
{
    struct worker *w = loop->user;
    struct target *t = arg;

    pool_forget(&w->pool, t);
    clients_cut(w, t, "deregistration delay over");
    worker_cut_tunnels(loop, t);
}

void worker_cut_tunnels(struct loop *loop, void *arg)
{
    struct worker *w = loop->user;
    struct target *t = arg;

    cutter_start(w, t, closer_drain_of(w, t));
}

void worker_cut_leavers(struct loop *loop, void *arg)
{
    struct worker *w = loop->user;
    (void)arg;

    worker_here = w;
    cutter_start_leavers(w, closer_leavers(w));
}

void worker_drain(struct loop *loop, void *arg)
{
    struct worker *w = loop->user;
    (void)arg;

    worker_here = w;
    w->is_draining = true;
    each_open(w, empty_and_free);
    usher_send_away(&w->usher);
    clients_drain(w);
    pool_done(&w->pool);
}

void worker_cut(struct loop *loop, void *arg)
{
    struct worker *w = loop->user;
    (void)arg;

    w->is_draining = true;
    close_listeners(w);
    usher_send_away(&w->usher);
    clients_cut(w, NULL, "shutdown");
    cutter_start(w, NULL, closer_shutdown(w));
    closer_stop(w, 0);
}
