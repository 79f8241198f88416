/* greeter.c -- see greeter.h. */
#include "alb/greeter.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include "alb/balancer.h"
#include "alb/config.h"
#include "alb/connection_log.h"
#include "alb/edge.h"
#include "alb/usher_verdict.h"
#include "alb/worker.h"

enum { INBOX = 1024 };
static const double RETRY_S = 0.01;

struct greeter_listener {
    struct acceptor acceptor;
    struct listener *listener;
    struct tls_server *tls; /* a reference, once it was removed: what it had; else NULL */
    bool had_proxy_protocol;
    struct greeter *greeter;
    struct list link;
    bool is_early; /* held: its configuration is still to come */
};

/* Of one whose PROXY head is awaited: its listener's sockets may be closed before that comes. */
struct awaited {
    struct listener *listener;
    struct tls_server *tls; /* a reference: what it had */
};

struct waiting {
    struct arrival *arrival;
    struct worker *to;
    struct list link;
};

/* --- passing on ------------------------------------------------------------------ */

static void each_acceptor(struct greeter *g, void (*apply)(struct acceptor *))
{
    list_each (at, &g->listeners) {
        struct greeter_listener *l = list_entry(at, struct greeter_listener, link);
        if (!l->is_early)
            apply(&l->acceptor);
    }
}

static void keep_waiting(struct greeter *g, struct arrival *arrival, struct worker *to)
{
    struct waiting *w = mem_new(struct waiting);

    w->arrival = arrival;
    w->to = to;
    list_append(&g->waiting, &w->link);
    each_acceptor(g, acceptor_hold);
    if (!ev_is_active(&g->retry)) {
        ev_timer_set(&g->retry, RETRY_S, RETRY_S);
        ev_timer_start(g->loop.ev, &g->retry);
    }
}

static void on_retry(struct ev_loop *loop, ev_timer *timer, int revents)
{
    struct greeter *g = timer->data;
    (void)revents;

    list_each_safe (at, after, &g->waiting) {
        struct waiting *w = list_entry(at, struct waiting, link);
        if (!loop_post(&w->to->loop, worker_adopt_connection, w->arrival))
            continue;
        list_remove(&w->link);
        free(w);
    }
    if (list_is_empty(&g->waiting)) {
        ev_timer_stop(loop, timer);
        each_acceptor(g, acceptor_resume);
    }
}

static void on_handshake(void *user, struct handshake_result *result)
{
    struct greeter *g = user;
    struct balancer *b = g->balancer;
    struct arrival *a = result->tag;

    a->from = *result;
    if (result->tls == NULL) {
        char peer[ADDR_TEXT_MAX];
        metric_add(&b->counters.tls_handshakes_failed, 1);
        connection_log_row(&g->connection_log, g->config, a);
        log_info("tls failed client=%s status=%s reason=\"%s\"", addr_format(&result->peer, peer),
                 result->seen == NULL ? "-" : tls_session_verify_status(result->seen), result->why);
        balancer_connection_closed(b, NULL);
        free(a);
        return;
    }
    metric_add(&b->counters.tls_handshakes, 1);
    struct worker *to = balancer_pick_worker(b, NULL);
    if (!list_is_empty(&g->waiting) || !loop_post(&to->loop, worker_adopt_connection, a))
        keep_waiting(g, a, to);
}

/* --- accepting ------------------------------------------------------------------- */

static struct tls_server *tls_of(const struct greeter *g, const struct greeter_listener *l)
{
    const struct listener_config *c = listener_config_of(g->config, l->listener);

    return c == NULL ? l->tls : c->tls;
}

/* 0: its connections do not begin with a PROXY head. */
static uint32_t proxy_timeout_ms(const struct greeter *g, const struct greeter_listener *l)
{
    static const uint32_t of_removed_ms = 1000;
    const struct listener_config *c = listener_config_of(g->config, l->listener);

    if (c == NULL)
        return l->had_proxy_protocol ? of_removed_ms : 0;
    return c->options.proxy_protocol ? c->options.proxy_protocol_timeout_ms : 0;
}

static void shake_hands(struct greeter *g, struct tls_server *tls, int fd,
                        const struct addr *client, struct arrival arrival)
{
    struct arrival *a = mem_new(struct arrival);

    *a = arrival;
    handshaker_begin(&g->handshaker, fd, client, tls, a);
}

static void on_ushered(void *user, struct usher_result *r)
{
    struct greeter *g = user;
    struct awaited *of = r->tag;
    const struct usher_judge judge = { .balancer = g->balancer,
                                       .config = g->config,
                                       .edge = g->edge,
                                       .counters = &g->balancer->counters,
                                       .connection_log = &g->connection_log };

    r->tag = of->listener;
    if (usher_verdict(&judge, r))
        shake_hands(g, of->tls, r->fd, &r->client,
                    (struct arrival){ .listener = of->listener, .announced = r->announced });
    tls_server_unref(&of->tls);
    free(of);
}

static void await_head(struct greeter *g, struct greeter_listener *l, int fd,
                       const struct addr *peer, uint32_t timeout_ms)
{
    struct awaited *of = mem_new(struct awaited);

    of->listener = l->listener;
    of->tls = tls_server_ref(tls_of(g, l));
    usher_begin(&g->usher, fd, peer, timeout_ms, of);
}

static void on_accept(struct acceptor *acceptor, int fd, const struct addr *peer)
{
    struct greeter_listener *l = acceptor->user;
    struct greeter *g = l->greeter;
    struct tls_server *tls = tls_of(g, l);
    const uint32_t timeout_ms = proxy_timeout_ms(g, l);

    if (!edge_admit(g->balancer, g->edge, &g->balancer->counters, peer, l->listener)) {
        close(fd);
    } else if (tls == NULL || !balancer_connection_opened(g->balancer)) {
        metric_add(&g->balancer->counters.refused_limit, 1);
        close(fd);
    } else if (timeout_ms > 0) {
        await_head(g, l, fd, peer, timeout_ms);
    } else {
        shake_hands(g, tls, fd, peer, (struct arrival){ .listener = l->listener });
    }
}

static void free_listener(struct greeter_listener *l)
{
    const int fd = l->acceptor.fd;

    acceptor_stop(&l->acceptor);
    close(fd);
    tls_server_unref(&l->tls);
    list_remove(&l->link);
    free(l);
}

void greeter_listen(struct loop *loop, void *arg)
{
    struct worker_listen *order = arg;
    struct greeter *g = loop->user;
    struct greeter_listener *l = mem_new(struct greeter_listener);

    l->listener = order->listener;
    l->greeter = g;
    list_append(&g->listeners, &l->link);
    acceptor_start(&l->acceptor, loop->ev, order->fd, on_accept, l);
    l->acceptor.filter = l->listener->filter;
    l->is_early = tls_of(g, l) == NULL;
    if (l->is_early || !list_is_empty(&g->waiting))
        acceptor_hold(&l->acceptor);
    free(order);
}

/* Each socket of this listener. */
static void each_socket(struct loop *loop, const struct listener *of,
                        void (*apply)(struct greeter_listener *l))
{
    struct greeter *g = loop->user;

    list_each_safe (at, after, &g->listeners) {
        struct greeter_listener *l = list_entry(at, struct greeter_listener, link);
        if (l->listener == of)
            apply(l);
    }
}

static void leave(struct greeter_listener *l)
{
    struct tls_server *tls = tls_of(l->greeter, l), *before = l->tls;

    l->had_proxy_protocol = proxy_timeout_ms(l->greeter, l) > 0;
    l->tls = tls == NULL ? NULL : tls_server_ref(tls);
    tls_server_unref(&before);
    balancer_acceptor_leaves(&l->acceptor);
    if (list_is_empty(&l->greeter->waiting))
        acceptor_resume(&l->acceptor); /* it is held while another process takes over */
}

static void stay(struct greeter_listener *l)
{
    acceptor_stay(&l->acceptor); /* with what it had, until its configuration comes */
}

static void empty_and_free(struct greeter_listener *l)
{
    acceptor_empty(&l->acceptor);
    free_listener(l);
}

/* It comes before the configuration that has the listener no longer. */
void greeter_unlisten(struct loop *loop, void *arg)
{
    each_socket(loop, arg, leave);
}

void greeter_relisten(struct loop *loop, void *arg)
{
    each_socket(loop, arg, stay);
}

void greeter_close_listener(struct loop *loop, void *arg)
{
    struct listener *l = arg;

    each_socket(loop, l, empty_and_free);
    atomic_fetch_sub(&l->closing, 1);
}

static void close_listeners(struct greeter *g)
{
    list_each_safe (at, after, &g->listeners)
        free_listener(list_entry(at, struct greeter_listener, link));
}

/* All but those that are being removed: whoever has connected to one of these is still taken. */
static void close_open(struct greeter *g)
{
    list_each_safe (at, after, &g->listeners) {
        struct greeter_listener *l = list_entry(at, struct greeter_listener, link);
        if (!l->acceptor.is_leaving)
            free_listener(l);
    }
}

void greeter_close_listeners(struct loop *loop, void *arg)
{
    (void)arg;
    close_open(loop->user);
}

/* The other process does not have those that are being removed. */
static void hold_open(struct acceptor *a)
{
    if (!a->is_leaving)
        acceptor_hold(a);
}

void greeter_accept(struct loop *loop, void *arg)
{
    struct greeter *g = loop->user;

    if (arg == NULL)
        each_acceptor(g, hold_open);
    else if (list_is_empty(&g->waiting))
        each_acceptor(g, acceptor_resume);
    if (arg == NULL)
        upgrade_report_quiet(g->balancer);
}

/* Those that this configuration has. */
static void begin_early(struct greeter *g)
{
    list_each (at, &g->listeners) {
        struct greeter_listener *l = list_entry(at, struct greeter_listener, link);
        if (!l->is_early || tls_of(g, l) == NULL)
            continue;
        l->is_early = false;
        if (list_is_empty(&g->waiting))
            acceptor_resume(&l->acceptor);
    }
}

void greeter_adopt(struct loop *loop, void *arg)
{
    struct greeter *g = loop->user;
    struct publication *p = arg;

    g->config = p->config;
    g->edge = p->edge;
    begin_early(g);
    g->handshaker.timeout_ms = p->config->alb.tls_handshake_timeout_ms;
    publication_acknowledge(p);
}

void greeter_drain(struct loop *loop, void *arg)
{
    struct greeter *g = loop->user;
    (void)arg;

    close_open(g);
    usher_send_away(&g->usher);
    if (list_is_empty(&g->listeners))
        handshaker_done(&g->handshaker); /* none of these has asked for anything yet */
}

/* --- starting and stopping ---------------------------------------------------------- */

void greeter_init(struct greeter *g, struct balancer *balancer, int index)
{
    g->balancer = balancer;
    loop_init(&g->loop, index, INBOX, g);
    list_init(&g->listeners);
    list_init(&g->waiting);
    log_buffer_init(&g->connection_log, &g->loop, &balancer->connection_log);
    usher_init(&g->usher, &g->loop, on_ushered, g);
    handshaker_init(&g->handshaker, &g->loop, 0, on_handshake, g);
    dial_desk_init(&g->dials, &g->loop);
    ev_timer_init(&g->retry, on_retry, RETRY_S, RETRY_S);
    g->retry.data = g;
}

/* No worker will write their rows. */
static void drop_waiting(struct greeter *g)
{
    list_each_safe (at, after, &g->waiting) {
        struct waiting *w = list_entry(at, struct waiting, link);
        connection_log_row(&g->connection_log, g->config, w->arrival);
        tls_session_free(&w->arrival->from.tls);
        close(w->arrival->from.fd);
        free(w->arrival);
        free(w);
    }
}

void greeter_done(struct greeter *g)
{
    loop_run_left(&g->loop);
    close_listeners(g);
    usher_done(&g->usher);
    handshaker_done(&g->handshaker);
    dial_desk_done(&g->dials);
    drop_waiting(g);
    log_buffer_done(&g->connection_log);
    ev_timer_stop(g->loop.ev, &g->retry);
    loop_done(&g->loop);
}
