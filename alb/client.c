/*
 * client.c -- one client connection: read a request, have it answered, again.
 *
 *     HEAD ---> EXCHANGE ---> HEAD ... ---> LINGER ---> (freed)
 *       |           |                         ^
 *       |           +--> a tunnel (tunnel.c)  |
 *       +------ refused, fixed response ------+
 *
 *   HEAD      reading a request's head, or idle between two requests
 *   EXCHANGE  a target is answering (exchange.c)
 *   LINGER    sending the last bytes; then FIN, and input is thrown away until
 *             the client has closed too, so that no RST destroys what we sent
 *
 * Three rules keep this file simple:
 *
 *   1. A step uses input, queues output, and may change `state`. It never
 *      touches a watcher and never frees the client.
 *   2. watch() is the only place that chooses events, from what is true now.
 *   3. end() is the only way to finish, and takes the reason. The memory goes
 *      at the end of settle(), which every callback calls last.
 *
 * An idle client owns no buffer: bytes are parsed where they were read, in the
 * loop's scratch, and only what cannot be used yet is kept.
 */
#include "alb/client.h"

#include <ev.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "http/parse.h"
#include "http/reply.h"
#include "net/stream.h"
#include "ws/handshake.h"

#include "alb/access_log.h"
#include "alb/balancer.h"
#include "alb/config.h"
#include "alb/exchange.h"
#include "alb/refuse.h"
#include "alb/rules.h"
#include "alb/target.h"
#include "alb/tunnel.h"
#include "alb/worker.h"

enum client_state { HEAD, EXCHANGE, LINGER };

enum step { STEP_AGAIN, STEP_NEED_INPUT };

enum {
    IN_MAX = HTTP_HEAD_MAX + HTTP_LINE_MAX,
    EARLY_MAX = 16 * 1024,         /* bytes taken from a client that speaks before its turn */
    HEAD_MS = 60 * 1000,           /* a head must be whole within this, and the idle timeout */
    OUT_BUSY = CLIENT_OUT_MAX / 2, /* with so much unsent, no new request is begun */
    LINGER_MS = 2000,              /* from our FIN to the client's */
    LINGER_BYTES = 1024 * 1024,
};

struct client {
    enum client_state state;
    const char *end_reason; /* NULL while alive; a literal once ended */

    struct worker *worker;
    struct listener *listener;
    struct list link;
    struct stream stream;
    ev_io io;
    struct wheel_timer timer;
    struct buf in;  /* bytes that could not be used yet */
    struct buf out; /* bytes that did not go out yet */

    struct exchange *exchange; /* exactly while state == EXCHANGE */
    struct access_client facts;
    size_t scanned;       /* of the head in `in` */
    uint64_t accepted_us; /* wall clock */
    uint32_t active_ms;   /* last byte; or the state's beginning */
    uint32_t lingered;    /* bytes thrown away */
    bool in_eof;          /* the client has finished sending */
    bool waits_for_room;  /* HEAD: it reads slower than it asks; `in` waits for `out` */
    bool out_finished;    /* LINGER: our FIN is sent */
    bool became_tunnel;   /* the stream belongs to a tunnel now */
};

static void end(struct client *c, const char *reason)
{
    if (c->end_reason == NULL)
        c->end_reason = reason;
}

static uint32_t now_ms(const struct client *c)
{
    return loop_now_ms(&c->worker->loop);
}

/* --- time ------------------------------------------------------------------ */

static uint32_t time_left(const struct client *c)
{
    uint32_t limit = c->worker->config->alb.idle_timeout_ms;
    const uint32_t passed = now_ms(c) - c->active_ms;

    if (c->state == EXCHANGE)
        return exchange_time_left(c->exchange);
    if (c->out_finished)
        limit = LINGER_MS;
    else if (buf_len(&c->in) > 0 && limit > HEAD_MS)
        limit = HEAD_MS;
    return passed >= limit ? 0 : limit - passed;
}

/* A byte went either way. The time for a head starts with its first byte, not
 * with each. */
static void touch(struct client *c)
{
    if (c->state != HEAD || buf_len(&c->in) == 0 || c->waits_for_room)
        c->active_ms = now_ms(c);
}

static void set_timer(struct client *c)
{
    wheel_set(&c->worker->loop.wheel, &c->timer, time_left(c));
}

static void change_state(struct client *c, enum client_state state)
{
    c->state = state;
    c->waits_for_room = false;
    c->active_ms = now_ms(c);
    set_timer(c);
}

/* --- answers of our own ----------------------------------------------------- */

static void count_own_status(struct client *c, int status)
{
    struct counters *n = &c->worker->counters;

    if (status >= 500)
        metric_add(&n->elb_5xx, 1);
    else if (status >= 400)
        metric_add(&n->elb_4xx, 1);
    else if (status >= 300)
        metric_add(&n->elb_3xx, 1);
}

/* The row of a request that never became an exchange; `m` is NULL when it did
 * not come whole. */
static void log_own(struct client *c, const struct http_message *m, int status, const char *why,
                    uint32_t priority, enum access_action action)
{
    if (!c->worker->config->alb.access_logs)
        return;
    struct access_entry *e = access_entry_new(&c->facts, m, "");
    e->elb_status = (uint16_t)status;
    e->received = m != NULL && m->head_len > 0 ? m->head_len : buf_len(&c->in);
    e->sent = buf_len(&c->out);
    e->end = why;
    e->action = (uint8_t)action;
    if (action != ACCESS_NONE)
        e->rule_priority = (int32_t)priority;
    access_log_row(c->worker, &e);
}

static void refuse(struct client *c, const struct http_message *m, int status, const char *why)
{
    const bool head_only = m != NULL && m->method_id == HTTP_HEAD;

    http_reply_error(&c->out, status, ALB_SERVER, head_only, true);
    count_own_status(c, status);
    log_own(c, m, status, why, 0, ACCESS_NONE);
    change_state(c, LINGER);
}

static void refuse_upgrade(struct client *c, const struct http_message *m, enum ws_refusal refusal)
{
    refuse_upgrade_reply(&c->out, m, refusal);
    metric_add(&c->worker->counters.upgrades_failed, 1);
    count_own_status(c, ws_refusal_status(refusal));
    log_info("upgrade refused reason=%s path=\"%.*s\"", ws_refusal_name(refusal),
             SPAN_ARGS(m->path));
    log_own(c, m, ws_refusal_status(refusal), ws_refusal_name(refusal), 0, ACCESS_NONE);
    change_state(c, LINGER);
}

/* --- HEAD -------------------------------------------------------------------- */

static bool may_keep_alive(const struct client *c, const struct http_message *m)
{
    const uint64_t age_ms = (clock_wall_us() - c->accepted_us) / 1000;

    return m->keep_alive && !c->worker->is_draining && m->class_ != HTTP_AMBIGUOUS &&
           age_ms < c->worker->config->alb.client_keep_alive_ms;
}

static void answer_fixed(struct client *c, const struct http_message *m, const struct rule *rule)
{
    /* A body that came along is not read: the connection ends instead. */
    const bool keep = may_keep_alive(c, m) && m->framing == HTTP_BODY_NONE;
    const struct action *a = &rule->action;
    const struct http_reply reply = {
        .status = a->status,
        .server = ALB_SERVER,
        .content_type = span_text(a->content_type),
        .body = span_text(a->body),
        .head_only = m->method_id == HTTP_HEAD,
        .close = !keep,
    };

    http_reply(&c->out, &reply);
    metric_add(&c->worker->counters.fixed_responses, 1);
    count_own_status(c, a->status);
    log_own(c, m, a->status, NULL, rule->priority, ACCESS_FIXED_RESPONSE);
    change_state(c, keep ? HEAD : LINGER);
}

static void on_wake(void *user);

static void forward(struct client *c, const struct http_message *m, const struct rule *rule)
{
    const struct exchange_client lent = {
        .stream = &c->stream,
        .out = &c->out,
        .facts = &c->facts,
        .wake = on_wake,
        .user = c,
        .keep_alive = may_keep_alive(c, m),
    };

    if (m->expect_continue && m->framing != HTTP_BODY_NONE)
        buf_put(&c->out, SPAN("HTTP/1.1 100 Continue\r\n\r\n"));
    c->exchange = exchange_start(c->worker, &lent, m, rule->action.group, rule->priority);
    change_state(c, EXCHANGE);
}

/* The way of a request: rules, then its action. */
static void route(struct client *c, const struct http_message *m)
{
    const struct listener_config *listener = worker_listener_config(c->worker, c->listener);
    enum ws_refusal refusal;

    if (m->class_ != HTTP_COMPLIANT)
        metric_add(&c->worker->counters.desync_non_compliant, 1);
    if (listener == NULL) {
        refuse(c, m, 503, "listener removed");
        return;
    }
    if (m->method_id == HTTP_TRACE || m->method_id == HTTP_CONNECT) {
        refuse(c, m, 405, "method not allowed");
        return;
    }
    const struct rule *rule = rules_match(listener, m);
    if (rule->action.kind == ACTION_FIXED_RESPONSE) {
        answer_fixed(c, m, rule);
    } else if (ws_request_wants(m) && (refusal = ws_request_check(m)) != WS_OK) {
        refuse_upgrade(c, m, refusal);
    } else {
        forward(c, m, rule);
    }
}

/* There is no whole head. A client may close its sending half and read on, so
 * what was answered is still sent. */
static enum step need_input(struct client *c, struct span bytes)
{
    if (!c->in_eof)
        return STEP_NEED_INPUT;
    if (bytes.len == 0)
        change_state(c, LINGER);
    else
        refuse(c, NULL, 400, "client closed within the request head");
    return STEP_AGAIN;
}

static enum step step_head(struct client *c, struct span *bytes)
{
    struct http_message *m = &c->worker->request;

    c->waits_for_room = bytes->len > 0 && buf_len(&c->out) >= OUT_BUSY;
    if (c->waits_for_room)
        return STEP_NEED_INPUT;
    if (bytes->len == 0)
        return need_input(c, *bytes);
    switch (http_request_parse(*bytes, (enum http_desync_mode)c->worker->config->alb.desync_mode, m,
                               &c->scanned)) {
    case HTTP_PARTIAL:
        return need_input(c, *bytes);
    case HTTP_REFUSED:
        if (m->class_ != HTTP_COMPLIANT)
            metric_add(&c->worker->counters.desync_non_compliant, 1);
        refuse(c, m, m->refuse_status, m->refuse_why);
        return STEP_AGAIN;
    case HTTP_PARSED:
        break;
    }
    c->scanned = 0;
    *bytes = span_after(*bytes, m->head_len);
    route(c, m);
    return STEP_AGAIN;
}

/* --- EXCHANGE ---------------------------------------------------------------- */

static void end_exchange(struct client *c)
{
    const bool close = exchange_must_close(c->exchange) || c->worker->is_draining;

    exchange_free(&c->exchange);
    change_state(c, close ? LINGER : HEAD);
}

/* Nothing was answered yet: say so in place of the target. */
static void answer_for_target(struct client *c)
{
    const int status = exchange_status(c->exchange);
    struct access_entry *entry = exchange_entry(c->exchange);
    struct target *t = exchange_target(c->exchange);

    log_info("exchange failed status=%d reason=\"%s\" target=%s", status, exchange_why(c->exchange),
             t == NULL ? "-" : t->text);
    if (exchange_is_upgrade(c->exchange)) {
        metric_add(&c->worker->counters.upgrades_failed, 1);
        refuse_upgrade_by_target_reply(&c->out, status, exchange_why(c->exchange));
    } else {
        http_reply_error(&c->out, status, ALB_SERVER, exchange_is_head(c->exchange), true);
    }
    count_own_status(c, status);
    if (entry != NULL)
        entry->elb_status = (uint16_t)status;
    exchange_free(&c->exchange);
    change_state(c, LINGER);
}

static void become_tunnel(struct client *c, struct span *early)
{
    struct exchange_tunnel parts;

    exchange_take_tunnel(c->exchange, &parts);
    exchange_free(&c->exchange);
    tunnel_start(c->worker, &c->stream, &c->out, *early, &parts);
    early->len = 0;
    c->became_tunnel = true;
    end(c, "upgraded");
}

static enum step step_exchange(struct client *c, struct span *bytes)
{
    exchange_take(c->exchange, bytes);
    switch (exchange_state(c->exchange)) {
    case EXCHANGE_RUNNING:
        return STEP_NEED_INPUT;
    case EXCHANGE_DONE:
        end_exchange(c);
        return STEP_AGAIN;
    case EXCHANGE_FAILED:
        answer_for_target(c);
        return STEP_AGAIN;
    case EXCHANGE_BROKEN:
        if (exchange_must_reset(c->exchange))
            stream_reset(&c->stream);
        end(c, exchange_why(c->exchange));
        return STEP_NEED_INPUT;
    case EXCHANGE_UPGRADED:
        become_tunnel(c, bytes);
        return STEP_NEED_INPUT;
    }
    bug("unknown exchange state");
}

/* --- LINGER ------------------------------------------------------------------ */

static enum step step_linger(struct client *c, struct span *bytes)
{
    c->lingered += (uint32_t)bytes->len;
    *bytes = span_after(*bytes, bytes->len);
    if (c->lingered > LINGER_BYTES)
        end(c, "client kept sending");
    else if (c->in_eof && buf_len(&c->out) == 0)
        end(c, "closed");
    return STEP_NEED_INPUT;
}

static const struct {
    const char *name;
    enum step (*run)(struct client *, struct span *bytes);
} steps[] = {
    [HEAD] = { "head", step_head },
    [EXCHANGE] = { "exchange", step_exchange },
    [LINGER] = { "linger", step_linger },
};

/* --- input and output --------------------------------------------------------- */

static void run(struct client *c, struct span *bytes)
{
    enum step next = STEP_AGAIN;

    while (next == STEP_AGAIN && c->end_reason == NULL)
        next = steps[c->state].run(c, bytes);
}

/* Run the steps on what is kept and, if any, `fresh` bytes in the scratch. */
static void work(struct client *c, struct span fresh)
{
    const bool from_buffer = buf_len(&c->in) > 0;

    if (from_buffer)
        buf_put(&c->in, fresh); /* read_input() has looked for room */
    struct span bytes = from_buffer ? buf_data(&c->in) : fresh;
    const size_t before = bytes.len;
    run(c, &bytes);
    if (from_buffer)
        buf_drop(&c->in, before - bytes.len);
    else if (bytes.len > 0)
        buf_put(&c->in, bytes);
    buf_release(&c->in);
}

static void read_input(struct client *c)
{
    struct loop *loop = &c->worker->loop;
    const size_t room = buf_room(&c->in);
    size_t n = 0;

    switch (stream_read(&c->stream, loop->scratch,
                        room < LOOP_SCRATCH_BYTES ? room : LOOP_SCRATCH_BYTES, &n)) {
    case STREAM_MOVED:
        metric_add(&c->worker->counters.client_bytes_in, n);
        if (c->state != LINGER) /* what is thrown away buys no time */
            touch(c);
        work(c, span_of(loop->scratch, n));
        break;
    case STREAM_BLOCKED:
        break;
    case STREAM_EOF:
        c->in_eof = true;
        if (c->state == EXCHANGE)
            exchange_client_eof(c->exchange);
        work(c, SPAN(""));
        break;
    case STREAM_FAILED:
        end(c, stream_was_reset(&c->stream) ? "client reset" : stream_error(&c->stream));
        break;
    }
}

static void write_output(struct client *c)
{
    while (c->end_reason == NULL && buf_len(&c->out) > 0) {
        size_t moved = 0;
        const enum stream_io io = stream_write(&c->stream, buf_data(&c->out), &moved);
        if (io == STREAM_FAILED || io == STREAM_EOF)
            end(c, "client reset");
        if (io != STREAM_MOVED)
            return;
        metric_add(&c->worker->counters.client_bytes_out, moved);
        buf_drop(&c->out, moved);
        touch(c);
        if (c->exchange != NULL)
            exchange_touch(c->exchange);
    }
    if (c->end_reason == NULL && stream_flush(&c->stream) == STREAM_FAILED)
        end(c, "client reset");
    buf_release(&c->out);
}

/* All is sent that will be: say so, once. */
static void finish_output(struct client *c)
{
    if (c->state != LINGER || c->out_finished || buf_len(&c->out) > 0 ||
        stream_wants(&c->stream) & EV_WRITE)
        return;
    c->out_finished = true;
    set_timer(c);
    stream_finish(&c->stream);
    if (c->in_eof)
        end(c, "closed");
}

/* --- events -------------------------------------------------------------------- */

static bool wants_input(const struct client *c)
{
    if (c->in_eof || c->waits_for_room)
        return false;
    if (c->state != EXCHANGE)
        return true;
    if (!exchange_request_is_done(c->exchange))
        return exchange_wants_body(c->exchange);
    return buf_len(&c->in) < EARLY_MAX;
}

static void watch(struct client *c)
{
    struct ev_loop *loop = c->worker->loop.ev;
    int events = stream_wants(&c->stream);

    if (wants_input(c))
        events |= EV_READ;
    if (buf_len(&c->out) > 0)
        events |= EV_WRITE;
    if (!ev_is_active(&c->io) || (c->io.events & (EV_READ | EV_WRITE)) != events) {
        ev_io_stop(loop, &c->io);
        ev_io_set(&c->io, c->stream.fd, events);
        if (events != 0)
            ev_io_start(loop, &c->io);
    }
    /* TLS may hold bytes that the socket will never announce again. */
    if ((events & EV_READ) && stream_pending(&c->stream) > 0)
        ev_feed_event(loop, &c->io, EV_READ);
}

/* It went away, or was cut, while a target was answering. */
static void give_up_exchange(struct client *c)
{
    if (c->exchange == NULL)
        return;
    exchange_abort(c->exchange, 460, c->end_reason);
    if (exchange_state(c->exchange) == EXCHANGE_FAILED)
        count_own_status(c, 460);
    exchange_free(&c->exchange);
}

static void free_client(struct client *c)
{
    struct worker *w = c->worker;

    log_debug("client end state=%s reason=\"%s\"", steps[c->state].name, c->end_reason);
    ev_io_stop(w->loop.ev, &c->io);
    wheel_stop(&w->loop.wheel, &c->timer);
    list_remove(&c->link);
    give_up_exchange(c);
    if (!c->became_tunnel) {
        stream_close(&c->stream);
        balancer_connection_closed(w->balancer, w);
    }
    buf_done(&c->in);
    buf_done(&c->out);
    free(c);
}

/* The last call of every callback: send, choose events, or free. */
static void settle(struct client *c)
{
    if (!c->became_tunnel)
        write_output(c);
    while (c->waits_for_room && c->end_reason == NULL && buf_len(&c->out) < OUT_BUSY) {
        work(c, SPAN(""));
        if (!c->became_tunnel)
            write_output(c);
    }
    if (c->end_reason == NULL)
        finish_output(c);
    if (c->end_reason != NULL) {
        free_client(c);
        return;
    }
    if (c->exchange != NULL)
        exchange_watch(c->exchange);
    watch(c);
}

static void on_io(struct ev_loop *loop, ev_io *io, int revents)
{
    struct client *c = io->data;
    (void)loop;

    if (revents & EV_READ)
        read_input(c);
    settle(c);
}

/* The target's side has moved. */
static void on_wake(void *user)
{
    struct client *c = user;

    c->active_ms = now_ms(c);
    work(c, SPAN(""));
    settle(c);
}

static void expire(struct client *c)
{
    switch (c->state) {
    case HEAD:
        if (buf_len(&c->in) == 0)
            end(c, "idle");
        else
            refuse(c, NULL, 408, "request head not whole in time");
        work(c, SPAN(""));
        break;
    case EXCHANGE:
        exchange_expire(c->exchange);
        work(c, SPAN(""));
        break;
    case LINGER:
        end(c, "client did not close");
        break;
    }
}

static void on_timer(struct wheel_timer *timer)
{
    struct client *c = list_entry(timer, struct client, timer);

    if (time_left(c) == 0)
        expire(c);
    if (c->end_reason == NULL && !wheel_is_set(&c->timer))
        set_timer(c);
    settle(c);
}

/* --- starting and stopping -------------------------------------------------------- */

static void learn_facts(struct client *c, const struct handshake_result *from)
{
    struct access_client *f = &c->facts;

    addr_ip(&from->peer, &f->ip);
    f->port = addr_port(&from->peer);
    f->listener_port = addr_port(&c->listener->bound);
    f->is_https = from->tls != NULL;
    f->conn_id[0] = random_jitter();
    f->conn_id[1] = random_jitter();
    if (from->tls == NULL)
        return;
    f->cipher = tls_session_cipher(from->tls);
    f->protocol = tls_session_version(from->tls);
    f->sni = tls_session_sni(from->tls);
    f->resumed = tls_session_resumed(from->tls);
}

void client_start(struct worker *w, struct listener *listener, const struct handshake_result *from)
{
    struct client *c = mem_new(struct client);

    c->worker = w;
    c->listener = listener;
    c->accepted_us = from->accepted_us;
    stream_init(&c->stream, from->fd, from->tls);
    buf_init(&c->in, IN_MAX);
    buf_init(&c->out, CLIENT_OUT_MAX);
    learn_facts(c, from);
    list_push(&w->clients, &c->link);
    ev_io_init(&c->io, on_io, from->fd, EV_READ);
    c->io.data = c;
    wheel_timer_init(&c->timer, on_timer);
    change_state(c, HEAD);
    watch(c);
}

void clients_drain(struct worker *w)
{
    list_each_safe(at, after, &w->clients)
    {
        struct client *c = list_entry(at, struct client, link);
        if (c->state != HEAD || buf_len(&c->in) > 0)
            continue;
        if (buf_len(&c->out) > 0)
            change_state(c, LINGER);
        else
            end(c, "shutdown");
        settle(c);
    }
}

void clients_cut(struct worker *w, const struct target *target, const char *reason)
{
    list_each_safe(at, after, &w->clients)
    {
        struct client *c = list_entry(at, struct client, link);
        if (target == NULL) {
            end(c, reason);
        } else if (c->exchange != NULL && exchange_target(c->exchange) == target) {
            exchange_abort(c->exchange, 502, reason);
            work(c, SPAN(""));
        } else {
            continue;
        }
        settle(c);
    }
}
