/* loop.c -- one thread's world: its event loop, inbox, wheel and scratch buffer. */
#include <signal.h>

#include "base/buf.h"
#include "base/bug.h"
#include "base/clock.h"
#include "base/mem.h"

#include "net/loop.h"

/* Only what was there when the turn began: jobs that post jobs never keep the
 * sockets waiting. Whoever posts wakes the loop afterwards, so the rest, and a
 * cell that is claimed but not filled yet (false then), come with a wake-up of
 * their own. */
static bool run_inbox(struct loop *l)
{
    struct queue_job job;
    size_t left = queue_claimed(&l->inbox);
    for (; left > 0 && queue_pop(&l->inbox, &job); left--)
        job.run(l, job.arg);
    return left == 0;
}

static void on_wake(struct ev_loop *ev, ev_async *wake, int revents)
{
    struct loop *l = wake->data;
    (void)revents;

    /* Read before the inbox: what was posted before the stop is in there. */
    bool is_stopping = atomic_load_explicit(&l->is_stopping, memory_order_acquire);
    if (run_inbox(l) && is_stopping)
        ev_break(ev, EVBREAK_ALL);
}

static void take_time(struct loop *l)
{
    l->mono_us = clock_mono_us();
    l->mono_ms = l->mono_us / 1000;
    l->wall_us = clock_wall_us();
}

static void on_turn(struct ev_loop *ev, ev_check *turn, int revents)
{
    struct loop *l = turn->data;
    (void)ev;
    (void)revents;
    take_time(l);
}

void loop_init(struct loop *l, int index, size_t inbox_size, void *user)
{
    memset(l, 0, sizeof(*l));
    l->index = index;
    l->user = user;
    take_time(l);
    l->ev = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
    if (l->ev == NULL)
        bug("no epoll loop: out of descriptors?");
    l->scratch = mem_zero(LOOP_SCRATCH_BYTES);
    atomic_init(&l->is_stopping, false);
    queue_init(&l->inbox, inbox_size);
    wheel_init(&l->wheel, l->ev);

    ev_async_init(&l->wake, on_wake);
    l->wake.data = l;
    ev_async_start(l->ev, &l->wake);
    ev_check_init(&l->turn, on_turn);
    l->turn.data = l;
    ev_set_priority(&l->turn, EV_MAXPRI);
    ev_check_start(l->ev, &l->turn);
}

void loop_done(struct loop *l)
{
    wheel_done(&l->wheel);
    ev_check_stop(l->ev, &l->turn);
    ev_async_stop(l->ev, &l->wake);
    ev_loop_destroy(l->ev);
    queue_done(&l->inbox);
    mem_free(l->scratch);
}

static void *run_thread(void *arg)
{
    struct loop *l = arg;
    ev_run(l->ev, 0);
    buf_thread_done();
    return NULL;
}

void loop_start(struct loop *l, const char *name)
{
    char shown[16];
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    if (pthread_create(&l->thread, NULL, run_thread, l) != 0)
        bug("no thread for a loop: out of processes?");
    pthread_sigmask(SIG_SETMASK, &before, NULL);

    snprintf(shown, sizeof(shown), "%s", name);
    pthread_setname_np(l->thread, shown);
    l->has_thread = true;
}

void loop_stop(struct loop *l)
{
    atomic_store_explicit(&l->is_stopping, true, memory_order_release);
    ev_async_send(l->ev, &l->wake);
}

void loop_join(struct loop *l)
{
    if (l->has_thread)
        pthread_join(l->thread, NULL);
    l->has_thread = false;
}

void loop_run_left(struct loop *l)
{
    run_inbox(l);
}

bool loop_post(struct loop *l, loop_fn *run, void *arg)
{
    if (!queue_push(&l->inbox, (struct queue_job){ .run = run, .arg = arg }))
        return false;
    ev_async_send(l->ev, &l->wake);
    return true;
}
