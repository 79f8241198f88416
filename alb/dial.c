/* dial.c -- see dial.h. */
#include "alb/dial.h"

#include <unistd.h>

#include "base/mem.h"
#include "net/tls_client.h"

#include "alb/balancer.h"
#include "alb/greeter.h"
#include "alb/target.h"
#include "alb/target_conn.h"
#include "alb/worker.h"

static const double RETRY_S = 0.01;

struct dial {
    struct list link; /* in a line while it waits */
    struct worker *worker;
    struct target *target; /* references */
    struct tls_client *client;
    int fd;                         /* owned on the way out */
    struct handshake_result result; /* on the way back */
    dial_fn *done;                  /* the worker's thread only; NULL when it let go */
    void *user;
    atomic_bool is_orphan; /* it let go: tells the greeter */
    atomic_bool is_connected;
};

static void dial_free(struct dial *d)
{
    target_unref(&d->target);
    tls_client_unref(&d->client);
    free(d);
}

/* --- lines ------------------------------------------------------------------------ */

/* Once it is posted, another thread has it: it may stand in a line there, or be freed.
 * One whose inbox is full keeps its place, and does not hold up those for others. */
static void on_retry(struct ev_loop *loop, ev_timer *timer, int revents)
{
    struct dial_line *line = timer->data;
    (void)revents;

    list_each_safe (at, after, &line->waiting) {
        struct dial *d = list_entry(at, struct dial, link);
        list_remove(&d->link);
        if (!line->post(d))
            list_insert_before(after, &d->link);
    }
    if (list_is_empty(&line->waiting))
        ev_timer_stop(loop, timer);
}

static void send_off(struct dial_line *line, struct ev_loop *loop, struct dial *d)
{
    if (list_is_empty(&line->waiting) && line->post(d))
        return;
    list_append(&line->waiting, &d->link);
    if (!ev_is_active(&line->retry))
        ev_timer_again(loop, &line->retry);
}

static void line_init(struct dial_line *line, bool (*post)(struct dial *))
{
    list_init(&line->waiting);
    line->post = post;
    line->turn = 0;
    ev_timer_init(&line->retry, on_retry, 0, RETRY_S);
    line->retry.data = line;
}

/* --- back at the worker -------------------------------------------------------------- */

static void come_home(struct loop *loop, void *arg)
{
    struct dial *d = arg;

    worker_here = loop->user;
    if (d->done != NULL) {
        d->done(d->user, &d->result);
    } else if (d->result.why == NULL) {
        tls_session_free(&d->result.tls);
        close(d->result.fd);
    }
    dial_free(d);
}

static bool post_home(struct dial *d)
{
    return loop_post(&d->worker->loop, come_home, d);
}

/* --- at the greeter --------------------------------------------------------------------- */

static void on_shaken(void *user, struct handshake_result *result)
{
    struct dial_desk *desk = user;
    struct dial *d = result->tag;

    d->result = *result;
    send_off(&desk->home, desk->handshaker.loop->ev, d);
}

static void take(struct loop *loop, void *arg)
{
    struct greeter *g = loop->user;
    struct dial_desk *desk = &g->dials;
    struct dial *d = arg;

    if (atomic_load_explicit(&d->is_orphan, memory_order_relaxed)) {
        close(d->fd);
        d->result = (struct handshake_result){ .fd = -1, .why = "nobody waits for it" };
        send_off(&desk->home, loop->ev, d);
        return;
    }
    struct tls_session *tls = tls_client_session(d->client, d->target->tls, d->fd);
    handshaker_connect(&desk->handshaker, d->fd, tls, &d->is_connected, d);
}

void dial_desk_init(struct dial_desk *desk, struct loop *loop)
{
    handshaker_init(&desk->handshaker, loop, TARGET_CONNECT_MS, on_shaken, desk);
    line_init(&desk->home, post_home);
}

void dial_desk_done(struct dial_desk *desk)
{
    handshaker_done(&desk->handshaker);
    ev_timer_stop(desk->handshaker.loop->ev, &desk->home.retry);
    list_each_safe (at, after, &desk->home.waiting) {
        struct dial *d = list_entry(at, struct dial, link);
        list_remove(&d->link);
        come_home(&d->worker->loop, d);
    }
}

/* --- from the worker ---------------------------------------------------------------------- */

/* Any greeter that has room, each in its turn. */
static bool post_out(struct dial *d)
{
    struct balancer *b = d->worker->balancer;
    const unsigned count = (unsigned)b->greeter_count;

    for (unsigned i = 0; i < count; i++) {
        struct greeter *g = &b->greeters[d->worker->dials.turn++ % count];
        if (loop_post(&g->loop, take, d))
            return true;
    }
    return false;
}

void dial_line_init(struct dial_line *line)
{
    line_init(line, post_out);
}

void dial_line_done(struct dial_line *line, struct loop *loop)
{
    ev_timer_stop(loop->ev, &line->retry);
    list_each_safe (at, after, &line->waiting) {
        struct dial *d = list_entry(at, struct dial, link);
        list_remove(&d->link);
        close(d->fd);
        dial_free(d);
    }
}

struct dial *dial_start(struct worker *w, struct target *target, struct tls_client *client, int fd,
                        dial_fn *done, void *user)
{
    struct dial *d = mem_new(struct dial);

    d->worker = w;
    d->target = target_ref(target);
    d->client = tls_client_ref(client);
    d->fd = fd;
    d->done = done;
    d->user = user;
    atomic_init(&d->is_orphan, false);
    atomic_init(&d->is_connected, false);
    send_off(&w->dials, w->loop.ev, d);
    return d;
}

void dial_let_go(struct dial **dial)
{
    struct dial *d = *dial;

    *dial = NULL;
    if (d == NULL)
        return;
    d->done = NULL;
    atomic_store_explicit(&d->is_orphan, true, memory_order_relaxed);
}

bool dial_is_connected(const struct dial *dial)
{
    return atomic_load_explicit(&dial->is_connected, memory_order_relaxed);
}
