/*
 * balancer_listeners.c -- which addresses are open, and the orders that open and close them.
 *
 *     open ---> leaving ---> closed      a second later, or when the handshakes are over that had
 *       ^          |           |         begun: SYNs are not answered any more, but who has
 *       +----------+-----------+         connected is taken
 *         the next configuration has it again
 *
 * Neither a stop nor another process that takes over shortens that second.
 */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/half_open.h"
#include "net/listener.h"

#include "alb/balancer_private.h"
#include "alb/config.h"
#include "alb/greeter.h"
#include "alb/inherit.h"
#include "alb/inherit_sockets.h"
#include "alb/worker.h"

static bool is_listener_of(const struct listener *l, const struct listener_config *c)
{
    return strcmp(l->bind, c->options.bind) == 0 && l->protocol == c->options.protocol &&
           (addr_port(&c->bind) != 0 || strcmp(l->name, c->name) == 0);
}

struct listener_config *listener_config_of(const struct config *config,
                                           const struct listener *listener)
{
    for (size_t i = 0; i < config->listener_count; i++) {
        if (is_listener_of(listener, &config->listeners[i]))
            return &config->listeners[i];
    }
    return NULL;
}

/* The one that is open, or was and comes back to the same address. */
static struct listener *find_listener(struct balancer *b, const struct listener_config *c)
{
    list_each (at, &b->listeners) {
        struct listener *l = list_entry(at, struct listener, link);
        if (is_listener_of(l, c) && (l->is_open || addr_port(&c->bind) != 0))
            return l;
    }
    return NULL;
}

static void keep_socket(struct listener *l, int fd)
{
    l->sockets = mem_resize(l->sockets, (l->socket_count + 1) * sizeof(l->sockets[0]));
    l->sockets[l->socket_count++] = fd;
}

static void order_listen(struct loop *loop, loop_fn *run, struct listener *l, int fd)
{
    struct worker_listen *order = mem_new(struct worker_listen);

    order->listener = l;
    order->fd = fd;
    keep_socket(l, fd);
    balancer_must_post(loop, run, order);
}

/* Those that accept from it. */
static size_t thread_count(const struct listener *l)
{
    return (size_t)(l->protocol == PROTOCOL_HTTPS ? l->balancer->greeter_count
                                                  : l->balancer->worker_count);
}

/* --- going ------------------------------------------------------------------------- */

/* From the last SYN that was answered to the socket's end: the handshake of whoever is there
 * takes a round trip; of some, whose packets were lost, until the answer to its SYN is sent
 * again, after 1, 3 and 7 seconds. */
static const double LEAVING_S = 1.0, LOOK_AGAIN_S = 0.25;
enum { LEAVING_MOST_MS = 8000 };

void balancer_acceptor_leaves(struct acceptor *a)
{
    static atomic_flag is_said = ATOMIC_FLAG_INIT;

    if (!acceptor_leave(a) && !atomic_flag_test_and_set(&is_said))
        log_warn("a listener that is removed takes new connections for %.0f s more: its socket"
                 " cannot have a filter: %s",
                 LEAVING_S, strerror(errno));
}

/* A timer that has run out is not active any more, and in the same turn others may ask first. */
static bool is_leaving(const struct listener *l)
{
    return ev_is_active(&l->leaving) || ev_is_pending(&l->leaving);
}

static void tell(struct balancer *b, struct listener *l, loop_fn *greeters, loop_fn *workers)
{
    if (l->protocol == PROTOCOL_HTTPS)
        balancer_tell_greeters(b, greeters, l);
    else
        balancer_tell_workers(b, workers, l);
}

/* Another one listens at the same address already: SYNs that the kernel gives to the sockets of
 * this one are lost to it. */
static bool is_replaced(const struct listener *l)
{
    list_each (at, &l->balancer->listeners) {
        const struct listener *other = list_entry(at, struct listener, link);
        if (other != l && other->is_open && addr_overlaps(&other->bound, &l->bound))
            return true;
    }
    return false;
}

static bool is_awaited(const struct listener *l)
{
    return clock_mono_ms() - l->left_at_ms < LEAVING_MOST_MS && !is_replaced(l) &&
           half_open_count(&l->bound) > 0;
}

static void on_leaving_over(struct ev_loop *loop, ev_timer *timer, int revents)
{
    struct listener *l = timer->data;
    (void)revents;

    if (is_awaited(l)) {
        ev_timer_set(timer, LOOK_AGAIN_S, 0);
        ev_timer_start(loop, timer);
        return;
    }
    log_info("listener closed name=%s bind=%s", l->name, l->bind);
    l->socket_count = 0;
    atomic_fetch_add(&l->closing, thread_count(l));
    tell(l->balancer, l, greeter_close_listener, worker_close_listener);
}

static void begin_leaving(struct balancer *b, struct listener *l)
{
    log_info("listener removed name=%s bind=%s", l->name, l->bind);
    l->is_open = false;
    l->left_at_ms = clock_mono_ms();
    tell(b, l, greeter_unlisten, worker_unlisten);
    ev_timer_set(&l->leaving, LEAVING_S, 0);
    ev_timer_start(b->control.ev, &l->leaving);
}

/* Its sockets are there still. */
static void reopen(struct balancer *b, struct listener *l)
{
    ev_timer_stop(b->control.ev, &l->leaving);
    l->is_open = true;
    tell(b, l, greeter_relisten, worker_relisten);
}

/* It is removed, and has sockets still. */
static bool is_going(const struct listener *l)
{
    return is_leaving(l) || atomic_load(&l->closing) > 0;
}

bool balancer_is_closing_listeners(const struct balancer *b)
{
    list_each (at, &b->listeners) {
        if (is_going(list_entry(at, struct listener, link)))
            return true;
    }
    return false;
}

/* --- to another process -------------------------------------------------------------- */

void balancer_mark_unwanted(struct balancer *b, const struct addr *bound, int protocol)
{
    list_each (at, &b->listeners) {
        struct listener *l = list_entry(at, struct listener, link);
        if (l->is_open && l->protocol == protocol && addr_equal(&l->bound, bound))
            atomic_store(&l->is_unwanted, true);
    }
}

void balancer_want_listeners(struct balancer *b)
{
    list_each (at, &b->listeners)
        atomic_store(&list_entry(at, struct listener, link)->is_unwanted, false);
}

void balancer_close_unwanted(struct balancer *b)
{
    list_each (at, &b->listeners) {
        struct listener *l = list_entry(at, struct listener, link);
        if (l->is_open && atomic_load(&l->is_unwanted))
            begin_leaving(b, l);
    }
}

/* --- coming ------------------------------------------------------------------------ */

/* Sockets of this listener that another process had before. */
struct inherited {
    int *fds;
    size_t count;
};

/* One socket a thread, and all that were inherited: what waits in one that nobody accepts
 * from would be lost. */
static bool open_sockets(struct balancer *b, struct listener *l, struct inherited from, char *why,
                         size_t why_size)
{
    const bool is_https = l->protocol == PROTOCOL_HTTPS;
    const size_t threads = thread_count(l);

    for (size_t i = 0; i < threads || i < from.count; i++) {
        int fd = i < from.count ? from.fds[i]
                                : listener_open_behind(l->filter, &l->bound, true, why, why_size);
        if (fd == -1)
            return false;
        if (i < from.count)
            edge_filter_attach(l->filter, fd); /* it may have had none, or an older one */
        if (i < from.count)
            from.fds[i] = -1;
        order_listen(is_https ? &b->greeters[i % threads].loop : &b->workers[i % threads].loop,
                     is_https ? greeter_listen : worker_listen, l, fd);
    }
    return true;
}

static struct listener *new_listener(struct balancer *b, const struct listener_config *c,
                                     const struct addr *bound)
{
    struct listener *l = mem_new(struct listener);

    l->name = mem_text(c->name);
    l->bind = mem_text(c->options.bind);
    l->protocol = c->options.protocol;
    l->bound = *bound;
    l->filter = b->filters[FILTER_EDGE];
    l->balancer = b;
    ev_timer_init(&l->leaving, on_leaving_over, LEAVING_S, 0);
    l->leaving.data = l;
    listener_take_number(l);
    list_append(&b->listeners, &l->link);
    return l;
}

/* The one of ours that has this address, or one that overlaps with it; NULL: none has. */
static const struct listener *who_has(struct balancer *b, const struct addr *addr)
{
    list_each (at, &b->listeners) {
        const struct listener *l = list_entry(at, struct listener, link);
        if ((l->is_open || is_going(l)) && addr_overlaps(&l->bound, addr))
            return l;
    }
    return NULL;
}

/* An address that we hold already, with another protocol, will do: it is closed after this one
 * is open. */
static bool may_bind(struct balancer *b, struct addr *addr, char *why, size_t why_size)
{
    const struct listener *ours = who_has(b, addr);
    char text[ADDR_TEXT_MAX], theirs[ADDR_TEXT_MAX];

    if (ours == NULL)
        return listener_probe(addr, why, why_size);
    if (addr_equal(&ours->bound, addr))
        return true;
    snprintf(why, why_size,
             "%s overlaps with %s of listener %s, which is open until this one is: reload without"
             " either first",
             addr_format(addr, text), addr_format(&ours->bound, theirs), ours->name);
    return false;
}

static bool open_listener(struct balancer *b, const struct listener_config *c,
                          struct problems *problems)
{
    struct listener *l = find_listener(b, c);
    struct addr bound = c->bind;
    struct inherited from = { NULL, 0 };
    char why[256];

    if (l != NULL && is_leaving(l))
        reopen(b, l);
    if (l != NULL && l->is_open)
        return true;
    from.count = inherit_listener(b->inherit, c, &bound, &from.fds);
    bool ok = from.count > 0 || may_bind(b, &bound, why, sizeof(why));
    if (ok && l == NULL)
        l = new_listener(b, c, &bound);
    if (ok) {
        l->is_open = true; /* even when only some are: they are to be closed again */
        ok = open_sockets(b, l, from, why, sizeof(why));
    }
    if (!ok)
        problems_error(problems, c->lines.header, "listener %s: %s", c->name, why);
    return ok;
}

bool balancer_may_listen(struct balancer *b, const struct config *config, struct problems *problems)
{
    const size_t errors = problems->errors;
    char why[256];

    for (size_t i = 0; i < config->listener_count; i++) {
        const struct listener_config *c = &config->listeners[i];
        struct addr bound = c->bind;
        const struct listener *l = find_listener(b, c);
        if ((l == NULL || !l->is_open) && !may_bind(b, &bound, why, sizeof(why)))
            problems_error(problems, c->lines.header, "listener %s: %s", c->name, why);
    }
    return problems->errors == errors;
}

bool balancer_open_listeners(struct balancer *b, const struct config *config,
                             struct problems *problems)
{
    bool ok = true;

    for (size_t i = 0; i < config->listener_count; i++)
        ok &= open_listener(b, &config->listeners[i], problems);
    return ok;
}

void balancer_close_listeners(struct balancer *b, const struct config *config)
{
    list_each (at, &b->listeners) {
        struct listener *l = list_entry(at, struct listener, link);
        if (l->is_open && listener_config_of(config, l) == NULL)
            begin_leaving(b, l);
    }
}
