/*
 * exchange_response.c -- a target's response, on its way to the client.
 *
 * Heads are parsed strictly, read by the second parser, and written anew;
 * bodies are decoded and framed again by us. Interim responses (1xx) are
 * dropped: 100 was answered by the balancer itself.
 */
#include "http/canonical.h"
#include "http/parse.h"
#include "http/second.h"

#include "alb/access_log.h"
#include "alb/balancer.h"
#include "alb/exchange_private.h"
#include "alb/headers.h"
#include "alb/leavers.h"
#include "alb/target.h"
#include "alb/worker.h"

/* Payloads from this size on go straight from the scratch to the socket. */
enum { DIRECT_MIN = 4096 };

static void count_status(struct exchange *x, int status)
{
    struct target_counters *c = &x->target->counters;
    metric_value *by_class[] = { &c->code_1xx, &c->code_2xx, &c->code_3xx, &c->code_4xx,
                                 &c->code_5xx };
    const uint64_t now = loop_mono_us(&x->worker->loop);

    if (status < 600)
        metric_add(by_class[status / 100 - 1], 1);
    if (x->dispatched_us != 0)
        metric_observe_us(&c->response_time, now - x->dispatched_us);
    if (x->entry != NULL) {
        x->entry->answered_us = now;
        x->entry->target_status = x->entry->elb_status = (uint16_t)status;
    }
}

/* --- the body -------------------------------------------------------------- */

/* What waits and the payload, in one call; what did not go waits. */
static void send_through(struct exchange *x, struct span payload)
{
    struct buf *out = x->client.out;
    const struct span waiting = buf_data(out);
    struct iovec pieces[2] = {
        { .iov_base = (void *)(uintptr_t)waiting.ptr, .iov_len = waiting.len },
        { .iov_base = (void *)(uintptr_t)payload.ptr, .iov_len = payload.len },
    };
    size_t moved = 0;

    switch (stream_writev(x->client.stream, pieces, 2, &moved)) {
    case STREAM_MOVED:
    case STREAM_BLOCKED:
        break;
    case STREAM_EOF:
    case STREAM_FAILED:
        exchange_fail(x, 460, "client closed within the response");
        return;
    }
    if (moved > 0)
        exchange_client_took(x);
    metric_add(&x->worker->counters.client_bytes_out, moved);
    if (x->client.facts->ip.family == 6)
        metric_add(&x->worker->counters.ipv6_bytes, moved);
    const size_t from_waiting = moved < waiting.len ? moved : waiting.len;
    buf_drop(out, from_waiting);
    buf_put(out, span_after(payload, moved - from_waiting));
}

static void emit(struct exchange *x, struct span payload)
{
    struct buf *out = x->client.out;

    if (x->response_chunked) {
        const size_t before = buf_len(out);
        http_chunk_begin(out, payload.len);
        buf_put(out, payload);
        http_chunk_end(out);
        exchange_count_sent(x, buf_len(out) - before);
        return;
    }
    exchange_count_sent(x, payload.len);
    if (payload.len >= DIRECT_MIN) {
        send_through(x, payload);
    } else {
        buf_put(out, payload);
    }
}

/* The response is whole: keep the target's connection if nothing is in doubt. */
static void finish(struct exchange *x, bool leftover)
{
    if (x->response_chunked) {
        const size_t before = buf_len(x->client.out);
        http_chunk_last(x->client.out);
        exchange_count_sent(x, buf_len(x->client.out) - before);
    }
    x->state = EXCHANGE_DONE;
    if (leftover)
        metric_add(&x->worker->counters.desync_suspects, 1);
    if (x->target_keeps_alive && x->request_done && !x->request_cut && !x->use_once && !leftover &&
        target_conn_is_flushed(x->conn)) {
        buf_done(&x->conn->in); /* a head that came in pieces; all of it is used */
        target_conn_give(&x->conn);
    } else {
        target_conn_close(&x->conn);
    }
}

static void relay_body(struct exchange *x, struct span *bytes)
{
    while (x->state == EXCHANGE_RUNNING) {
        struct span payload;
        switch (http_body_take(&x->response_body, bytes, &payload)) {
        case HTTP_BODY_DATA:
            emit(x, payload);
            break;
        case HTTP_BODY_MORE:
            return;
        case HTTP_BODY_DONE:
            finish(x, bytes->len > 0);
            return;
        case HTTP_BODY_BAD:
            exchange_fail(x, 502, "malformed chunk in the response body");
            return;
        }
    }
}

/* --- the head -------------------------------------------------------------- */

static bool write_head(struct exchange *x, struct http_message *m, struct response_head *how)
{
    struct sticky_cookies cookies;
    const size_t before = buf_len(x->client.out);

    sticky_issue(&x->sticky, x->worker, x->target, m, &cookies);
    how->cookies = cookies.values;
    if (!headers_write_response(x->client.out, m, how)) {
        exchange_fail(x, 502, "response head cannot be sent");
        return false;
    }
    exchange_count_sent(x, buf_len(x->client.out) - before);
    x->response_begun = true;
    return true;
}

/* How the body goes on: a 1.1 client gets chunks where the end is not known
 * beforehand, a 1.0 client the end of the connection. */
static void choose_framing(struct exchange *x, struct http_message *m)
{
    if (m->framing != HTTP_BODY_CHUNKED && m->framing != HTTP_BODY_UNTIL_CLOSE)
        return;
    m->framing = x->client_is_1_0 ? HTTP_BODY_UNTIL_CLOSE : HTTP_BODY_CHUNKED;
    x->response_chunked = !x->client_is_1_0;
    x->close_client |= x->client_is_1_0;
}

static void begin_response(struct exchange *x, struct http_message *m)
{
    struct response_head how = {
        .listener = worker_listener_headers(x->worker, x->client.listener),
        .client_is_1_0 = x->client_is_1_0,
    };

    count_status(x, m->status);
    if (exchange_try_elsewhere(x, m->status))
        return;
    http_body_init(&x->response_body, m->framing, m->content_length);
    x->target_keeps_alive = m->keep_alive && m->framing != HTTP_BODY_UNTIL_CLOSE;
    x->close_client = !x->client.keep_alive || x->is_ambiguous || x->is_upgrade ||
                      !x->request_done || x->worker->is_draining ||
                      leaver_is_client(x->worker, x->client.facts);
    choose_framing(x, m);
    how.close = x->close_client;
    if (x->is_upgrade) {
        x->why = "target did not upgrade";
    }
    exchange_upgrade_answered(x, m->status);
    write_head(x, m, &how);
}

static void upgrade(struct exchange *x, struct http_message *m)
{
    struct response_head how = {
        .listener = worker_listener_headers(x->worker, x->client.listener),
        .upgrade = true,
    };
    enum ws_refusal refusal;

    if (!x->is_upgrade) {
        exchange_fail(x, 502, "target answered 101 to a plain request");
        return;
    }
    refusal = ws_response_check(m, span_text(x->offer.accept), buf_data(&x->offer.protocols),
                                buf_data(&x->offer.extensions));
    if (refusal != WS_OK) {
        x->upgrade_failure = (uint8_t)refusal;
        exchange_fail(x, 502, ws_refusal_name(refusal));
        return;
    }
    count_status(x, 101);
    if (write_head(x, m, &how))
        x->state = EXCHANGE_UPGRADED;
}

static void interim(struct exchange *x)
{
    x->scanned = 0;
    if (++x->interim > EXCHANGE_INTERIM_MAX)
        exchange_fail(x, 502, "too many interim responses");
}

/* False when the head is not whole yet. */
static bool take_head(struct exchange *x, struct span *bytes)
{
    struct http_message *m = &x->worker->response;
    const char *why;

    switch (http_response_parse(*bytes, x->method, m, &x->scanned)) {
    case HTTP_PARTIAL:
        return false;
    case HTTP_REFUSED:
        if (strcmp(m->refuse_why, HTTP_WHY_101_LENGTH) == 0)
            x->upgrade_failure = WS_BODY_ON_101;
        exchange_fail(x, 502, m->refuse_why);
        return true;
    case HTTP_PARSED:
        break;
    }
    if (!http_second_response(span_of(bytes->ptr, m->head_len), m, &why)) {
        metric_add(&x->worker->counters.second_opinion_differs, 1);
        exchange_fail(x, 502, why);
        return true;
    }
    *bytes = span_after(*bytes, m->head_len);
    if (m->status == 101)
        upgrade(x, m);
    else if (m->status < 200)
        interim(x);
    else
        begin_response(x, m);
    if (x->has_moved)
        bytes->len = 0; /* they were the other target's */
    return true;
}

static void feed(struct exchange *x, struct span *bytes)
{
    while (x->state == EXCHANGE_RUNNING && !x->response_begun) {
        if (!take_head(x, bytes))
            return;
    }
    if (x->state == EXCHANGE_RUNNING)
        relay_body(x, bytes);
}

/* Bytes that are not used yet are kept in the connection: a part of a head, or
 * what came behind a 101. */
static void feed_and_keep(struct exchange *x, struct span fresh)
{
    struct buf *in = &x->conn->in;
    const bool from_buffer = buf_len(in) > 0;

    if (from_buffer && !buf_put(in, fresh)) {
        exchange_fail(x, 502, "response head too large");
        return;
    }
    struct span bytes = from_buffer ? buf_data(in) : fresh;
    const size_t before = bytes.len;
    x->has_moved = false;
    feed(x, &bytes);
    if (x->conn == NULL || x->has_moved)
        return; /* done, and the connection given back; or another one now */
    if (from_buffer)
        buf_drop(&x->conn->in, before - bytes.len);
    else if (bytes.len > 0)
        buf_put(&x->conn->in, bytes);
}

static void on_eof(struct exchange *x, const char *why)
{
    const bool ends_here = x->response_begun && http_body_ends_at_eof(&x->response_body);

    if (ends_here && stream_is_truncated(&x->conn->stream)) {
        exchange_not_answered(x, 502, "target ended the body without a TLS close_notify");
    } else if (ends_here) {
        x->target_keeps_alive = false;
        finish(x, false);
    } else {
        exchange_not_answered(x, 502, why);
    }
}

void exchange_read_response(struct exchange *x)
{
    struct loop *loop = &x->worker->loop;
    size_t n = 0;

    switch (stream_read(&x->conn->stream, loop->scratch, LOOP_SCRATCH_BYTES, &n)) {
    case STREAM_MOVED:
        x->active_ms = loop_now_ms(loop);
        x->has_spoken = true; /* so it is not sent again */
        if (!x->is_upgrade)
            buf_done(&x->replay);
        feed_and_keep(x, span_of(loop->scratch, n));
        break;
    case STREAM_BLOCKED:
        break;
    case STREAM_EOF:
        on_eof(x, x->response_begun ? "target closed within the response"
                                    : "target closed without an answer");
        break;
    case STREAM_FAILED:
        exchange_not_answered(x, 502, "target reset the connection");
        break;
    }
}
