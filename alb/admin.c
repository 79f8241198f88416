/*
 * admin.c -- the connections of the admin port and of the control socket.
 *
 *     reading ---> (held until a change is in force, ---> writing
 *        ^          or a long answer is there)               |
 *        ^                                                   |
 *        +---------------------- keep-alive ----------------+
 *                                                            |
 *                                     finishing (FIN sent) <-+
 *
 * One request at a time on each: nothing is read while one is held or its answer being
 * written. Everything that a connection waits for is worked out in
 * watch(); a connection is freed only by its own callbacks, in settle().
 */
#include "alb/admin.h"

#include <errno.h>
#include <ev.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/mem.h"
#include "http/parse.h"
#include "http/reply.h"
#include "net/listener.h"
#include "net/stream.h"

#include "alb/admin_private.h"
#include "alb/balancer.h"

enum {
    CONNECTIONS_MAX = 64, /* on each of the two */
    REQUEST_BODY_MAX = 1024 * 1024,
    READ_BYTES = 16 * 1024,
    REPLY_HEAD_MAX = 4096,
};

static const double idle_seconds = 30, finish_seconds = 2;

/* The admin port, or the control socket. */
struct door {
    struct admin *admin;
    struct acceptor acceptor;
    struct addr bound;
    bool is_open, is_control;
    uint32_t count; /* connections */
};

struct admin {
    struct balancer *balancer;
    struct ev_loop *loop;
    struct door tcp, control;
    struct list conns;
    struct http_message request; /* scratch of one parse */
};

struct conn {
    struct door *door;
    struct list link;
    struct stream stream;
    ev_io io;
    ev_timer idle;
    struct buf in, out;
    size_t scanned;
    size_t need;  /* bytes of `in` without which parsing again is no use */
    bool is_held; /* until what is under way is in force: either `out` has an
                     answer that is true only then, or `in` a request for then */
    struct waiter waiter;
    struct admin_pending *pending; /* the answer that it is held for, ready when it is not held
                                      any more; NULL when there is none */
    bool is_last;                  /* no request after this answer */
    bool is_finishing;             /* the last answer has gone; wait for the client's FIN */
    bool is_ended;
};

static void settle(struct conn *c);

/* --- one request ------------------------------------------------------------------- */

static void put_reply(struct conn *c, const struct http_reply *reply)
{
    if (!http_reply(&c->out, reply))
        bug("an answer of the admin port does not fit");
}

/* Not a request that can be answered: say why, and read no more. */
static void refuse(struct conn *c, int status, const char *why)
{
    c->is_last = true;
    put_reply(c, &(struct http_reply){ .status = status,
                                       .server = ADMIN_SERVER,
                                       .content_type = SPAN("text/plain; charset=utf-8"),
                                       .body = span_text(why),
                                       .close = true });
}

static void hold(struct conn *c, uint64_t number)
{
    c->is_held = true;
    balancer_wait(c->door->admin->balancer, &c->waiter, number);
}

/* A long answer is there. */
static void on_ready(void *user)
{
    struct conn *c = user;

    c->is_held = false;
    settle(c);
}

/* Ask, or take what was asked for before. */
static void get_answer(struct conn *c, const struct http_message *m, struct admin_answer *a)
{
    struct admin_pending *pending = c->pending;
    const struct admin_request request = {
        .head = m,
        .body = span_of(buf_data(&c->in).ptr + m->head_len, (size_t)m->content_length),
        .is_control = c->door->is_control,
        .port = addr_port(&c->door->bound),
    };

    c->pending = NULL;
    if (pending == NULL) {
        admin_route(c->door->admin->balancer, &request, a);
        return;
    }
    admin_answer_init(a);
    pending->finish(pending, a);
}

/* Is it none yet? Then hold the request until there is more to say. */
static bool must_wait(struct conn *c, struct admin_answer *a)
{
    if (a->is_later) {
        hold(c, c->door->admin->balancer->published);
    } else if (a->pending != NULL) {
        c->is_held = true;
        c->pending = a->pending;
        c->pending->ready = on_ready;
        c->pending->user = c;
    }
    return a->is_later || a->pending != NULL;
}

/* False when it has to wait for its turn. */
static bool answer(struct conn *c, const struct http_message *m)
{
    struct balancer *b = c->door->admin->balancer;
    struct admin_answer a;

    get_answer(c, m, &a);
    if (must_wait(c, &a)) {
        buf_done(&a.body);
        return false;
    }
    c->is_last = !m->keep_alive || m->class_ > HTTP_ACCEPTABLE;
    put_reply(c, &(struct http_reply){ .status = a.status,
                                       .server = ADMIN_SERVER,
                                       .fields = a.fields,
                                       .content_type = span_text(a.type),
                                       .body = buf_data(&a.body),
                                       .head_only = m->method_id == HTTP_HEAD,
                                       .close = c->is_last });
    buf_done(&a.body);
    if (a.in_force > b->in_force)
        hold(c, a.in_force);
    return true;
}

/* The head is whole: take the request once its body is. */
static void take_request(struct conn *c, const struct http_message *m)
{
    const size_t whole = m->head_len + (size_t)m->content_length;

    if (m->framing == HTTP_BODY_CHUNKED) {
        refuse(c, 411, "Send the body with a Content-Length.\n");
    } else if (m->content_length > REQUEST_BODY_MAX) {
        refuse(c, 413, "The body has more than 1 MB.\n");
    } else if (buf_len(&c->in) < whole) {
        c->need = whole;
        c->scanned = 0;
    } else {
        c->scanned = 0;
        if (!answer(c, m))
            return;
        buf_drop(&c->in, whole);
        buf_release(&c->in);
        c->need = 1;
    }
}

/* Answer what has come, if it is a whole request. */
static void process(struct conn *c)
{
    struct http_message *m = &c->door->admin->request;

    if (c->is_held || buf_len(&c->out) > 0 || c->is_last || buf_len(&c->in) < c->need)
        return;
    switch (http_request_parse(buf_data(&c->in), HTTP_DEFENSIVE, m, &c->scanned)) {
    case HTTP_PARTIAL:
        return;
    case HTTP_REFUSED:
        refuse(c, m->refuse_status, m->refuse_why);
        return;
    case HTTP_PARSED:
        take_request(c, m);
        return;
    }
    bug("unknown outcome of a parse");
}

/* --- bytes in and out ---------------------------------------------------------------- */

static void set_idle(struct conn *c, double seconds)
{
    c->idle.repeat = seconds;
    ev_timer_again(c->door->admin->loop, &c->idle);
}

static void read_some(struct conn *c)
{
    char *space = buf_space(&c->in, READ_BYTES);
    size_t moved;

    if (space == NULL)
        bug("a request of the admin port does not fit");
    switch (stream_read(&c->stream, space, READ_BYTES, &moved)) {
    case STREAM_MOVED:
        if (!c->is_finishing)
            buf_added(&c->in, moved);
        return;
    case STREAM_BLOCKED:
        return;
    case STREAM_EOF:
    case STREAM_FAILED:
        c->is_ended = true;
        return;
    }
    bug("unknown outcome of a read");
}

/* Closing at once would throw an answer away that the client has not read, when
 * there is something of its own that we have not. */
static void finish(struct conn *c)
{
    c->is_finishing = true;
    stream_finish(&c->stream);
    buf_done(&c->in);
    set_idle(c, finish_seconds);
}

static void write_some(struct conn *c)
{
    size_t moved;

    if (c->is_held || buf_len(&c->out) == 0)
        return;
    switch (stream_write(&c->stream, buf_data(&c->out), &moved)) {
    case STREAM_MOVED:
        buf_drop(&c->out, moved);
        buf_release(&c->out);
        set_idle(c, idle_seconds);
        return;
    case STREAM_BLOCKED:
        return;
    case STREAM_EOF:
    case STREAM_FAILED:
        c->is_ended = true;
        return;
    }
    bug("unknown outcome of a write");
}

static void watch(struct conn *c)
{
    struct ev_loop *loop = c->door->admin->loop;
    const int events = c->is_held ? 0 : buf_len(&c->out) > 0 ? EV_WRITE : EV_READ;

    ev_io_stop(loop, &c->io);
    ev_io_set(&c->io, c->stream.fd, events);
    if (events != 0)
        ev_io_start(loop, &c->io);
}

static void conn_free(struct conn *c)
{
    struct admin *admin = c->door->admin;

    ev_io_stop(admin->loop, &c->io);
    ev_timer_stop(admin->loop, &c->idle);
    stream_close(&c->stream);
    buf_done(&c->in);
    buf_done(&c->out);
    if (c->pending != NULL)
        c->pending->give_up(c->pending);
    list_remove(&c->waiter.link);
    list_remove(&c->link);
    c->door->count--;
    if (c->door->count == CONNECTIONS_MAX - 1)
        acceptor_resume(&c->door->acceptor);
    free(c);
}

/* Go on as far as it goes without waiting. May free the connection. */
static void settle(struct conn *c)
{
    size_t before;

    do { /* requests that came together are answered one after the other */
        before = buf_len(&c->in);
        process(c);
        write_some(c);
    } while (!c->is_ended && buf_len(&c->out) == 0 && buf_len(&c->in) < before);

    if (!c->is_ended && !c->is_finishing && c->is_last && buf_len(&c->out) == 0)
        finish(c);
    if (c->is_ended)
        conn_free(c);
    else
        watch(c);
}

static void on_io(struct ev_loop *loop, ev_io *io, int revents)
{
    struct conn *c = io->data;
    (void)loop;

    if (revents & EV_READ)
        read_some(c);
    settle(c);
}

static void on_idle(struct ev_loop *loop, ev_timer *timer, int revents)
{
    (void)loop;
    (void)revents;
    conn_free(timer->data);
}

/* Every loop has what is new. */
static void on_in_force(struct waiter *waiter)
{
    struct conn *c = list_entry(waiter, struct conn, waiter);

    c->is_held = false;
    settle(c);
}

/* --- the doors ----------------------------------------------------------------------- */

static void on_accept(struct acceptor *acceptor, int fd, const struct addr *peer)
{
    struct door *door = acceptor->user;
    struct conn *c = mem_new(struct conn);
    (void)peer;

    c->door = door;
    c->need = 1;
    stream_init(&c->stream, fd, NULL);
    buf_init(&c->in, HTTP_HEAD_MAX + REQUEST_BODY_MAX + READ_BYTES);
    buf_init(&c->out, ADMIN_BODY_MAX + REPLY_HEAD_MAX);
    ev_io_init(&c->io, on_io, fd, EV_READ);
    c->io.data = c;
    list_init(&c->waiter.link);
    c->waiter.wake = on_in_force;
    ev_init(&c->idle, on_idle);
    c->idle.data = c;
    list_append(&door->admin->conns, &c->link);
    if (++door->count == CONNECTIONS_MAX)
        acceptor_hold(acceptor);
    set_idle(c, idle_seconds);
    watch(c);
}

static bool open_door(struct door *door, const struct addr *addr, char *why, size_t why_size)
{
    const int fd = listener_open(addr, false, why, why_size);

    if (fd == -1)
        return false;
    if (door->is_control || !addr_local(fd, &door->bound))
        door->bound = *addr;
    acceptor_start(&door->acceptor, door->admin->loop, fd, on_accept, door);
    door->is_open = true;
    return true;
}

static void close_door(struct door *door)
{
    if (!door->is_open)
        return;
    acceptor_stop(&door->acceptor);
    close(door->acceptor.fd);
    door->is_open = false;
}

bool admin_listen_tcp(struct admin *admin, const struct addr *addr, struct addr *bound, char *why,
                      size_t why_size)
{
    if (!admin->tcp.is_open && !open_door(&admin->tcp, addr, why, why_size))
        return false;
    *bound = admin->tcp.bound;
    return true;
}

bool admin_listen_unix(struct admin *admin, const char *path, char *why, size_t why_size)
{
    struct door *door = &admin->control;
    struct addr addr;

    if (door->is_open)
        return true;
    if (!addr_unix(path, &addr)) {
        snprintf(why, why_size, "%s: the path of a Unix socket has 1 to 107 bytes", path);
        return false;
    }
    if (!open_door(door, &addr, why, why_size))
        return false;
    if (chmod(path, 0660) == 0)
        return true;
    snprintf(why, why_size, "%s: cannot set its mode to 0660: %s", path, strerror(errno));
    close_door(door);
    unlink(path);
    return false;
}

static struct door *door_of(struct admin *admin, bool is_control)
{
    return is_control ? &admin->control : &admin->tcp;
}

int admin_socket(const struct admin *admin, bool is_control, struct addr *bound)
{
    const struct door *door = is_control ? &admin->control : &admin->tcp;

    *bound = door->bound;
    return door->is_open ? door->acceptor.fd : -1;
}

void admin_take_socket(struct admin *admin, bool is_control, int fd, const struct addr *bound)
{
    struct door *door = door_of(admin, is_control);

    door->bound = *bound;
    acceptor_start(&door->acceptor, admin->loop, fd, on_accept, door);
    door->is_open = true;
}

void admin_accept(struct admin *admin, bool on)
{
    void (*apply)(struct acceptor *) = on ? acceptor_resume : acceptor_hold;

    if (admin->tcp.is_open)
        apply(&admin->tcp.acceptor);
    if (admin->control.is_open)
        apply(&admin->control.acceptor);
}

void admin_leave(struct admin *admin)
{
    close_door(&admin->tcp);
    close_door(&admin->control);
}

bool admin_is_idle(const struct admin *admin)
{
    return list_is_empty(&admin->conns);
}

struct admin *admin_new(struct balancer *balancer)
{
    struct admin *admin = mem_new(struct admin);

    admin->balancer = balancer;
    admin->loop = balancer->control.ev;
    admin->tcp.admin = admin->control.admin = admin;
    admin->control.is_control = true;
    list_init(&admin->conns);
    return admin;
}

void admin_free(struct admin **admin)
{
    struct admin *a = *admin;

    *admin = NULL;
    if (a == NULL)
        return;
    if (a->control.is_open)
        unlink(a->control.bound.un.sun_path);
    close_door(&a->tcp);
    close_door(&a->control);
    list_each_safe (at, after, &a->conns)
        conn_free(list_entry(at, struct conn, link));
    free(a);
}
