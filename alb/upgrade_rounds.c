/* upgrade_rounds.c -- see upgrade_rounds.h. */
#include "alb/upgrade_rounds.h"

#include "net/handover.h"

#include "alb/balancer_private.h"
#include "alb/handing.h"
#include "alb/moving.h"
#include "alb/worker.h"

static const double ROUND_S = 0.25; /* between two looks at who can go by now */
static const double TAKEN_S = 5;    /* so long for one batch */
enum { IDLE_ROUNDS = 20 };          /* then idle TLS clients are hung up on */

static struct ev_loop *loop_of(const struct upgrade_rounds *r)
{
    return r->balancer->control.ev;
}

/* --- a batch -------------------------------------------------------------------------------- */

static loop_fn on_packed;

static void next_worker(struct upgrade_rounds *r)
{
    r->moving = moving_new(&r->balancer->workers[r->worker], on_packed, r);
    r->is_sent = false;
    balancer_must_post(&r->moving->worker->loop, moving_pack, r->moving);
}

static void end_turn(struct upgrade_rounds *r)
{
    moving_free(r->moving);
    r->moving = NULL;
    if (++r->worker < r->balancer->worker_count) {
        next_worker(r);
        return;
    }
    r->worker = 0;
    if (++r->count == 1)
        r->on_first(r->user);
    if (r->count == IDLE_ROUNDS)
        balancer_tell_workers(r->balancer, worker_hang_up_idle, NULL);
    ev_timer_set(&r->next, ROUND_S, 0);
    ev_timer_start(loop_of(r), &r->next);
}

static void send_batch(struct upgrade_rounds *r)
{
    const struct moving *m = r->moving;

    r->is_sent = true;
    handover_send(r->link, HANDING_MOVE, buf_data(&m->bytes), m->fds, m->fd_count);
    ev_timer_set(&r->patience, TAKEN_S, 0);
    ev_timer_start(loop_of(r), &r->patience);
}

/* A batch is filled. */
static void on_packed(struct loop *loop, void *arg)
{
    struct balancer *b = loop->user;
    struct moving *m = arg;
    struct upgrade_rounds *r = m->user;

    if (b->worker_count == 0) /* this process ends: it was empty, or all was cut */
        moving_free(m);
    else if (r == NULL) /* nobody waits for it any more */
        balancer_must_post(&m->worker->loop, moving_put_back, m);
    else if (m->fd_count == 0)
        end_turn(r);
    else
        send_batch(r);
}

bool upgrade_rounds_taken(struct upgrade_rounds *r)
{
    struct moving *m = r->moving;

    if (!r->is_sent)
        return false;
    ev_timer_stop(loop_of(r), &r->patience);
    r->tunnels += m->tunnel_count;
    r->clients += m->client_count;
    r->is_sent = false;
    handover_send(r->link, HANDING_GO, SPAN(""), NULL, 0);
    balancer_must_post(&m->worker->loop, moving_let_go, m);
    return true;
}

/* --- rounds --------------------------------------------------------------------------------- */

static void on_next(struct ev_loop *loop, ev_timer *timer, int revents)
{
    struct upgrade_rounds *r = timer->data;
    (void)loop;
    (void)revents;

    if (r->link != NULL && r->balancer->state == RUN_LEAVING)
        next_worker(r);
}

static void on_patience(struct ev_loop *loop, ev_timer *timer, int revents)
{
    struct upgrade_rounds *r = timer->data;
    (void)loop;
    (void)revents;

    r->on_silent(r->user);
}

void upgrade_rounds_init(struct upgrade_rounds *r, struct balancer *b, struct handover *link,
                         upgrade_rounds_fn *on_first, upgrade_rounds_fn *on_silent, void *user)
{
    *r = (struct upgrade_rounds){
        .balancer = b, .link = link, .on_first = on_first, .on_silent = on_silent, .user = user
    };
    ev_timer_init(&r->patience, on_patience, TAKEN_S, 0);
    ev_timer_init(&r->next, on_next, ROUND_S, 0);
    r->patience.data = r->next.data = r;
}

void upgrade_rounds_start(struct upgrade_rounds *r)
{
    next_worker(r);
}

/* One that a loop has comes back to on_packed(). */
void upgrade_rounds_stop(struct upgrade_rounds *r)
{
    struct moving *m = r->moving;

    ev_timer_stop(loop_of(r), &r->patience);
    ev_timer_stop(loop_of(r), &r->next);
    if (m != NULL)
        m->user = NULL;
    if (r->is_sent && r->balancer->worker_count > 0)
        balancer_must_post(&m->worker->loop, moving_put_back, m);
    r->moving = NULL;
    r->is_sent = false;
    r->link = NULL;
}
