/* moving.c -- see moving.h. */
#include "alb/moving.h"

#include "base/mem.h"
#include "base/record.h"

#include "alb/balancer.h"
#include "alb/client.h"
#include "alb/handing.h"
#include "alb/handing_record.h"
#include "alb/tunnel_record.h"
#include "alb/worker.h"

enum {
    ONE_MAX = 1024 * 1024,            /* of a tunnel, with all that waits */
    BATCH_MAX = MOVING_MAX * ONE_MAX, /* and what a handover takes */
};

struct moving *moving_new(struct worker *w, loop_fn *packed, void *user)
{
    struct moving *m = mem_new(struct moving);

    m->worker = w;
    m->packed = packed;
    m->user = user;
    buf_init(&m->bytes, BATCH_MAX);
    return m;
}

void moving_free(struct moving *m)
{
    buf_done(&m->bytes);
    free(m);
}

/* --- filling ---------------------------------------------------------------------------- */

static void pack_tunnel(struct moving *m, struct tunnel *t)
{
    struct buf bytes;

    buf_init(&bytes, ONE_MAX);
    const bool ok = tunnel_pack(t, &bytes, m->fds + m->fd_count) &&
                    record_put(&m->bytes, MOVE_TUNNEL, buf_data(&bytes));
    buf_done(&bytes);
    if (!ok) { /* nothing so large exists; it would stay, and be looked at in the next round */
        tunnel_put_back(t);
        m->at = UINT32_MAX;
        return;
    }
    m->tunnels[m->tunnel_count++] = t;
    m->fd_count += 2;
}

static void pack_client(struct moving *m, struct client *c)
{
    struct arrival a;

    client_describe(c, &a);
    const struct listener *listener = a.listener;
    handing_put_client(&m->bytes, &(struct handing_client){ .name = span_text(listener->name),
                                                            .bind = span_text(listener->bind),
                                                            .bound = listener->bound,
                                                            .id = { a.from.id[0], a.from.id[1] },
                                                            .accepted_us = a.from.accepted_us,
                                                            .peer = a.from.peer,
                                                            .announced = a.announced });
    m->fds[m->fd_count++] = a.from.fd;
}

void moving_pack(struct loop *loop, void *arg)
{
    struct moving *m = arg;
    struct worker *w = loop->user;
    struct tunnel *t;

    worker_here = w;
    while (m->tunnel_count < MOVING_MAX && (t = tunnel_take_out(w, &m->at)) != NULL)
        pack_tunnel(m, t);
    if (m->tunnel_count == 0)
        m->client_count = clients_take_out(w, m->clients, MOVING_MAX);
    for (size_t i = 0; i < m->client_count; i++)
        pack_client(m, m->clients[i]);
    while (!loop_post(&w->balancer->control, m->packed, m))
        ; /* it never has 4096 jobs waiting while this is all that it waits for */
}

/* --- what became of them ------------------------------------------------------------------- */

static void empty(struct moving *m)
{
    m->tunnel_count = m->client_count = m->fd_count = 0;
    buf_done(&m->bytes);
    buf_init(&m->bytes, BATCH_MAX);
}

void moving_put_back(struct loop *loop, void *arg)
{
    struct moving *m = arg;

    worker_here = loop->user;
    for (size_t i = 0; i < m->tunnel_count; i++)
        tunnel_put_back(m->tunnels[i]);
    for (size_t i = 0; i < m->client_count; i++)
        client_put_back(m->clients[i]);
    moving_free(m);
}

void moving_let_go(struct loop *loop, void *arg)
{
    struct moving *m = arg;

    worker_here = loop->user;
    for (size_t i = 0; i < m->tunnel_count; i++)
        tunnel_let_go(m->tunnels[i]);
    for (size_t i = 0; i < m->client_count; i++)
        client_let_go(m->clients[i]);
    empty(m);
    moving_pack(loop, m); /* and the next ones */
}
