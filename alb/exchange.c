/* exchange.c -- see exchange.h. The response's side is in exchange_response.c, another try
 * in exchange_retry.c. */
#include "alb/exchange.h"

#include "base/clock.h"
#include "http/second.h"
#include "net/tls_client.h"
#include "net/tls_peer_cert.h"

#include "alb/access_log.h"
#include "alb/balance.h"
#include "alb/balancer.h"
#include "alb/config.h"
#include "alb/exchange_private.h"
#include "alb/headers.h"
#include "alb/route.h"
#include "alb/members.h"
#include "alb/rules.h"
#include "alb/target.h"
#include "alb/viewer.h"
#include "alb/worker.h"

void exchange_fail(struct exchange *x, int status, const char *why)
{
    if (x->state != EXCHANGE_RUNNING)
        return;
    x->state = x->response_begun ? EXCHANGE_BROKEN : EXCHANGE_FAILED;
    x->status = status;
    x->why = why;
    if (x->entry != NULL)
        x->entry->elb_status = (uint16_t)status;
}

void exchange_touch(struct exchange *x)
{
    x->active_ms = loop_now_ms(&x->worker->loop);
}

void exchange_client_took(struct exchange *x)
{
    struct access_entry *e = x->entry;

    exchange_touch(x);
    if (e != NULL && e->answered_us != 0 && e->begun_us == 0)
        e->begun_us = loop_mono_us(&x->worker->loop);
}

void exchange_count_sent(struct exchange *x, size_t n)
{
    if (x->entry != NULL)
        x->entry->sent += n;
}

void exchange_count_unsent(struct exchange *x, size_t n)
{
    if (x->entry != NULL)
        x->entry->sent -= n < x->entry->sent ? n : x->entry->sent;
}

/* --- starting ------------------------------------------------------------- */

/* The values of all fields of that name, joined by commas. */
static void keep_list(struct buf *list, const struct http_message *m, enum http_name id)
{
    buf_init(list, HTTP_HEAD_MAX + HTTP_FIELDS_MAX);
    for (const struct http_field *f = http_find(m, id); f != NULL; f = http_find_next(m, f)) {
        if (buf_len(list) > 0)
            buf_put(list, SPAN(","));
        buf_put(list, f->value);
    }
}

/* What the 101 will be compared with: the request itself is gone by then. */
static void keep_offer(struct exchange *x, const struct http_message *m)
{
    ws_accept_value(http_value(m, HTTP_N_SEC_WEBSOCKET_KEY), x->offer.accept);
    keep_list(&x->offer.protocols, m, HTTP_N_SEC_WEBSOCKET_PROTOCOL);
    keep_list(&x->offer.extensions, m, HTTP_N_SEC_WEBSOCKET_EXTENSIONS);
}

/* Write the head, let the second parser read what came from the client, and keep
 * a copy while it may have to be sent again. */
static void send_head(struct exchange *x, const struct http_message *m, const struct route *route,
                      struct span trace)
{
    struct buf *out = &x->conn->out;
    const char *why = "request head cannot be sent";
    const struct request_head how = {
        .alb = &x->worker->config->alb,
        .listener = worker_listener_headers(x->worker, x->client.listener),
        .client = x->client.facts,
        .trace = trace,
        .target = x->target->text,
        .host_is_rewritten = route->transformed_host.len > 0,
        .upgrade = x->is_upgrade,
    };

    bool ok = headers_write_request(out, m, &how);
    if (ok && !http_second_request(buf_data(out), m, &why)) {
        metric_add(&x->worker->counters.second_opinion_differs, 1);
        ok = false;
    }
    if (!ok || !headers_write_hop(out, m, &how)) {
        exchange_fail(x, 400, why);
        return;
    }
    if (x->may_retry)
        buf_put(&x->replay, buf_data(out));
}

static void init_request(struct exchange *x, const struct http_message *m)
{
    x->method = m->method_id;
    x->client_is_1_0 = m->minor == 0;
    x->is_upgrade = m->is_websocket;
    x->is_ambiguous = m->must_close;
    x->use_once = m->must_close || m->must_not_reuse;
    http_body_init(&x->request_body, m->framing, m->content_length);
    x->request_chunked = m->framing == HTTP_BODY_CHUNKED;
    x->request_done = http_body_is_done(&x->request_body);
    if (x->is_upgrade)
        keep_offer(x, m);
}

/* The target: what cookies ask for, what the request has for a key. */
static struct choice choose(struct exchange *x, const struct http_message *m,
                            const struct route *route)
{
    struct worker *w = x->worker;
    const struct group_config *g = route->group;
    uint64_t wanted;
    const bool has_cookie = sticky_read(&x->sticky, w, m, route, &wanted);

    if (g->options.algorithm == CONSISTENT_HASH)
        x->key.is_there =
            hash_key_of(&g->hash_key, m, viewer_or_peer(x->client.facts), &x->key.hash);
    const struct balance_ask ask = {
        .by_cookie = has_cookie ? &wanted : NULL,
        .key = x->key,
        .mono_ms = loop_mono_ms(&w->loop),
        .upgrades_a_second = x->is_upgrade ? g->options.tunnel.upgrade_rate : 0,
    };
    return balance_choose(members_of(w->members, g), &ask);
}

struct exchange *exchange_start(struct worker *w, const struct exchange_client *client,
                                const struct http_message *m, const struct route *route)
{
    struct exchange *x = spares_take(&w->exchanges, sizeof(*x));
    char trace_text[TRACE_ID_MAX];

    *x = (struct exchange){ .worker = w, .client = *client };
    x->idle_ms = w->config->alb.idle_timeout_ms;
    x->rule = route->rule == NULL ? 0 : (uint16_t)route->rule->priority;
    buf_init(&x->replay, HTTP_HEAD_MAX * 2 + TLS_CERT_HEAD_MAX);
    const struct span trace = headers_trace_id(m, loop_wall_us(&w->loop) / 1000000, trace_text);
    x->entry = access_entry_new(w, client->facts, m, route, trace);
    if (x->entry != NULL) {
        x->entry->received = m->head_len;
        x->entry->action = ACCESS_FORWARD;
    }
    init_request(x, m);
    exchange_upgrade_begin(x, m, route);
    exchange_touch(x);

    if (!exchange_upgrade_admit(x, route->group))
        return x;
    const struct choice choice = choose(x, m, route);
    if (choice.target == NULL) {
        if (choice.is_slow_start)
            exchange_upgrade_put_off(x, route->group);
        exchange_fail(x, 503, choice.why);
        return x;
    }
    metric_add(&w->counters.requests, 1);
    if (!choice.by_cookie)
        sticky_move(&x->sticky);
    exchange_hold(x, choice.target);
    if (route->group->tls != NULL)
        x->tls = tls_client_ref(route->group->tls);
    x->may_retry = exchange_may_retry(m, &route->group->options);
    x->tries_left = x->may_retry ? (uint8_t)route->group->options.retry_max : 0;
    if (exchange_connect(x, x->is_upgrade) || exchange_take_other(x))
        send_head(x, m, route, trace);
    else
        exchange_fail(x, 502, "target connect failed");
    return x;
}

/* --- ending --------------------------------------------------------------- */

void exchange_free(struct exchange **exchange)
{
    struct exchange *x = *exchange;

    *exchange = NULL;
    if (x == NULL)
        return;
    target_conn_close(&x->conn);
    tls_client_unref(&x->tls);
    exchange_upgrade_end(x);
    exchange_let_go(x);
    if (x->entry != NULL) {
        x->entry->end = x->why;
        access_log_row(x->worker, &x->entry);
    }
    buf_done(&x->replay);
    buf_done(&x->offer.protocols);
    buf_done(&x->offer.extensions);
    spares_give(&x->worker->exchanges, x);
}

struct access_entry *exchange_take_entry(struct exchange *x)
{
    struct access_entry *entry = x->entry;

    exchange_name_target(x);
    x->entry = NULL;
    if (entry != NULL)
        entry->end = x->why;
    return entry;
}

static struct tunnel_facts facts_of(const struct exchange *x)
{
    const struct access_client *client = x->client.facts;

    return (struct tunnel_facts){
        .id = { client->conn_id[0], client->conn_id[1] },
        .from_ms = loop_mono_ms(&x->worker->loop),
        .listener = x->client.listener,
        .client = client->ip,
        .port = client->port,
        .rule = x->rule,
    };
}

void exchange_take_tunnel(struct exchange *x, struct exchange_tunnel *out)
{
    exchange_name_target(x);
    access_entry_shrink(x->worker, &x->entry);
    *out = (struct exchange_tunnel){ .target = x->target, .entry = x->entry, .facts = facts_of(x) };
    out->from_target = x->conn->in;
    buf_init(&x->conn->in, 0);
    target_conn_release_stream(&x->conn, &out->stream, &out->io);
    out->upgrade = exchange_upgrade_take(x);
    x->target = NULL; /* its outstanding count goes along */
    x->entry = NULL;
}

/* --- the request's body ---------------------------------------------------- */

static bool has_room_for(const struct exchange *x, size_t n)
{
    return buf_room(&x->conn->out) >= n + 2 * HTTP_CHUNK_OVERHEAD;
}

static void put_payload(struct exchange *x, struct span payload)
{
    struct buf *out = &x->conn->out;

    if (x->request_chunked)
        http_chunk_begin(out, payload.len);
    buf_put(out, payload);
    if (x->request_chunked)
        http_chunk_end(out);
}

/* A target may answer and close before it has the whole request. So a failed
 * write decides nothing: what it said is read first, then its end. */
static void flush_request(struct exchange *x)
{
    if (x->state != EXCHANGE_RUNNING || target_conn_flush(x->conn))
        return;
    x->request_cut = true;
    buf_done(&x->conn->out);
}

void exchange_take(struct exchange *x, struct span *in)
{
    const size_t before = in->len;

    while (x->state == EXCHANGE_RUNNING && !x->request_done && !x->request_cut &&
           has_room_for(x, in->len)) {
        struct span payload;
        const enum http_body_step step = http_body_take(&x->request_body, in, &payload);
        if (step == HTTP_BODY_DATA) {
            put_payload(x, payload);
        } else if (step == HTTP_BODY_DONE) {
            x->request_done = true;
            if (x->request_chunked)
                http_chunk_last(&x->conn->out);
        } else {
            if (step == HTTP_BODY_BAD)
                exchange_fail(x, 400, "malformed chunk in the request body");
            break;
        }
    }
    if (in->len != before) {
        exchange_touch(x);
        if (x->entry != NULL)
            x->entry->received += before - in->len;
    }
    /* At once, the head as well: waiting for the socket to say that it is
     * writable would cost two more system calls for each request. */
    flush_request(x);
}

bool exchange_wants_body(const struct exchange *x)
{
    return x->state == EXCHANGE_RUNNING && !x->request_done && !x->request_cut && x->conn != NULL &&
           has_room_for(x, LOOP_SCRATCH_BYTES);
}

bool exchange_request_is_done(const struct exchange *x)
{
    return x->request_done;
}

void exchange_client_eof(struct exchange *x)
{
    if (!x->request_done)
        exchange_fail(x, 400, "client closed before the whole body came");
}

void exchange_abort(struct exchange *x, int status, const char *why)
{
    x->is_aborted = x->state == EXCHANGE_RUNNING;
    exchange_fail(x, status, why);
}

/* --- time ------------------------------------------------------------------ */

static uint32_t limit_ms(const struct exchange *x)
{
    return x->conn == NULL ? x->idle_ms : target_conn_connect_limit_ms(x->conn, x->idle_ms);
}

uint32_t exchange_time_left(const struct exchange *x)
{
    const uint32_t passed = loop_now_ms(&x->worker->loop) - x->active_ms;
    const uint32_t limit = limit_ms(x);

    return passed >= limit ? 0 : limit - passed;
}

void exchange_expire(struct exchange *x)
{
    const char *why;

    if (x->conn != NULL && x->conn->is_connecting) {
        const int status = target_conn_connect_late(x->conn, &why);
        exchange_not_answered(x, status, why);
    } else if (!x->request_done && x->conn != NULL && target_conn_is_flushed(x->conn)) {
        exchange_fail(x, 408, "client sent no body within the idle timeout");
    } else if (!x->response_begun) {
        exchange_fail(x, 504, "target did not answer within the idle timeout");
    } else {
        exchange_fail(x, 504, "idle timeout within the response");
    }
}

/* --- what others ask -------------------------------------------------------- */

void exchange_watch(struct exchange *x)
{
    if (x->conn != NULL)
        target_conn_watch(x->conn, x->state == EXCHANGE_RUNNING &&
                                       buf_room(x->client.out) >= EXCHANGE_OUT_ROOM);
}

enum exchange_state exchange_state(const struct exchange *x)
{
    return x->state;
}

int exchange_status(const struct exchange *x)
{
    return x->status;
}

const char *exchange_why(const struct exchange *x)
{
    return x->why;
}

bool exchange_must_close(const struct exchange *x)
{
    return x->close_client;
}

struct target *exchange_target(const struct exchange *x)
{
    return x->target;
}

bool exchange_is_head(const struct exchange *x)
{
    return x->method == HTTP_HEAD;
}

bool exchange_must_reset(const struct exchange *x)
{
    return x->response_begun && x->client_is_1_0 && !x->response_chunked &&
           x->response_body.framing != HTTP_BODY_LENGTH;
}

/* --- the target's events ---------------------------------------------------- */

static void connected(struct exchange *x)
{
    const char *why;
    const int status = target_conn_finish_connect(x->conn, &why);

    if (status == 0)
        exchange_dispatched(x);
    else
        exchange_not_answered(x, status, why);
}

void exchange_on_target(struct target_conn *conn, int revents)
{
    struct exchange *x = conn->owner;

    if (conn->is_connecting)
        connected(x);
    if (x->state == EXCHANGE_RUNNING && (revents & EV_READ) && !x->conn->is_connecting)
        exchange_read_response(x);
    flush_request(x);
    x->client.wake(x->client.user);
}
