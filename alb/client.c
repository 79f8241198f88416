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
 *   1. A step (client_request.c) uses input, queues output, and may change
 *      `state`. It never touches a watcher and never frees the client.
 *   2. watch() is the only place that chooses events, from what is true now.
 *   3. client_end() is the only way to finish, and takes the reason. The memory goes
 *      at the end of settle(), which every callback calls last.
 *
 * An idle client owns no buffer: bytes are parsed where they were read, in the
 * loop's scratch, and only what cannot be used yet is kept.
 */
#include <sys/socket.h>

#include "base/log.h"
#include "base/mem.h"
#include "net/watch.h"

#include "alb/balancer.h"
#include "alb/client_private.h"
#include "alb/config.h"
#include "alb/connection_log.h"
#include "alb/leavers.h"
#include "alb/worker.h"

enum {
    IN_MAX = HTTP_HEAD_MAX + HTTP_LINE_MAX,
    EARLY_MAX = 16 * 1024,  /* bytes taken from a client that speaks before its turn */
    HEAD_MS = 60 * 1000,    /* a head must be whole within this, and the idle timeout */
    LINGER_QUIET_MS = 5000, /* behind our FIN, since the client sent or took a byte */
    LINGER_MS = 30 * 1000,  /* behind our FIN, in all */
    NONSENSE_MS = 2000,     /* the same, if no body is on its way */
};

void client_end(struct client *c, const char *reason)
{
    if (c->end_reason == NULL)
        c->end_reason = reason;
}

static uint32_t now_ms(const struct client *c)
{
    return loop_now_ms(&c->worker->loop);
}

/* --- time ------------------------------------------------------------------ */

static uint32_t left_of(uint32_t limit_ms, uint32_t passed_ms)
{
    return passed_ms >= limit_ms ? 0 : limit_ms - passed_ms;
}

/* A client may read its answer only when it has sent the whole body that we throw away. So it
 * has time while that goes on, however slowly; but not for ever. */
static uint32_t linger_left_in_all(const struct client *c)
{
    return left_of(c->is_nonsense ? NONSENSE_MS : LINGER_MS, now_ms(c) - c->finished_ms);
}

static uint32_t linger_left(const struct client *c)
{
    const uint32_t quiet = left_of(LINGER_QUIET_MS, now_ms(c) - c->active_ms);
    const uint32_t all = linger_left_in_all(c);

    return quiet < all ? quiet : all;
}

static uint32_t time_left(const struct client *c)
{
    uint32_t limit = c->worker->config->alb.idle_timeout_ms;

    if (c->state == EXCHANGE)
        return exchange_time_left(c->exchange);
    if (c->out_finished)
        return linger_left(c);
    if (buf_len(&c->in) > 0 && limit > HEAD_MS)
        limit = HEAD_MS;
    return left_of(limit, now_ms(c) - c->active_ms);
}

/* A byte went either way. The time for a head starts with its first byte, not
 * with each. */
static void touch(struct client *c)
{
    if (c->state != HEAD || buf_len(&c->in) == 0 || c->waits_for_room)
        c->active_ms = now_ms(c);
}

static bool is_proving(const struct client *c)
{
    return c->out_finished && c->is_unproved;
}

static void set_timer(struct client *c)
{
    uint32_t ms = time_left(c);

    if (is_proving(c) && ms > CLIENT_PROOF_MS)
        ms = CLIENT_PROOF_MS;
    wheel_hasten(&c->worker->loop.wheel, &c->timer, loop_mono_ms(&c->worker->loop) + ms);
}

void client_change_state(struct client *c, enum client_state state)
{
    c->state = state;
    c->waits_for_room = false;
    c->active_ms = now_ms(c);
    set_timer(c);
}

/* --- input and output --------------------------------------------------------- */

/* Run the steps on what is kept and, if any, `fresh` bytes in the scratch. */
static void work(struct client *c, struct span fresh)
{
    const bool from_buffer = buf_len(&c->in) > 0;

    if (from_buffer)
        buf_put(&c->in, fresh); /* read_input() has looked for room */
    struct span bytes = from_buffer ? buf_data(&c->in) : fresh;
    const size_t before = bytes.len;
    client_run(c, &bytes);
    if (from_buffer)
        buf_drop(&c->in, before - bytes.len);
    else if (bytes.len > 0)
        buf_put(&c->in, bytes);
    buf_release(&c->in);
}

static void count_ipv6(struct client *c, size_t n)
{
    if (c->facts.ip.family == 6)
        metric_add(&c->worker->counters.ipv6_bytes, n);
}

static void read_input(struct client *c)
{
    struct loop *loop = &c->worker->loop;
    const size_t room = buf_room(&c->in);
    size_t n = 0;

    switch (stream_read(&c->stream, loop->scratch,
                        room < LOOP_SCRATCH_BYTES ? room : LOOP_SCRATCH_BYTES, &n)) {
    case STREAM_MOVED:
        count_ipv6(c, n);
        metric_add(&c->worker->counters.client_bytes_in, n);
        if (c->state != LINGER || c->out_finished) /* else it has to take its answer */
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
        client_end(c, stream_was_reset(&c->stream) ? "client reset" : stream_error(&c->stream));
        break;
    }
}

static void write_output(struct client *c)
{
    while (c->end_reason == NULL && buf_len(&c->out) > 0) {
        size_t moved = 0;
        const enum stream_io io = stream_write(&c->stream, buf_data(&c->out), &moved);
        if (io == STREAM_FAILED || io == STREAM_EOF)
            client_end(c, "client reset");
        if (io != STREAM_MOVED)
            return;
        count_ipv6(c, moved);
        metric_add(&c->worker->counters.client_bytes_out, moved);
        buf_drop(&c->out, moved);
        touch(c);
        if (c->exchange != NULL)
            exchange_client_took(c->exchange);
    }
    if (c->end_reason == NULL && stream_flush(&c->stream) == STREAM_FAILED)
        client_end(c, "client reset");
    buf_release(&c->out);
}

/* All is sent that will be: say so, once. */
static void finish_output(struct client *c)
{
    if (c->state != LINGER || c->out_finished || buf_len(&c->out) > 0 ||
        stream_wants(&c->stream) & EV_WRITE)
        return;
    c->out_finished = true;
    c->finished_ms = c->active_ms = now_ms(c);
    set_timer(c);
    stream_finish(&c->stream);
    if (is_proving(c))
        client_prove(c);
    else if (c->in_eof)
        client_end(c, "closed");
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
    watch_stream(c->worker->loop.ev, &c->io, &c->stream,
                 (wants_input(c) ? EV_READ : 0) | (buf_len(&c->out) > 0 ? EV_WRITE : 0));
}

/* Its answer is there, and nothing of that is sent or counted yet. */
static bool is_answered(const struct client *c)
{
    const enum exchange_state state = exchange_state(c->exchange);

    return state == EXCHANGE_DONE || state == EXCHANGE_FAILED;
}

/* It went away, or was cut, while a target was answering. */
static void give_up_exchange(struct client *c)
{
    if (c->exchange == NULL)
        return;
    const int status = c->is_cut ? 502 : 460;
    const bool is_too_late = is_answered(c);
    if (exchange_state(c->exchange) == EXCHANGE_RUNNING)
        client_count_status(c, status);
    exchange_abort(c->exchange, status, c->end_reason);
    exchange_count_unsent(c->exchange, buf_len(&c->out));
    c->is_unproved = is_too_late; /* client_settle_doubt() */
    client_free_exchange(c);
}

static void free_client(struct client *c)
{
    struct worker *w = c->worker;

    log_debug("client end state=%s reason=\"%s\"", client_state_name(c), c->end_reason);
    ev_io_stop(w->loop.ev, &c->io);
    wheel_stop(&w->loop.wheel, &c->timer);
    list_remove(&c->link);
    give_up_exchange(c);
    client_settle_doubt(c);
    if (c->state == HEAD && !c->became_tunnel && buf_len(&c->in) > 0)
        client_log_torn_head(c);
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
    while (c->waits_for_room && c->end_reason == NULL && buf_len(&c->out) < CLIENT_OUT_BUSY) {
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

/* The loop has learnt in one turn of the answer and of something from the client. If that is its
 * end, the answer comes too late: client_proof.c has to know. */
static void hear_first(struct client *c)
{
    if (is_answered(c) && ev_clear_pending(c->worker->loop.ev, &c->io) & EV_READ)
        read_input(c);
}

/* The target's side has moved. */
void client_on_wake(void *user)
{
    struct client *c = user;

    c->active_ms = now_ms(c);
    hear_first(c);
    work(c, SPAN(""));
    settle(c);
}

/* It was quiet, perhaps as it still reads: what the system has for it is not all taken. */
static void expire_linger(struct client *c)
{
    if (linger_left_in_all(c) > 0 && stream_waits(&c->stream))
        c->active_ms = now_ms(c);
    else
        client_end(c, "client did not close");
}

static void expire(struct client *c)
{
    switch (c->state) {
    case HEAD:
        c->out_before = (uint32_t)buf_len(&c->out);
        client_expire_head(c);
        work(c, SPAN(""));
        break;
    case EXCHANGE:
        exchange_expire(c->exchange);
        work(c, SPAN(""));
        break;
    case LINGER:
        expire_linger(c);
        break;
    }
}

static void on_timer(struct wheel_timer *timer)
{
    struct client *c = list_entry(timer, struct client, timer);

    if (is_proving(c))
        client_prove(c);
    if (c->end_reason == NULL && time_left(c) == 0)
        expire(c);
    if (c->end_reason == NULL && !wheel_is_set(&c->timer))
        set_timer(c);
    settle(c);
}

/* --- starting and stopping -------------------------------------------------------- */

/* Field 34 of the access log. */
static void learn_local(struct client *c, int fd)
{
    static const struct ip any;
    struct ip *local = &c->facts.local;
    struct addr addr;

    if (!addr_ip(&c->listener->bound, local) ||
        memcmp(local->bytes, any.bytes, sizeof(any.bytes)) != 0)
        return;
    if (addr_local(fd, &addr))
        addr_ip(&addr, local);
}

static void learn_facts(struct client *c, const struct handshake_result *from)
{
    struct access_client *f = &c->facts;

    addr_ip(&from->peer, &f->ip);
    f->port = addr_port(&from->peer);
    f->listener_port = addr_port(&c->listener->bound);
    learn_local(c, from->fd);
    f->is_https = from->tls != NULL;
    f->conn_id[0] = from->id[0];
    f->conn_id[1] = from->id[1];
    if (from->tls == NULL)
        return;
    f->cipher = tls_session_cipher(from->tls);
    f->protocol = tls_session_version(from->tls);
    f->sni = tls_session_sni(from->tls);
    f->resumed = tls_session_resumed(from->tls);
    f->chosen_cert = tls_session_certificate(from->tls);
    f->certificate = tls_session_peer_cert(from->tls);
}

static void begin(struct worker *w, const struct arrival *arrival)
{
    struct client *c = mem_new(struct client);
    const struct handshake_result *from = &arrival->from;

    c->worker = w;
    c->listener = arrival->listener;
    c->facts.announced = arrival->announced;
    c->accepted_us = from->accepted_us;
    c->keep_alive_ms = w->config->alb.client_keep_alive_ms;
    stream_init(&c->stream, from->fd, from->tls);
    buf_init(&c->in, IN_MAX);
    buf_init(&c->out, CLIENT_OUT_MAX);
    learn_facts(c, from);
    list_push(&w->clients, &c->link);
    ev_io_init(&c->io, on_io, from->fd, EV_READ);
    c->io.data = c;
    wheel_timer_init(&c->timer, on_timer);
    client_change_state(c, HEAD);
    watch(c);
}

void client_start(struct worker *w, const struct arrival *arrival)
{
    connection_log_row(&w->connection_log, w->config, arrival);
    begin(w, arrival);
}

void client_arrive(struct worker *w, const struct arrival *arrival)
{
    begin(w, arrival);
}

/* Between two requests, with nothing on its way. The other process would not know what a listener
 * that was removed answers. */
static bool can_go(const struct client *c)
{
    return c->state == HEAD && c->end_reason == NULL && c->stream.tls == NULL && !c->in_eof &&
           buf_len(&c->in) == 0 && buf_len(&c->out) == 0 &&
           !worker_listener_is_gone(c->worker, c->listener);
}

size_t clients_take_out(struct worker *w, struct client **out, size_t room)
{
    size_t n = 0;

    list_each_safe (at, after, &w->clients) {
        struct client *c = list_entry(at, struct client, link);
        if (n == room)
            break;
        if (!can_go(c))
            continue;
        list_remove(&c->link);
        ev_io_stop(w->loop.ev, &c->io);
        wheel_stop(&w->loop.wheel, &c->timer);
        out[n++] = c;
    }
    return n;
}

void client_put_back(struct client *c)
{
    list_push(&c->worker->clients, &c->link);
    client_change_state(c, HEAD);
    watch(c);
}

void client_let_go(struct client *c)
{
    client_end(c, "handed over");
    settle(c);
}

void client_describe(const struct client *c, struct arrival *out)
{
    *out = (struct arrival){ .listener = c->listener,
                             .from = { .fd = c->stream.fd,
                                       .id = { c->facts.conn_id[0], c->facts.conn_id[1] },
                                       .accepted_us = c->accepted_us },
                             .announced = c->facts.announced };
    addr_of_ip(&c->facts.ip, c->facts.port, &out->from.peer);
}

/* A request that is there already gets its answer. */
static bool has_arrived(const struct client *c)
{
    char byte;

    return buf_len(&c->in) > 0 || recv(c->stream.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

static void hang_up(struct client *c, const char *reason)
{
    if (c->state != HEAD || has_arrived(c))
        return;
    if (buf_len(&c->out) > 0)
        client_change_state(c, LINGER);
    else
        client_end(c, reason);
    settle(c);
}

void clients_drain(struct worker *w)
{
    list_each_safe (at, after, &w->clients)
        hang_up(list_entry(at, struct client, link), "shutdown");
}

void clients_leave(struct worker *w)
{
    list_each_safe (at, after, &w->clients) {
        struct client *c = list_entry(at, struct client, link);
        if (leaver_is_client(w, &c->facts))
            hang_up(c, "peer left the edge set");
    }
}

void clients_hang_up_tls(struct worker *w)
{
    list_each_safe (at, after, &w->clients) {
        struct client *c = list_entry(at, struct client, link);
        if (c->stream.tls != NULL)
            hang_up(c, "another process has taken over");
    }
}

void clients_cut(struct worker *w, const struct target *target, const char *reason)
{
    list_each_safe (at, after, &w->clients) {
        struct client *c = list_entry(at, struct client, link);
        if (target == NULL) {
            c->is_cut = true;
            client_end(c, reason);
        } else if (c->exchange != NULL && exchange_target(c->exchange) == target) {
            exchange_abort(c->exchange, 502, reason);
            work(c, SPAN(""));
        } else {
            continue;
        }
        settle(c);
    }
}
