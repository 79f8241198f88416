/* inherit_take.c -- see inherit.h: connections that come from the old process. */
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/record.h"

#include "alb/balancer_private.h"
#include "alb/config.h"
#include "alb/handing.h"
#include "alb/handing_record.h"
#include "alb/inherit_private.h"
#include "alb/target.h"
#include "alb/tunnel_record.h"

/* --- who they belonged to ----------------------------------------------------------------- */

static uint32_t delay_of(const struct balancer *b, const char *group)
{
    const struct group_config *g = config_group(b->config, span_text(group));

    return g == NULL ? 0 : g->options.deregistration_delay_ms;
}

/* --- clients ------------------------------------------------------------------------------- */

static struct listener *add_closed(struct balancer *b, const struct inherited_from *from)
{
    struct listener *l = mem_new(struct listener);

    l->name = mem_text(from->name);
    l->bind = mem_text(from->bind);
    l->protocol = from->protocol;
    l->bound = from->bound;
    listener_take_number(l);
    list_append(&b->listeners, &l->link);
    return l;
}

struct listener *inherit_origin(struct balancer *b, const struct inherited_from *from)
{
    list_each (at, &b->listeners) {
        struct listener *l = list_entry(at, struct listener, link);
        if (l->protocol == from->protocol && addr_equal(&l->bound, &from->bound))
            return l;
    }
    return add_closed(b, from);
}

/* Only those of HTTP are handed over. */
static struct listener *find_listener(struct balancer *b, const char *name, const char *bind,
                                      const struct addr *bound)
{
    const struct inherited_from from = { name, bind, PROTOCOL_HTTP, *bound };

    return inherit_origin(b, &from);
}

static struct listener *listener_of(struct balancer *b, const struct handing_client *told)
{
    char *name = record_text(told->name), *bind = record_text(told->bind);
    struct listener *l = find_listener(b, name, bind, &told->bound);

    free(name);
    free(bind);
    return l;
}

static bool take_client(struct inherit *in, struct span bytes, int *fd)
{
    struct handing_client told;

    if (!handing_read_client(bytes, &told))
        return false;
    struct arrival *a = mem_new(struct arrival);
    a->listener = listener_of(in->balancer, &told);
    a->from = (struct handshake_result){ .fd = *fd,
                                         .peer = told.peer,
                                         .id = { told.id[0], told.id[1] },
                                         .accepted_us = told.accepted_us };
    a->announced = told.announced;
    *fd = -1;
    in->clients[in->client_count++] = a;
    return true;
}

/* --- tunnels ---------------------------------------------------------------------------- */

/* A reference with a place in its outstanding count. One that this configuration does not have
 * is on its way out, and its delay begins now if it was not told to run. */
static struct target *find_target(struct balancer *b, const struct tunnel_origin *origin)
{
    struct target *t = registry_target(&b->registry, origin->group, origin->target, &origin->addr);

    balancer_depart(b, t, delay_of(b, origin->group));
    atomic_fetch_add_explicit(&t->outstanding, 1, memory_order_relaxed);
    metric_add(&t->counters.connections_open, 1);
    return target_ref(t);
}

static void give_back(struct target *t)
{
    metric_sub(&t->counters.connections_open, 1);
    target_release(t);
    target_unref(&t);
}

static bool take_tunnel(struct inherit *in, struct span bytes, int fds[2])
{
    struct tunnel_origin from;

    if (!tunnel_read_origin(bytes, &from))
        return false;
    struct target *target = find_target(in->balancer, &from);
    struct listener *listener = find_listener(in->balancer, from.listener, from.bind, &from.bound);
    struct tunnel *t = tunnel_unpack(bytes, fds[0], fds[1], target, listener);
    tunnel_origin_done(&from);
    if (t == NULL) {
        give_back(target);
        return false;
    }
    fds[0] = fds[1] = -1;
    in->tunnels[in->tunnel_count++] = t;
    return true;
}

/* --- batches --------------------------------------------------------------------------------- */

static bool take_batch(struct inherit *in, struct handover_message *m)
{
    struct span left = m->bytes, value;
    bool ok = in->tunnel_count + in->client_count == 0;
    size_t at = 0;
    uint16_t type;

    while (ok && record_next(&left, &type, &value)) {
        const size_t need = type == MOVE_TUNNEL ? 2 : 1;
        ok = (type == MOVE_TUNNEL || type == MOVE_CLIENT) && need <= m->fd_count - at;
        if (ok && type == MOVE_TUNNEL)
            ok = take_tunnel(in, value, m->fds + at);
        else if (ok)
            ok = take_client(in, value, m->fds + at);
        at += need;
    }
    return ok && left.len == 0;
}

static void count_in(struct balancer *b)
{
    atomic_fetch_add(&b->connections, 1); /* beyond the limit, too: they are there */
}

static void go(struct inherit *in)
{
    struct balancer *b = in->balancer;

    for (size_t i = 0; i < in->tunnel_count; i++) {
        count_in(b);
        balancer_must_post(&balancer_pick_worker(b, NULL)->loop, worker_adopt_tunnel,
                           in->tunnels[i]);
    }
    for (size_t i = 0; i < in->client_count; i++) {
        count_in(b);
        balancer_must_post(&balancer_pick_worker(b, NULL)->loop, worker_adopt_moved,
                           in->clients[i]);
    }
    in->tunnel_count = in->client_count = 0;
}

void inherit_drop_batch(struct inherit *in)
{
    for (size_t i = 0; i < in->tunnel_count; i++)
        tunnel_discard(in->tunnels[i]);
    for (size_t i = 0; i < in->client_count; i++) {
        close(in->clients[i]->from.fd);
        free(in->clients[i]);
    }
    in->tunnel_count = in->client_count = 0;
}

void inherit_take(struct inherit *in, struct handover_message *m)
{
    if (m->type == HANDING_GO) {
        go(in);
    } else if (m->type == HANDING_MOVE && take_batch(in, m)) {
        handover_send(in->link, HANDING_TAKEN, SPAN(""), NULL, 0);
    } else {
        log_error("the old process hands over what cannot be read");
        inherit_drop_batch(in);
        handover_send(in->link, HANDING_FAILED, SPAN("it hands over what cannot be read"), NULL, 0);
    }
}
