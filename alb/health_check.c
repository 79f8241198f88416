/*
 * health_check.c -- see health_check.h.
 *
 * The socket is watched for writing until the request has gone, then for
 * reading; a connection that could not be made shows as a failed write.
 */
#include "alb/health_check.h"

#include <errno.h>
#include <sys/socket.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/random.h"
#include "http/parse.h"
#include "net/tls_client.h"

enum { REQUEST_MAX = 2048, READ_BYTES = 4096 };

/* After the pong: so long for the target's Close, which decides nothing. */
#define CLOSE_S 1.0

/* End the check, then tell: the owner may start the next one at once. */
static void finish(struct health_check *c, struct health_result result)
{
    result.took_us = (c->phase == HEALTH_CLOSING ? c->ponged_us : clock_mono_us()) - c->began_us;
    result.was_connected = c->was_connected;
    health_check_cancel(c);
    c->on_result(c->user, &result);
}

/* Whatever becomes of the connection after the pong, the target has shown what it can do. */
static void end(struct health_check *c, enum health_outcome outcome, const char *why)
{
    if (c->phase == HEALTH_CLOSING)
        finish(c, (struct health_result){ .outcome = HEALTH_PONGED, .status = 101 });
    else
        finish(c, (struct health_result){ .outcome = outcome, .why = why });
}

static void fail(struct health_check *c, const char *why)
{
    end(c, HEALTH_FAILED, why);
}

/* There is no connection, or no more. */
static void cut(struct health_check *c, const char *why)
{
    end(c, HEALTH_CUT, why);
}

static void on_deadline(struct ev_loop *loop, ev_timer *timer, int revents)
{
    struct health_check *c = timer->data;
    (void)loop;
    (void)revents;

    end(c, HEALTH_TIMED_OUT,
        c->phase == HEALTH_ASKING ? "Request timed out"
                                  : "The WebSocket opened, but its ping was not answered in time");
}

static void watch(struct health_check *c, int events)
{
    ev_io_stop(c->loop, &c->io);
    ev_io_set(&c->io, c->stream.fd, events);
    ev_io_start(c->loop, &c->io);
}

static void write_request(struct health_check *c)
{
    size_t moved = 0;
    const bool is_taken = buf_len(&c->out) == 0; /* by TLS, which has it yet */

    switch (is_taken ? stream_flush(&c->stream)
                     : stream_write(&c->stream, buf_data(&c->out), &moved)) {
    case STREAM_MOVED:
    case STREAM_BLOCKED:
        buf_drop(&c->out, moved);
        watch(c, buf_len(&c->out) > 0 || stream_wants(&c->stream) != 0 ? EV_WRITE : EV_READ);
        return;
    case STREAM_EOF:
    case STREAM_FAILED:
        cut(c, stream_error(&c->stream));
        return;
    }
    bug("unknown outcome of a write");
}

/* The socket is connected, or cannot be: the first write tells. */
static void shake_hands(struct health_check *c)
{
    switch (tls_handshake(c->stream.tls)) {
    case TLS_DONE:
        c->is_shaking = false;
        write_request(c);
        return;
    case TLS_WANT_READ:
        watch(c, EV_READ);
        return;
    case TLS_WANT_WRITE:
        watch(c, EV_WRITE);
        return;
    case TLS_PLAIN_HTTP: /* only servers are told that */
    case TLS_FAILED:
        if (tls_client_was_cut(c->stream.tls))
            cut(c, tls_client_why(c->stream.tls));
        else
            fail(c, tls_client_why(c->stream.tls));
        return;
    }
    bug("unknown outcome of a handshake");
}

/* 100 and 103 come before the answer; a 101 is one, though never a good one. */
static bool is_interim(int status)
{
    return status < 200 && status != 101;
}

/* --- a WebSocket ------------------------------------------------------------------------ */

static void send_frame(struct health_check *c, const uint8_t *frame, size_t n)
{
    buf_put(&c->out, span_of((const char *)frame, n));
    write_request(c);
}

/* Say goodbye, and see whether the target does. */
static void take_pong(struct health_check *c)
{
    uint8_t frame[WS_HEADER_MAX + WS_CONTROL_MAX];

    c->phase = HEALTH_CLOSING;
    c->ponged_us = clock_mono_us();
    ev_timer_stop(c->loop, &c->deadline);
    ev_timer_set(&c->deadline, CLOSE_S, 0);
    ev_timer_start(c->loop, &c->deadline);
    send_frame(c, frame, ws_probe_close(&c->probe, frame));
}

static void read_frames(struct health_check *c)
{
    struct span in = buf_data(&c->in);
    const size_t before = in.len;
    const char *why = NULL;
    const enum ws_probe_step step = ws_probe_read(&c->probe, &in, &why);

    buf_drop(&c->in, before - in.len);
    if (step == WS_PROBE_PONG) {
        take_pong(c);
        if (c->is_running && buf_len(&c->in) > 0)
            read_frames(c); /* once: there is no second pong */
    } else if (step == WS_PROBE_CLOSED || step == WS_PROBE_BAD) {
        fail(c, why);
    }
}

/* The whole answer to the upgrade: go on with the ping, if it is the 101. */
static void open_websocket(struct health_check *c)
{
    const enum ws_refusal refusal = ws_probe_answer(&c->probe, c->answer);
    uint8_t frame[WS_HEADER_MAX + WS_CONTROL_MAX];

    if (refusal != WS_OK) {
        fail(c, ws_refusal_cause(refusal));
        return;
    }
    buf_drop(&c->in, c->answer->head_len);
    c->phase = HEALTH_PINGING;
    send_frame(c, frame, ws_probe_ping(&c->probe, frame));
    if (c->is_running && buf_len(&c->in) > 0)
        read_frames(c);
}

/* --- the answer ------------------------------------------------------------------------- */

static void take_answer(struct health_check *c)
{
    if (c->is_websocket && c->answer->status == 101)
        open_websocket(c);
    else
        finish(c,
               (struct health_result){ .outcome = HEALTH_ANSWERED, .status = c->answer->status });
}

/* What has come so far: does it say something yet? */
static void read_head(struct health_check *c)
{
    for (;;) {
        switch (http_response_parse(buf_data(&c->in), HTTP_GET, c->answer, &c->scanned)) {
        case HTTP_PARTIAL:
            return;
        case HTTP_REFUSED:
            fail(c, c->answer->refuse_why);
            return;
        case HTTP_PARSED:
            if (!is_interim(c->answer->status)) {
                take_answer(c);
                return;
            }
            buf_drop(&c->in, c->answer->head_len);
            c->scanned = 0;
        }
    }
}

static const char *why_closed(const struct health_check *c)
{
    if (c->phase != HEALTH_ASKING)
        return "the target closed the WebSocket before its pong";
    return buf_len(&c->in) == 0 ? "the target closed without an answer"
                                : "the target closed inside the response head";
}

static void read_some(struct health_check *c)
{
    char *space = buf_space(&c->in, READ_BYTES);
    size_t moved;

    if (space == NULL) {
        fail(c, "the response head has more than 32 KB");
        return;
    }
    switch (stream_read(&c->stream, space, READ_BYTES, &moved)) {
    case STREAM_MOVED:
        buf_added(&c->in, moved);
        if (c->phase == HEALTH_ASKING)
            read_head(c);
        else
            read_frames(c);
        return;
    case STREAM_BLOCKED:
        return;
    case STREAM_EOF:
        cut(c, why_closed(c));
        return;
    case STREAM_FAILED:
        cut(c, stream_error(&c->stream));
        return;
    }
    bug("unknown outcome of a read");
}

/* TLS may hold bytes that the socket will never announce again. */
static void read_answer(struct health_check *c)
{
    do
        read_some(c);
    while (c->is_running && stream_pending(&c->stream) > 0);
}

static void on_io(struct ev_loop *loop, ev_io *io, int revents)
{
    struct health_check *c = io->data;
    (void)loop;

    c->was_connected = true;
    if (c->is_shaking)
        shake_hands(c);
    else if (revents & EV_WRITE)
        write_request(c);
    else
        read_answer(c);
}

void health_check_init(struct health_check *c, struct ev_loop *loop, struct http_message *answer,
                       health_check_fn *on_result, void *user)
{
    *c = (struct health_check){
        .loop = loop, .answer = answer, .on_result = on_result, .user = user, .stream.fd = -1
    };
    buf_init(&c->out, REQUEST_MAX);
    buf_init(&c->in, HTTP_RESPONSE_HEAD_MAX + READ_BYTES);
    ev_io_init(&c->io, on_io, -1, 0);
    c->io.data = c;
    ev_timer_init(&c->deadline, on_deadline, 0, 0);
    c->deadline.data = c;
}

static void write_head(struct health_check *c, const struct addr *target, const char *path)
{
    struct buf *out = &c->out;
    const bool is_unix = target->sa.sa_family == AF_UNIX;
    char host[ADDR_TEXT_MAX];

    buf_print(out,
              "GET %s HTTP/1.1\r\n"
              "Host: %s\r\n",
              path, is_unix ? "localhost" : addr_format(target, host));
    if (c->is_websocket)
        ws_probe_put_fields(&c->probe, out);
    else
        buf_put(out, SPAN("Connection: close\r\n"));
    buf_put(out, SPAN("User-Agent: ELB-HealthChecker/2.0\r\n\r\n"));
}

static void open_stream(struct health_check *c, const struct health_question *q, int fd)
{
    struct tls_session *tls = q->tls == NULL ? NULL : tls_client_session(q->tls, q->resume, fd);

    c->is_shaking = tls != NULL;
    stream_init(&c->stream, fd, tls);
}

static void begin_websocket(struct health_check *c, bool is_websocket)
{
    uint8_t random[WS_PROBE_RANDOM];

    c->is_websocket = is_websocket;
    if (!is_websocket)
        return;
    random_bytes(random, sizeof(random));
    ws_probe_init(&c->probe, random);
}

void health_check_start(struct health_check *c, const struct health_question *q)
{
    const struct addr *target = q->target;

    if (c->is_running)
        bug("two health checks of one target at a time");
    c->is_running = true;
    c->was_connected = false;
    c->began_us = clock_mono_us();
    c->scanned = 0;
    c->phase = HEALTH_ASKING;
    begin_websocket(c, q->is_websocket);

    const int fd = socket(target->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd == -1) {
        finish(c, (struct health_result){ .outcome = HEALTH_NOT_MADE, .why = strerror(errno) });
        return;
    }
    open_stream(c, q, fd);
    if (connect(fd, &target->sa, target->len) == -1 && errno != EINPROGRESS) {
        cut(c, strerror(errno));
        return;
    }
    write_head(c, target, q->path);
    watch(c, EV_WRITE);
    ev_timer_set(&c->deadline, q->timeout_ms / 1000.0, 0);
    ev_timer_start(c->loop, &c->deadline);
}

void health_check_cancel(struct health_check *c)
{
    if (!c->is_running)
        return;
    c->is_running = false;
    ev_io_stop(c->loop, &c->io);
    ev_timer_stop(c->loop, &c->deadline);
    stream_close(&c->stream);
    buf_done(&c->out);
    buf_done(&c->in);
}
