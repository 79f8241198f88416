/* moving.c -- see moving.h. */
#include "alb/moving.h"

#include "base/mem.h"
#include "base/record.h"

#include "alb/balancer.h"
#include "alb/client.h"
#include "alb/handing.h"
#include "alb/tunnel_record.h"
#include "alb/worker.h"

enum {
    ONE_MAX = 1024 * 1024,            /* of a tunnel, with all that waits */
    BATCH_MAX = MOVING_MAX * ONE_MAX, /* and what a handover takes */
};

struct moving *moving_new(struct worker *w, loop_fn *packed)
{
    struct moving *m = mem_new(struct moving);

    m->worker = w;
    m->packed = packed;
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
    const struct listener *listener;
    struct handshake_result from;
    struct buf bytes;

    client_describe(c, &from, &listener);
    buf_init(&bytes, 4096);
    record_put(&bytes, CLIENT_LISTENER_NAME, span_text(listener->name));
    record_put(&bytes, CLIENT_LISTENER_BIND, span_text(listener->bind));
    record_put(&bytes, CLIENT_LISTENER_BOUND, span_of(&listener->bound, sizeof(listener->bound)));
    record_put(&bytes, CLIENT_ID, span_of(from.id, sizeof(from.id)));
    record_put_number(&bytes, CLIENT_ACCEPTED_US, from.accepted_us);
    record_put(&bytes, CLIENT_PEER, span_of(&from.peer, sizeof(from.peer)));
    record_put(&m->bytes, MOVE_CLIENT, buf_data(&bytes));
    buf_done(&bytes);
    m->fds[m->fd_count++] = from.fd;
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
