/*
 * tunnel_relay.c -- bytes both ways, and nothing between them that costs.
 *
 * Bytes are read into the loop's scratch and written straight out to the other
 * side. Only what does not go at once gets a buffer, and the source is not read
 * again until that buffer is empty; an idle tunnel owns none. A message costs
 * one read and one write: no timer call (the wheel looks at last_ms), no change
 * of events, no second read after a short one.
 *
 * watch() is the only place that chooses events; the memory goes at the end of
 * tunnel_settle(), the last call of every callback.
 */
#include "alb/tunnel_private.h"

#include "base/mem.h"
#include "net/loop.h"
#include "net/watch.h"

#include "alb/access_log.h"
#include "alb/exchange.h"
#include "alb/heartbeat_watch.h"
#include "alb/target.h"
#include "alb/tunnel_idle.h"
#include "alb/worker.h"

enum { LOOK_MS = 100 };

/* --- counting ------------------------------------------------------------------ */

/* Bytes from or to the client, as they pass its socket. */
static void count_client(const struct tunnel *t, metric_value *count, size_t n)
{
    metric_add(count, n);
    if (t->is_ipv6)
        metric_add(&worker_here->counters.ipv6_bytes, n);
}

static void count_sent(const struct tunnel *t, const struct leg *to, size_t n)
{
    if (n > 0 && tunnel_is_client(t, to))
        count_client(t, &worker_here->counters.client_bytes_out, n);
}

/* Not of a client's early bytes, which were counted before they were known to be a
 * tunnel's. */
static void count_read(const struct tunnel *t, const struct leg *from, size_t n)
{
    if (tunnel_is_client(t, from))
        count_client(t, &worker_here->counters.client_bytes_in, n);
}

static void count_relayed(struct tunnel *t, struct leg *from, size_t n)
{
    struct target_counters *tc = &t->target->counters;

    from->bytes += n;
    metric_add(tunnel_is_client(t, from) ? &tc->bytes_from_client : &tc->bytes_from_target, n);
}

/* --- ends ---------------------------------------------------------------------- */

/* The other side may still have something to say, but no longer take its time. */
static void on_eof(struct tunnel *t, struct leg *from)
{
    struct loop *loop = &worker_here->loop;

    tunnel_ping_finished(t, from);
    from->eof = true;
    from->pinged_ms = loop_now_ms(loop);
    tunnel_blame(t, tunnel_is_client(t, from) ? TUNNEL_CLIENT_FIN : TUNNEL_TARGET_FIN);
    if (t->close <= CLOSE_DUE)
        wheel_hasten(&loop->wheel, &t->timer,
                     loop_mono_ms(loop) + tunnel_idle_limit(tunnel_policy_get(t), true));
}

/* What was to go to it. */
static void drop_pending(struct leg *leg)
{
    leg->finished = true;
    if (leg->pending != NULL)
        buf_done(leg->pending);
    mem_free(leg->pending);
}

static void blame_reset(struct tunnel *t, const struct leg *leg)
{
    tunnel_blame(t, tunnel_is_client(t, leg) ? TUNNEL_CLIENT_RESET : TUNNEL_TARGET_RESET);
}

/* It is not there any more. What it had sent before is the other side's all the same. */
static void reset_by(struct tunnel *t, struct leg *leg)
{
    blame_reset(t, leg);
    drop_pending(leg);
    leg->gone = true;
    on_eof(t, leg);
}

/* It takes nothing more; reading comes to the end of what it had sent, and its Close may be among
 * that. The session of one with TLS is broken. */
static void refused_by(struct tunnel *t, struct leg *leg)
{
    if (leg->stream.tls != NULL) {
        reset_by(t, leg);
        return;
    }
    blame_reset(t, leg);
    drop_pending(leg);
}

/* --- sending ------------------------------------------------------------------ */

static void keep_pending(struct leg *to, struct span bytes)
{
    if (bytes.len == 0)
        return;
    if (to->pending == NULL) {
        to->pending = mem_new(struct buf);
        buf_init(to->pending, TUNNEL_PENDING_MAX + CLIENT_OUT_MAX);
    }
    buf_put(to->pending, bytes);
}

typedef enum stream_io write_fn(struct stream *s, struct span bytes, size_t *moved);

static void send_by(write_fn *write, struct tunnel *t, struct leg *to, struct span bytes)
{
    size_t moved = 0;

    if (to->finished)
        return;
    if (t->entry != NULL && tunnel_is_client(t, to))
        t->entry->sent += bytes.len;
    if (to->pending == NULL && bytes.len > 0) {
        const enum stream_io io = write(&to->stream, bytes, &moved);
        if (io == STREAM_FAILED || io == STREAM_EOF) {
            if (t->entry != NULL && tunnel_is_client(t, to))
                t->entry->sent -= bytes.len;
            refused_by(t, to);
            return;
        }
        count_sent(t, to, moved);
    }
    keep_pending(to, span_after(bytes, moved));
}

void tunnel_send(struct tunnel *t, struct leg *to, struct span bytes)
{
    send_by(stream_write, t, to, bytes);
}

static void flush(struct tunnel *t, struct leg *to)
{
    while (to->pending != NULL) {
        size_t moved = 0;
        const enum stream_io io = stream_write(&to->stream, buf_data(to->pending), &moved);
        if (io == STREAM_FAILED || io == STREAM_EOF)
            refused_by(t, to);
        if (io != STREAM_MOVED)
            return;
        tunnel_other_leg(t, to)->last_ms = loop_now_ms(&worker_here->loop);
        count_sent(t, to, moved);
        buf_drop(to->pending, moved);
        if (buf_len(to->pending) == 0) {
            buf_done(to->pending);
            mem_free(to->pending);
        }
    }
    if (stream_flush(&to->stream) == STREAM_FAILED)
        reset_by(t, to);
    if (to->ping & PING_WANTED)
        tunnel_ping_flushed(t, to);
}

/* --- both have said Close ------------------------------------------------------- */

static bool has_said_close(const struct leg *leg)
{
    return ws_tracker_close_seen(&leg->tracker) && !ws_tracker_is_opaque(&leg->tracker);
}

/* What follows both Closes is an end, and a server's comes first (RFC 6455 7.1.1): if it is here,
 * its last bytes and our FIN go to the client in one packet. */
static bool ends_here(const struct tunnel *t, const struct leg *from)
{
    return from == &t->target_leg && has_said_close(from) && has_said_close(&t->client) &&
           t->client.stream.tls == NULL && stream_is_at_end(&from->stream);
}

/* --- relaying ------------------------------------------------------------------ */

void tunnel_note_quiet(struct tunnel *t, const struct leg *from, uint32_t now)
{
    const uint32_t ms = now - from->last_ms;
    const uint32_t other_ms = now - tunnel_other_leg(t, from)->last_ms;

    if (ms >= HEARTBEAT_LEAST_MS && other_ms >= HEARTBEAT_LEAST_MS)
        heartbeat_watch_note(worker_here, t->target, ms < other_ms ? ms : other_ms);
}

static void pass_on(struct tunnel *t, struct leg *from, struct leg *to, struct span bytes)
{
    const uint32_t now = loop_now_ms(&worker_here->loop);

    tunnel_note_quiet(t, from, now);
    from->last_ms = now;
    if (t->close != CLOSE_NONE) {
        tunnel_send(t, to, tunnel_close_filter(t, from, bytes));
        return;
    }
    ws_tracker_feed(&from->tracker, bytes, &from->counts);
    if (ends_here(t, from)) {
        on_eof(t, from);
        send_by(stream_write_last, t, to, bytes);
    } else {
        tunnel_send(t, to, bytes);
    }
}

void tunnel_relay(struct tunnel *t, struct leg *from, struct span bytes)
{
    struct leg *to = tunnel_other_leg(t, from);
    const uint32_t pings = from->counts.frames[WS_KIND_PING];
    const uint32_t pongs = from->counts.frames[WS_KIND_PONG];

    count_relayed(t, from, bytes.len);
    if ((from->ping & PING_OUT) | (to->ping & PING_WANTED))
        tunnel_ping_relay(t, from, bytes);
    else
        pass_on(t, from, to, bytes);
    if (from->counts.frames[WS_KIND_PING] != pings || from->counts.frames[WS_KIND_PONG] != pongs)
        tunnel_ping_note(t, from, from->counts.frames[WS_KIND_PING] != pings,
                         from->counts.frames[WS_KIND_PONG] != pongs);
    if (ws_tracker_close_seen(&from->tracker))
        tunnel_blame(t, tunnel_is_client(t, from) ? TUNNEL_CLIENT_CLOSE : TUNNEL_TARGET_CLOSE);
}

static void read_leg(struct tunnel *t, struct leg *from)
{
    struct loop *loop = &worker_here->loop;
    size_t n = 0;

    switch (stream_read(&from->stream, loop->scratch, LOOP_SCRATCH_BYTES, &n)) {
    case STREAM_MOVED:
        count_read(t, from, n);
        tunnel_relay(t, from, span_of(loop->scratch, n));
        break;
    case STREAM_BLOCKED:
        break;
    case STREAM_EOF:
        on_eof(t, from);
        break;
    case STREAM_FAILED:
        reset_by(t, from);
        break;
    }
}

/* --- passing FIN on, once the bytes before it are out ------------------------------- */

static bool is_flushed(const struct leg *leg)
{
    return leg->pending == NULL && !(stream_wants(&leg->stream) & EV_WRITE);
}

static void pass_fin(const struct tunnel *t, const struct leg *from, struct leg *to)
{
    if ((!from->eof && t->close != CLOSE_DONE) || to->finished || !is_flushed(to))
        return;
    to->finished = true;
    if (t->close == CLOSE_DONE) /* else a ping may be out, which has its tag from that */
        to->pinged_ms = loop_now_ms(&worker_here->loop);
    stream_finish(&to->stream);
}

/* --- may the sockets be closed? ------------------------------------------------------ */

/* Bytes that come to a closed socket have the kernel throw away what it still had to send. So it
 * stays until it has no such bytes, or none can come. */
static bool can_go(const struct leg *leg)
{
    return leg->gone || (is_flushed(leg) && (leg->eof || !stream_waits(&leg->stream)));
}

/* It has our FIN, and nothing to say that the other side, which has ended, could still read. With
 * TLS it has: its close_notify. */
static bool is_done_with(const struct leg *leg, const struct leg *ended)
{
    return ended->eof && leg->finished && leg->stream.tls == NULL &&
           !stream_is_held_up(&leg->stream);
}

/* After both Closes the first end is that of both: nothing may follow a Close (RFC 6455 5.5.1), so
 * there is nothing to wait for but that all is on its way. */
static bool is_closed(const struct tunnel *t)
{
    return has_said_close(&t->client) && has_said_close(&t->target_leg) &&
           (is_done_with(&t->client, &t->target_leg) || is_done_with(&t->target_leg, &t->client));
}

static bool is_broken(const struct tunnel *t)
{
    return (t->client.gone || t->target_leg.gone) && can_go(&t->client) && can_go(&t->target_leg);
}

bool tunnel_is_finished(const struct tunnel *t)
{
    return t->client.finished && t->target_leg.finished;
}

static bool is_all_taken(const struct tunnel *t)
{
    return tunnel_is_finished(t) && can_go(&t->client) && can_go(&t->target_leg);
}

/* No event tells that the last of it was taken. */
static void look_again(struct tunnel *t)
{
    struct loop *loop = &worker_here->loop;

    if (tunnel_is_finished(t))
        wheel_hasten(&loop->wheel, &t->timer, loop_mono_ms(loop) + LOOK_MS);
}

/* --- events ------------------------------------------------------------------------ */

static void watch(struct tunnel *t, struct leg *leg)
{
    const bool reads = !leg->eof && tunnel_other_leg(t, leg)->pending == NULL;

    watch_stream(worker_here->loop.ev, &leg->io, &leg->stream,
                 (reads ? EV_READ : 0) | (leg->pending != NULL ? EV_WRITE : 0));
}

/* The last call of every callback. */
void tunnel_settle(struct tunnel *t)
{
    if (t->close != CLOSE_NONE && !t->is_over)
        tunnel_close_advance(t);
    t->is_over = t->is_over || is_broken(t);
    if (!t->is_over) {
        pass_fin(t, &t->client, &t->target_leg);
        pass_fin(t, &t->target_leg, &t->client);
        t->is_over = is_all_taken(t) || is_closed(t);
    }
    if (t->is_over) {
        tunnel_free(t);
        return;
    }
    look_again(t);
    watch(t, &t->client);
    watch(t, &t->target_leg);
}

static void on_leg(struct tunnel *t, struct leg *leg, int revents)
{
    if (revents & EV_WRITE)
        flush(t, leg);
    if ((revents & EV_READ) && !t->is_over && !leg->eof &&
        tunnel_other_leg(t, leg)->pending == NULL)
        read_leg(t, leg);
    tunnel_settle(t);
}

void tunnel_on_client(struct ev_loop *loop, ev_io *io, int revents)
{
    struct tunnel *t = list_entry(io, struct tunnel, client.io);
    (void)loop;

    on_leg(t, &t->client, revents);
}

void tunnel_on_target(struct ev_loop *loop, ev_io *io, int revents)
{
    struct tunnel *t = list_entry(io, struct tunnel, target_leg.io);
    (void)loop;

    on_leg(t, &t->target_leg, revents);
}
