/*
 * ready_visit.c -- see ready_visit.h.
 *
 *     reading ---> writing ---> finishing (FIN sent, the client's awaited) ---> (closed)
 *
 * All of that within VISIT_S. watch() is the only place that chooses events, and a visit is freed
 * only by settle(), its time-out, a newer one's coming, and the end of all.
 */
#include "alb/ready_visit.h"

#include <ev.h>

#include "base/bug.h"
#include "base/mem.h"
#include "http/reply.h"
#include "net/stream.h"

#include "alb/balancer.h"
#include "alb/ready_page.h"
#include "alb/ready_question.h"

enum { OUT_MAX = 2048 };

static const double VISIT_S = 5;

struct visit {
    struct list link;
    struct ready_visits *visits;
    void *door;
    struct stream stream;
    ev_io io;
    ev_timer timer;
    struct buf in, out;
    size_t scanned;
    bool is_answered, is_finishing, is_ended;
};

/* --- what is answered -------------------------------------------------------------- */

static void put_reply(struct visit *v, struct http_reply *reply)
{
    reply->server = "postern-alb";
    reply->content_type = SPAN("text/plain; charset=utf-8");
    reply->close = true;
    reply->no_store = true;
    v->is_answered = true;
    if (!http_reply(&v->out, reply))
        bug("an answer of [health] does not fit");
}

static void answer(struct visit *v)
{
    struct http_message *m = &v->visits->request;
    struct http_reply reply = { 0 };

    if (v->is_answered)
        return;
    switch (ready_question_read(buf_data(&v->in), m, &v->scanned)) {
    case READY_PARTIAL:
        return;
    case READY_BAD_HEAD:
        v->is_ended = true;
        return;
    case READY_REFUSED:
        reply.status = m->refuse_status;
        break;
    case READY_ASKED:
        ready_page(v->visits->balancer, m, &reply);
        reply.head_only = m->method_id == HTTP_HEAD;
        break;
    }
    put_reply(v, &reply);
}

/* --- its life -------------------------------------------------------------------------- */

static void visit_free(struct visit *v)
{
    struct ready_visits *visits = v->visits;
    struct ev_loop *loop = visits->balancer->control.ev;
    void *door = v->door;

    ev_io_stop(loop, &v->io);
    ev_timer_stop(loop, &v->timer);
    stream_close(&v->stream);
    buf_done(&v->in);
    buf_done(&v->out);
    list_remove(&v->link);
    free(v);
    visits->on_end(door);
}

/* What comes behind the request is thrown away. */
static void read_some(struct visit *v)
{
    char bytes[1024];
    size_t moved = 0;
    const size_t room = v->is_answered ? sizeof(bytes) : buf_room(&v->in);

    switch (stream_read(&v->stream, bytes, room < sizeof(bytes) ? room : sizeof(bytes), &moved)) {
    case STREAM_MOVED:
        if (!v->is_answered)
            buf_put(&v->in, span_of(bytes, moved));
        return;
    case STREAM_BLOCKED:
        return;
    case STREAM_EOF:
    case STREAM_FAILED:
        v->is_ended = true;
        return;
    }
}

static void write_some(struct visit *v)
{
    size_t moved = 0;

    while (buf_len(&v->out) > 0) {
        const enum stream_io io = stream_write(&v->stream, buf_data(&v->out), &moved);
        if (io == STREAM_FAILED || io == STREAM_EOF)
            v->is_ended = true;
        if (io != STREAM_MOVED)
            return;
        buf_drop(&v->out, moved);
    }
    if (v->is_answered && !v->is_finishing) {
        v->is_finishing = true;
        stream_finish(&v->stream);
    }
}

static void watch(struct visit *v)
{
    struct ev_loop *loop = v->visits->balancer->control.ev;

    ev_io_stop(loop, &v->io);
    ev_io_set(&v->io, v->stream.fd, buf_len(&v->out) > 0 ? EV_WRITE : EV_READ);
    ev_io_start(loop, &v->io);
}

/* May free it. */
static void settle(struct visit *v)
{
    if (!v->is_ended)
        answer(v);
    if (!v->is_ended)
        write_some(v);
    if (v->is_ended)
        visit_free(v);
    else
        watch(v);
}

static void on_io(struct ev_loop *loop, ev_io *io, int revents)
{
    struct visit *v = io->data;
    (void)loop;

    if (revents & EV_READ)
        read_some(v);
    settle(v);
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int revents)
{
    (void)loop;
    (void)revents;
    visit_free(timer->data);
}

void ready_visits_init(struct ready_visits *visits, struct balancer *b, void (*on_end)(void *door))
{
    visits->balancer = b;
    visits->on_end = on_end;
    list_init(&visits->all);
}

void ready_visit_begin(struct ready_visits *visits, int fd, void *door)
{
    struct visit *v = mem_new(struct visit);

    v->visits = visits;
    v->door = door;
    stream_init(&v->stream, fd, NULL);
    buf_init(&v->in, READY_QUESTION_MAX);
    buf_init(&v->out, OUT_MAX);
    ev_io_init(&v->io, on_io, fd, EV_READ);
    v->io.data = v;
    ev_timer_init(&v->timer, on_timer, VISIT_S, 0);
    v->timer.data = v;
    ev_timer_start(visits->balancer->control.ev, &v->timer);
    list_append(&visits->all, &v->link);
    watch(v);
}

/* It may have asked in the moment in which all the others came. */
static void end_early(struct visit *v)
{
    read_some(v);
    if (!v->is_ended)
        answer(v);
    if (!v->is_ended)
        write_some(v);
    visit_free(v);
}

void ready_visit_end_oldest(struct ready_visits *visits, const void *door)
{
    list_each (at, &visits->all) {
        struct visit *v = list_entry(at, struct visit, link);
        if (v->door == door) {
            end_early(v);
            return;
        }
    }
}

void ready_visits_end(struct ready_visits *visits)
{
    list_each_safe (at, after, &visits->all)
        visit_free(list_entry(at, struct visit, link));
}
