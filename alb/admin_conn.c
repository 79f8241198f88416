/* admin_conn.c -- see admin_conn.h.
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
#include "alb/admin_conn.h"

#include <ev.h>

#include "base/bug.h"
#include "base/mem.h"
#include "http/parse.h"
#include "http/reply.h"
#include "net/stream.h"

#include "alb/admin_private.h"
#include "alb/balancer.h"

enum {
    REQUEST_BODY_MAX = 1024 * 1024,
    READ_BYTES = 16 * 1024,
    REPLY_HEAD_MAX = 4096,
};

static const double idle_seconds = 30, finish_seconds = 2;

struct conn {
    struct admin_host *host;
    struct caller caller;
    struct audit_entry audit; /* of the change that is asked for now */
    void *user;               /* for the host's on_end() */
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

static struct ev_loop *loop_of(const struct conn *c)
{
    return c->host->balancer->control.ev;
}

/* --- one request ------------------------------------------------------------------- */

static void put_reply(struct conn *c, const struct http_reply *reply)
{
    if (!http_reply(&c->out, reply))
        bug("an answer of the admin port does not fit");
}

/* It is not answered: say why, and read no more. */
static void refuse_with(struct conn *c, struct http_reply *reply)
{
    reply->server = ADMIN_SERVER;
    reply->content_type = SPAN("text/plain; charset=utf-8");
    reply->close = true;
    c->is_last = true;
    put_reply(c, reply);
}

static void refuse(struct conn *c, int status, const char *why)
{
    refuse_with(c, &(struct http_reply){ .status = status, .body = span_text(why) });
}

static void hold(struct conn *c, uint64_t number)
{
    c->is_held = true;
    balancer_wait(c->host->balancer, &c->waiter, number);
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
        .caller = &c->caller,
        .audit = &c->audit,
        .port = c->host->port,
    };

    c->pending = NULL;
    if (pending == NULL) {
        admin_route(c->host->balancer, &request, a);
        return;
    }
    admin_answer_init(a);
    pending->finish(pending, a);
}

/* Is it none yet? Then hold the request until there is more to say. */
static bool must_wait(struct conn *c, struct admin_answer *a)
{
    if (a->is_later) {
        hold(c, c->host->balancer->published);
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
    struct balancer *b = c->host->balancer;
    struct admin_answer a;

    get_answer(c, m, &a);
    if (must_wait(c, &a)) {
        buf_done(&a.body);
        return false;
    }
    audit_end(&b->audit, &c->audit, a.status);
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

/* Nothing of the body is read for somebody who may not ask. */
static bool is_let_in(struct conn *c, const struct http_message *m)
{
    struct admin_host *host = c->host;
    struct http_reply refusal = { .status = 401 };

    if (host->login == NULL || host->login(host, m, &c->caller, &refusal))
        return true;
    refuse_with(c, &refusal);
    return false;
}

static void refuse_head(struct conn *c)
{
    refuse(c, 431, "The head of the request is too long.\n");
}

/* The head is whole: take the request once its body is. */
static void take_request(struct conn *c, const struct http_message *m)
{
    const size_t whole = m->head_len + (size_t)m->content_length;

    if (m->head_len > c->host->head_max) {
        refuse_head(c);
    } else if (!is_let_in(c, m)) {
        return;
    } else if (m->framing == HTTP_BODY_CHUNKED) {
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
    struct http_message *m = c->host->request;

    if (c->is_held || buf_len(&c->out) > 0 || c->is_last || buf_len(&c->in) < c->need)
        return;
    switch (http_request_parse(buf_data(&c->in), HTTP_DEFENSIVE, m, &c->scanned)) {
    case HTTP_PARTIAL:
        if (buf_len(&c->in) > c->host->head_max)
            refuse_head(c);
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
    ev_timer_again(loop_of(c), &c->idle);
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
    buf_wipe(&c->in);
    set_idle(c, finish_seconds);
}

/* With nothing to write: what is still inside the TLS session. */
static enum stream_io push(struct conn *c, size_t *moved)
{
    *moved = 0;
    return buf_len(&c->out) == 0 ? stream_flush(&c->stream)
                                 : stream_write(&c->stream, buf_data(&c->out), moved);
}

static void write_some(struct conn *c)
{
    size_t moved;

    if (c->is_held || (buf_len(&c->out) == 0 && stream_wants(&c->stream) == 0))
        return;
    switch (push(c, &moved)) {
    case STREAM_MOVED:
        buf_drop(&c->out, moved);
        buf_release(&c->out);
        if (!c->is_finishing)
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

static bool has_output(const struct conn *c)
{
    return buf_len(&c->out) > 0 || stream_wants(&c->stream) != 0;
}

static void watch(struct conn *c)
{
    struct ev_loop *loop = loop_of(c);
    const int events = c->is_held ? 0 : has_output(c) ? EV_WRITE : EV_READ;

    ev_io_stop(loop, &c->io);
    ev_io_set(&c->io, c->stream.fd, events);
    if (events != 0)
        ev_io_start(loop, &c->io);
}

static void conn_free(struct conn *c)
{
    struct admin_host *host = c->host;
    void *user = c->user;

    ev_io_stop(loop_of(c), &c->io);
    ev_timer_stop(loop_of(c), &c->idle);
    stream_close(&c->stream);
    buf_wipe(&c->in); /* there may have been a token in it */
    buf_done(&c->out);
    if (c->pending != NULL)
        c->pending->give_up(c->pending);
    audit_end(&host->balancer->audit, &c->audit, 0);
    list_remove(&c->waiter.link);
    list_remove(&c->link);
    free(c);
    host->on_end(user);
}

/* What TLS has decrypted already: the socket will not become readable for it. */
static bool read_pending(struct conn *c)
{
    if (c->is_ended || c->is_held || has_output(c) || stream_pending(&c->stream) == 0)
        return false;
    read_some(c);
    return true;
}

/* Go on as far as it goes without waiting. May free the connection. */
static void settle(struct conn *c)
{
    size_t before;

    do { /* requests that came together are answered one after the other */
        before = buf_len(&c->in);
        process(c);
        write_some(c);
    } while (!c->is_ended && !has_output(c) && (read_pending(c) || buf_len(&c->in) < before));

    if (!c->is_ended && !c->is_finishing && c->is_last && !has_output(c))
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

/* --- all of a host ------------------------------------------------------------------- */

void admin_host_init(struct admin_host *host, struct balancer *b, struct http_message *request,
                     void (*on_end)(void *user))
{
    *host = (struct admin_host){
        .balancer = b, .head_max = HTTP_HEAD_MAX, .request = request, .on_end = on_end
    };
    list_init(&host->conns);
}

void admin_conn_begin(struct admin_host *host, int fd, struct tls_session *tls,
                      const struct caller *caller, void *user)
{
    struct conn *c = mem_new(struct conn);

    c->host = host;
    c->caller = *caller;
    c->user = user;
    c->need = 1;
    stream_init(&c->stream, fd, tls);
    buf_init(&c->in, HTTP_HEAD_MAX + REQUEST_BODY_MAX + READ_BYTES);
    buf_init(&c->out, ADMIN_BODY_MAX + REPLY_HEAD_MAX);
    ev_io_init(&c->io, on_io, fd, EV_READ);
    c->io.data = c;
    list_init(&c->waiter.link);
    c->waiter.wake = on_in_force;
    ev_init(&c->idle, on_idle);
    c->idle.data = c;
    list_append(&host->conns, &c->link);
    set_idle(c, idle_seconds);
    watch(c);
}

void admin_host_end(struct admin_host *host)
{
    list_each_safe (at, after, &host->conns)
        conn_free(list_entry(at, struct conn, link));
}
