/*
 * client.c -- one connection, from accept to the last byte.
 *
 *     HTTP ---> OPEN ---> CLOSING ---> FINISHING ---> (freed)
 *       |         |                       ^
 *       +---------+-----------------------+
 *
 *   HTTP       reading requests, answering them (client_http.c)
 *   OPEN       exchanging frames; the mode says what they mean
 *   CLOSING    our Close is queued, the peer's is awaited; its data is ignored
 *   FINISHING  all is said: what is queued leaves, then FIN, then the peer's
 *              end is awaited, so that no reset overtakes our last words
 *
 * Three rules keep this simple:
 *
 *   1. Everything that changes a client touches it. Only client_settle(), at
 *      the end of the turn, writes, sets watchers and frees.
 *   2. Watchers and timer are worked out from the state, never toggled.
 *   3. Input that must wait (for the hub, or until the peer has read its
 *      answers) stays unread in the kernel; what was read already is kept in
 *      `in`. So a peer that does not read cannot make us queue answers.
 */
#include "wsserver/client_core.h"

#include "base/bug.h"
#include "base/log.h"
#include "base/mem.h"
#include "http/message.h"
#include "wsserver/mode.h"
#include "wsserver/server.h"

enum {
    INPUT_MAX = HTTP_HEAD_MAX + LOOP_SCRATCH_BYTES,
    ANSWERS_MAX = 65536, /* bytes not read by the peer above which its input waits */
};

uint32_t client_now(const struct client *c)
{
    return loop_now_ms(&client_worker(c)->loop);
}

void client_touch(struct client *c)
{
    worker_touch(client_worker(c), c);
}

static void set_state(struct client *c, enum client_state state)
{
    c->state = (uint8_t)state;
    c->since = client_now(c);
    c->is_rearmed = true;
    client_touch(c);
}

void client_end(struct client *c, enum client_end how)
{
    if (c->end != CLIENT_LIVES)
        return;
    c->end = (uint8_t)how;
    client_touch(c);
}

struct hub_conn client_conn(const struct client *c)
{
    return (struct hub_conn){ .loop = client_worker(c)->loop.index, .id = c->id };
}

/* --- sending -------------------------------------------------------------------- */

void client_send(struct client *c, struct frame *frame, bool is_asked)
{
    outbox_push(&c->out, frame, is_asked);
    metric_add(&client_worker(c)->counters.frames_out, 1);
    client_touch(c);
}

void client_send_asked(struct client *c, struct span text)
{
    struct frame *frame = frame_new(WS_OP_TEXT, text);
    client_send(c, frame, true);
    frame_drop(&frame);
}

void client_send_text(struct client *c)
{
    struct buf *text = &client_worker(c)->text;
    client_send_asked(c, buf_data(text));
    buf_drop(text, buf_len(text));
}

void client_send_control(struct client *c, uint8_t opcode, struct span payload, bool is_asked)
{
    struct frame *frame = frame_new(opcode, payload);
    client_send(c, frame, is_asked);
    frame_drop(&frame);
}

void client_deliver(struct client *c, struct frame *frame)
{
    if (c->is_holding) {
        c->mode->hold(c, frame);
        return;
    }
    client_send(c, frame, false);
    if (outbox_is_over(&c->out))
        client_close(c, CLOSE_SLOW, "slow");
}

/* --- the states ------------------------------------------------------------------- */

void client_open(struct client *c, const struct client_mode *mode)
{
    c->mode = mode;
    ws_reader_init(&c->reader, WS_SERVER, client_worker(c)->server->options->max_message_bytes);
    metric_add(&client_worker(c)->counters.websockets_open, 1);
    set_state(c, CLIENT_OPEN);
}

void client_finish(struct client *c)
{
    set_state(c, CLIENT_FINISHING);
}

static enum hub_left left_by(uint16_t code)
{
    switch (code) {
    case WS_CLOSE_NORMAL:
        return HUB_LEFT_CLEAN;
    case WS_CLOSE_GOING_AWAY:
        return HUB_LEFT_GOING_AWAY;
    default:
        return HUB_LEFT_LOST;
    }
}

/* The mode hears it once, whatever way the WebSocket ends. */
static void leave(struct client *c, enum hub_left how)
{
    if (c->state != CLIENT_OPEN)
        return;
    c->is_waiting = c->is_holding = c->has_alarm = c->is_pinged = false;
    if (c->mode->left != NULL)
        c->mode->left(c, how);
}

static void send_close(struct client *c, uint16_t code, struct span reason)
{
    uint8_t payload[WS_CONTROL_MAX];
    client_send_control(c, WS_OP_CLOSE, span_of(payload, ws_close_write(payload, code, reason)),
                        true);
}

static void count_close(struct client *c, uint16_t code)
{
    struct counters *n = &client_worker(c)->counters;

    if (code == CLOSE_SLOW)
        metric_add(&n->closed_slow, 1);
    if (code == CLOSE_NO_PONG)
        metric_add(&n->closed_no_pong, 1);
    if (code == WS_CLOSE_RESTART)
        metric_add(&n->closed_restart, 1);
}

void client_close(struct client *c, uint16_t code, const char *reason)
{
    if (c->state != CLIENT_OPEN)
        return;
    leave(c, left_by(code));
    if (code == CLOSE_SLOW || code == CLOSE_NO_PONG)
        outbox_cut(&c->out); /* it is not reading */
    send_close(c, code, span_text(reason));
    count_close(c, code);
    log_debug("websocket closing conn=%llx mode=%s code=%u reason=\"%s\"",
              (unsigned long long)c->id, c->mode->name, code, reason);
    set_state(c, CLIENT_CLOSING);
}

static void on_peer_close(struct client *c, const struct ws_message *m)
{
    if (c->state == CLIENT_OPEN) {
        leave(c, left_by(m->code));
        c->peer_closed = true;
        send_close(c, m->code, SPAN(""));
        log_debug("websocket closed conn=%llx mode=%s code=%u", (unsigned long long)c->id,
                  c->mode->name, m->code);
    }
    client_finish(c);
}

/* --- frames in ----------------------------------------------------------------------- */

static void on_message(struct client *c, enum ws_event event, struct span payload)
{
    struct counters *n = &client_worker(c)->counters;

    metric_add(&n->messages_in, 1);
    metric_add(&n->messages_in_bytes, payload.len);
    c->mode->message(c, event == WS_EV_TEXT, payload);
}

static void on_event(struct client *c, enum ws_event event, const struct ws_message *m)
{
    bool is_open = c->state == CLIENT_OPEN;

    switch (event) {
    case WS_EV_NONE:
        break;
    case WS_EV_TEXT:
    case WS_EV_BINARY:
        if (is_open)
            on_message(c, event, m->payload);
        break;
    case WS_EV_PING:
        if (is_open && !c->mode->is_silent)
            client_send_control(c, WS_OP_PONG, m->payload, true);
        break;
    case WS_EV_PONG:
        break; /* every byte shows that the peer is there */
    case WS_EV_CLOSE:
        on_peer_close(c, m);
        break;
    case WS_EV_ERROR:
        client_close(c, m->code, m->why);
        client_finish(c); /* the reader will see no Close any more */
        break;
    }
}

bool client_input_waits(const struct client *c)
{
    return c->is_waiting || (c->state <= CLIENT_OPEN && c->out.bytes > ANSWERS_MAX);
}

static size_t take_frames(struct client *c, char *bytes, size_t len)
{
    struct ws_message m;
    enum ws_event event;
    size_t left = len;

    while (c->state != CLIENT_FINISHING && !client_input_waits(c) &&
           (event = ws_reader_next(&c->reader, &bytes, &left, &m)) != WS_EV_NONE)
        on_event(c, event, &m);
    return len - left;
}

/* Returns what was used. */
static size_t take(struct client *c, char *bytes, size_t len)
{
    switch ((enum client_state)c->state) {
    case CLIENT_HTTP:
        return client_take_request(c, span_of(bytes, len));
    case CLIENT_OPEN:
    case CLIENT_CLOSING:
        return take_frames(c, bytes, len);
    case CLIENT_FINISHING:
        return len;
    }
    bug("unknown state");
}

static size_t take_all(struct client *c, char *bytes, size_t len)
{
    size_t used = 0, n = 1;

    while (n > 0 && used < len && c->end == CLIENT_LIVES && !client_input_waits(c)) {
        n = take(c, bytes + used, len - used);
        used += n;
    }
    return used;
}

/* Use what was kept. */
static void take_kept(struct client *c)
{
    buf_drop(c->in, take_all(c, c->in->mem + c->in->head, buf_len(c->in)));
    if (buf_len(c->in) > 0)
        return;
    buf_done(c->in);
    mem_free(c->in);
}

static void keep(struct client *c, struct span bytes)
{
    if (bytes.len == 0)
        return;
    if (c->in == NULL) {
        c->in = mem_new(struct buf);
        buf_init(c->in, INPUT_MAX);
    }
    if (!buf_put(c->in, bytes))
        bug("more input was read than may wait");
}

static void input(struct client *c, char *bytes, size_t len)
{
    if (c->in != NULL) {
        keep(c, span_of(bytes, len));
        take_kept(c);
        return;
    }
    size_t used = take_all(c, bytes, len);
    keep(c, span_of(bytes + used, len - used));
}

/* --- events -------------------------------------------------------------------------- */

static void on_eof(struct client *c)
{
    c->has_eof = true;
    switch ((enum client_state)c->state) {
    case CLIENT_OPEN:
    case CLIENT_CLOSING:
        client_end(c, CLIENT_LOST);
        break;
    case CLIENT_HTTP: /* it may still read its answers */
        client_finish(c);
        break;
    case CLIENT_FINISHING:
        client_touch(c);
        break;
    }
}

static void on_io(struct ev_loop *loop, ev_io *io, int revents)
{
    struct client *c = list_entry(io, struct client, io);
    struct worker *w = io->data;
    size_t moved = 0;
    (void)loop;

    client_touch(c);
    if ((revents & EV_READ) == 0)
        return;
    switch (stream_read(&c->stream, w->loop.scratch, LOOP_SCRATCH_BYTES, &moved)) {
    case STREAM_MOVED:
        c->heard = client_now(c);
        c->is_rearmed |= c->is_pinged;
        c->is_pinged = false;
        input(c, w->loop.scratch, moved);
        break;
    case STREAM_BLOCKED:
        break;
    case STREAM_EOF:
        on_eof(c);
        break;
    case STREAM_FAILED:
        client_end(c, CLIENT_LOST);
        break;
    }
}

/* --- waiting for the hub ---------------------------------------------------------- */

void client_wait(struct client *c)
{
    c->is_waiting = true;
}

void client_go_on(struct client *c)
{
    c->is_waiting = false;
    client_touch(c);
}

/* --- settling ------------------------------------------------------------------------- */

static void flush(struct client *c)
{
    struct worker *w = client_worker(c);

    while (c->end == CLIENT_LIVES && !outbox_is_empty(&c->out)) {
        struct span next = outbox_next(&c->out, w->loop.scratch, LOOP_SCRATCH_BYTES);
        size_t moved = 0;
        enum stream_io io = stream_write(&c->stream, next, &moved);
        metric_add(&w->counters.writes, 1);
        if (io == STREAM_MOVED) {
            metric_add(&w->counters.bytes_out, moved);
            outbox_sent(&c->out, moved);
            c->sent = client_now(c);
        } else if (io != STREAM_BLOCKED) {
            client_end(c, c->has_eof ? CLIENT_ENDED : CLIENT_LOST);
        }
        if (moved < next.len)
            return;
    }
}

static void finish_sending(struct client *c)
{
    if (c->state != CLIENT_FINISHING || !outbox_is_empty(&c->out))
        return;
    if (!c->is_finished)
        stream_finish(&c->stream);
    c->is_finished = true;
    if (c->has_eof)
        client_end(c, CLIENT_ENDED);
}

static void watch(struct client *c)
{
    struct ev_loop *ev = client_worker(c)->loop.ev;
    int events = (client_input_waits(c) || c->has_eof ? 0 : EV_READ) |
                 (outbox_is_empty(&c->out) ? 0 : EV_WRITE);

    if (events == (ev_is_active(&c->io) ? c->io.events & (EV_READ | EV_WRITE) : 0))
        return;
    ev_io_stop(ev, &c->io);
    ev_io_set(&c->io, c->stream.fd, events);
    if (events != 0)
        ev_io_start(ev, &c->io);
}

static void count_end(struct client *c)
{
    struct counters *n = &client_worker(c)->counters;

    metric_sub(&n->websockets_open, 1);
    if (c->end == CLIENT_LOST && !c->peer_closed)
        metric_add(&n->ended_lost, 1);
    else if (c->end == CLIENT_UNANSWERED)
        metric_add(&n->ended_unanswered, 1);
    else if (c->peer_closed)
        metric_add(&n->ended_by_client, 1);
    else
        metric_add(&n->ended_by_server, 1);
}

static void free_client(struct client *c)
{
    struct worker *w = client_worker(c);

    if (c->mode != NULL) {
        leave(c, HUB_LEFT_LOST);
        count_end(c);
        server_release(w->server);
        ws_reader_done(&c->reader);
    }
    worker_remove(w, c->stream.fd);
    wheel_stop(&w->loop.wheel, &c->timer);
    ev_io_stop(w->loop.ev, &c->io);
    stream_close(&c->stream);
    outbox_done(&c->out);
    if (c->in != NULL)
        buf_done(c->in);
    free(c->in);
    free(c);
}

void client_settle(struct client *c)
{
    size_t before;

    do {
        flush(c);
        before = c->in == NULL ? 0 : buf_len(c->in);
        if (before > 0 && c->end == CLIENT_LIVES && !client_input_waits(c))
            take_kept(c);
    } while (c->in != NULL ? buf_len(c->in) < before : before > 0);
    finish_sending(c);
    if (c->end != CLIENT_LIVES && !c->is_touched) {
        free_client(c);
        return;
    }
    watch(c);
    if (c->is_rearmed)
        wheel_set(&client_worker(c)->loop.wheel, &c->timer, client_due_in(c));
    c->is_rearmed = false;
}

void client_cut(struct client *c)
{
    free_client(c);
}

void client_new(struct worker *w, int fd)
{
    struct client *c = mem_new(struct client);

    stream_init(&c->stream, fd, NULL);
    outbox_init(&c->out);
    wheel_timer_init(&c->timer, client_on_timer);
    ev_io_init(&c->io, on_io, fd, EV_READ);
    c->io.data = w;
    c->id = worker_add(w, c, fd);
    c->heard = c->sent = client_now(c);
    set_state(c, CLIENT_HTTP);
}
