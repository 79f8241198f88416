/*
 * tunnel.c -- see tunnel.h.
 *
 *     relaying ---> (a close of ours: tunnel_close.c) ---> ended
 *         |                                                  ^
 *         +--- one side sent FIN: the other side gets it too +
 *         +--- reset, idle, cut --------------------------- -+
 *
 * Bytes are read into the loop's scratch and written straight out to the other
 * side. Only what does not go at once gets a buffer, and the source is not read
 * again until that buffer is empty; an idle tunnel owns none. A message costs
 * one read and one write: no timer call (the wheel looks at last_ms), no change
 * of events, no second read after a short one.
 *
 * watch() is the only place that chooses events; tunnel_end() the only way to
 * finish; the memory goes at the end of settle(), the last call of every
 * callback.
 */
#include "alb/tunnel.h"

#include "base/log.h"
#include "base/mem.h"
#include "net/loop.h"
#include "ws/close.h"

#include "alb/access_log.h"
#include "alb/balancer.h"
#include "alb/config.h"
#include "alb/exchange.h"
#include "alb/target.h"
#include "alb/tunnel_private.h"
#include "alb/worker.h"

static const char *const end_names[TUNNEL_ENDS] = {
    [TUNNEL_ALIVE] = "alive",
    [TUNNEL_CLIENT_CLOSE] = "closed by client",
    [TUNNEL_TARGET_CLOSE] = "closed by target",
    [TUNNEL_CLIENT_FIN] = "client FIN without a Close",
    [TUNNEL_TARGET_FIN] = "target FIN without a Close",
    [TUNNEL_CLIENT_RESET] = "client reset",
    [TUNNEL_TARGET_RESET] = "target reset",
    [TUNNEL_IDLE_CLIENT] = "idle: client silent longer",
    [TUNNEL_IDLE_TARGET] = "idle: target silent longer",
    [TUNNEL_DEREGISTERED] = "deregistration delay over",
    [TUNNEL_SHUTDOWN] = "shutdown",
    [TUNNEL_MID_FRAME] = "mid-frame",
};

void tunnel_blame(struct tunnel *t, enum tunnel_end why)
{
    if (t->end == TUNNEL_ALIVE)
        t->end = (uint8_t)why;
}

void tunnel_end(struct tunnel *t, enum tunnel_end why)
{
    tunnel_blame(t, why);
    t->is_over = true;
}

static bool is_client(const struct tunnel *t, const struct leg *leg)
{
    return leg == &t->client;
}

static struct leg *other_leg(struct tunnel *t, const struct leg *leg)
{
    return is_client(t, leg) ? &t->target_leg : &t->client;
}

static uint32_t now_ms(void)
{
    return loop_now_ms(&worker_here->loop);
}

/* How long it may be silent: shorter when one side has finished. */
static uint32_t limit_ms(const struct tunnel *t)
{
    const bool is_half = t->client.eof || t->target_leg.eof;

    return is_half && t->idle_ms > TUNNEL_CLOSE_MS ? TUNNEL_CLOSE_MS : t->idle_ms;
}

static void reset_by(struct tunnel *t, const struct leg *leg)
{
    tunnel_end(t, is_client(t, leg) ? TUNNEL_CLIENT_RESET : TUNNEL_TARGET_RESET);
}

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
    if (n > 0 && is_client(t, to))
        count_client(t, &worker_here->counters.client_bytes_out, n);
}

/* Not of a client's early bytes, which were counted before they were known to be a
 * tunnel's. */
static void count_read(const struct tunnel *t, const struct leg *from, size_t n)
{
    if (is_client(t, from))
        count_client(t, &worker_here->counters.client_bytes_in, n);
}

static void count_relayed(struct tunnel *t, struct leg *from, size_t n)
{
    struct target_counters *tc = &t->target->counters;

    from->bytes += n;
    metric_add(is_client(t, from) ? &tc->bytes_from_client : &tc->bytes_from_target, n);
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

void tunnel_send(struct tunnel *t, struct leg *to, struct span bytes)
{
    size_t moved = 0;

    if (to->finished)
        return;
    if (t->entry != NULL && is_client(t, to))
        t->entry->sent += bytes.len;
    if (to->pending == NULL && bytes.len > 0) {
        const enum stream_io io = stream_write(&to->stream, bytes, &moved);
        if (io == STREAM_FAILED || io == STREAM_EOF) {
            if (t->entry != NULL && is_client(t, to))
                t->entry->sent -= bytes.len;
            reset_by(t, to);
            return;
        }
        count_sent(t, to, moved);
    }
    keep_pending(to, span_after(bytes, moved));
}

static void flush(struct tunnel *t, struct leg *to)
{
    while (to->pending != NULL) {
        size_t moved = 0;
        const enum stream_io io = stream_write(&to->stream, buf_data(to->pending), &moved);
        if (io == STREAM_FAILED || io == STREAM_EOF)
            reset_by(t, to);
        if (io != STREAM_MOVED)
            return;
        to->last_ms = now_ms();
        count_sent(t, to, moved);
        buf_drop(to->pending, moved);
        if (buf_len(to->pending) == 0) {
            buf_done(to->pending);
            mem_free(to->pending);
        }
    }
    if (stream_flush(&to->stream) == STREAM_FAILED)
        reset_by(t, to);
}

/* --- relaying ------------------------------------------------------------------ */

static void relay(struct tunnel *t, struct leg *from, struct span bytes)
{
    count_relayed(t, from, bytes.len);
    from->last_ms = now_ms();
    if (t->close == CLOSE_NONE)
        ws_tracker_feed(&from->tracker, bytes, &from->counts);
    else
        bytes = tunnel_close_filter(t, from, bytes);
    if (ws_tracker_close_seen(&from->tracker))
        tunnel_blame(t, is_client(t, from) ? TUNNEL_CLIENT_CLOSE : TUNNEL_TARGET_CLOSE);
    tunnel_send(t, other_leg(t, from), bytes);
}

/* The other side may still have something to say, but no longer take its time. */
static void on_eof(struct tunnel *t, struct leg *from)
{
    from->eof = true;
    tunnel_blame(t, is_client(t, from) ? TUNNEL_CLIENT_FIN : TUNNEL_TARGET_FIN);
    if (t->close == CLOSE_NONE)
        wheel_set(&worker_here->loop.wheel, &t->timer, limit_ms(t));
}

static void read_leg(struct tunnel *t, struct leg *from)
{
    struct loop *loop = &worker_here->loop;
    size_t n = 0;

    switch (stream_read(&from->stream, loop->scratch, LOOP_SCRATCH_BYTES, &n)) {
    case STREAM_MOVED:
        count_read(t, from, n);
        relay(t, from, span_of(loop->scratch, n));
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

static void pass_fin(struct leg *from, struct leg *to)
{
    if (!from->eof || to->finished || to->pending != NULL || stream_wants(&to->stream) & EV_WRITE)
        return;
    to->finished = true;
    stream_finish(&to->stream);
}

static bool is_sent_off(const struct leg *leg)
{
    return leg->finished && !(stream_wants(&leg->stream) & EV_WRITE);
}

/* --- events ------------------------------------------------------------------------ */

static void watch(struct tunnel *t, struct leg *leg)
{
    struct ev_loop *loop = worker_here->loop.ev;
    int events = stream_wants(&leg->stream);

    if (!leg->eof && other_leg(t, leg)->pending == NULL)
        events |= EV_READ;
    if (leg->pending != NULL)
        events |= EV_WRITE;
    if (!ev_is_active(&leg->io) || (leg->io.events & (EV_READ | EV_WRITE)) != events) {
        ev_io_stop(loop, &leg->io);
        ev_io_set(&leg->io, leg->stream.fd, events);
        if (events != 0)
            ev_io_start(loop, &leg->io);
    }
    if ((events & EV_READ) && stream_pending(&leg->stream) > 0)
        ev_feed_event(loop, &leg->io, EV_READ);
}

static void forget(struct tunnel *t)
{
    struct worker *w = worker_here;

    w->tunnels[t->index] = w->tunnels[--w->tunnel_count];
    w->tunnels[t->index]->index = t->index;
}

static void count_end(struct tunnel *t)
{
    struct counters *n = &worker_here->counters;
    struct target_counters *tc = &t->target->counters;

    metric_sub(&n->tunnels_open, 1);
    metric_sub(&tc->connections_open, 1);
    metric_add(&n->tunnels_ended, 1);
    if (t->end == TUNNEL_IDLE_CLIENT || t->end == TUNNEL_IDLE_TARGET)
        metric_add(&n->tunnels_idle, 1);
    if (ws_tracker_is_opaque(&t->client.tracker) || ws_tracker_is_opaque(&t->target_leg.tracker))
        metric_add(&n->tunnels_opaque, 1);
    metric_add(&tc->frames_from_client, tunnel_frames(&t->client));
    metric_add(&tc->frames_from_target, tunnel_frames(&t->target_leg));
}

static void log_end(struct tunnel *t)
{
    struct access_entry *e = t->entry;
    const struct leg *legs[2] = { &t->client, &t->target_leg };

    log_info("tunnel end reason=\"%s\" target=%s client_close=%u target_close=%u",
             end_names[t->end], t->target->text, ws_tracker_close_code(&t->client.tracker),
             ws_tracker_close_code(&t->target_leg.tracker));
    if (e == NULL)
        return;
    e->is_websocket = true;
    e->end = end_names[t->end];
    e->received += t->client.bytes;
    if (t->client.pending != NULL)
        e->sent -= buf_len(t->client.pending);
    for (int i = 0; i < 2; i++) {
        e->close_code[i] = ws_tracker_close_code(&legs[i]->tracker);
        e->frames[i] = tunnel_frames(legs[i]);
    }
    access_log_row(worker_here, &t->entry);
}

static void free_leg(struct leg *leg)
{
    ev_io_stop(worker_here->loop.ev, &leg->io);
    stream_close(&leg->stream);
    if (leg->pending != NULL)
        buf_done(leg->pending);
    free(leg->pending);
}

static void free_tunnel(struct tunnel *t)
{
    struct worker *w = worker_here;

    count_end(t);
    log_end(t);
    forget(t);
    wheel_stop(&w->loop.wheel, &t->timer);
    free_leg(&t->client);
    free_leg(&t->target_leg);
    target_release(t->target);
    target_unref(&t->target);
    balancer_connection_closed(w->balancer, w);
    free(t);
}

/* The last call of every callback. */
static void settle(struct tunnel *t)
{
    if (t->close != CLOSE_NONE && !t->is_over)
        tunnel_close_advance(t);
    if (!t->is_over) {
        pass_fin(&t->client, &t->target_leg);
        pass_fin(&t->target_leg, &t->client);
        t->is_over = is_sent_off(&t->client) && is_sent_off(&t->target_leg);
    }
    if (t->is_over) {
        free_tunnel(t);
        return;
    }
    watch(t, &t->client);
    watch(t, &t->target_leg);
}

static void on_leg(struct tunnel *t, struct leg *leg, int revents)
{
    if (revents & EV_WRITE)
        flush(t, leg);
    if ((revents & EV_READ) && !t->is_over && !leg->eof && other_leg(t, leg)->pending == NULL)
        read_leg(t, leg);
    settle(t);
}

static void on_client(struct ev_loop *loop, ev_io *io, int revents)
{
    struct tunnel *t = list_entry(io, struct tunnel, client.io);
    (void)loop;

    on_leg(t, &t->client, revents);
}

static void on_target(struct ev_loop *loop, ev_io *io, int revents)
{
    struct tunnel *t = list_entry(io, struct tunnel, target_leg.io);
    (void)loop;

    on_leg(t, &t->target_leg, revents);
}

/* --- time ---------------------------------------------------------------------------- */

/* Idle is when neither side moved a byte; the one silent for longer is named. */
static uint32_t idle_left(const struct tunnel *t, enum tunnel_end *who)
{
    const uint32_t now = now_ms();
    const uint32_t client = now - t->client.last_ms;
    const uint32_t target = now - t->target_leg.last_ms;
    const uint32_t idle = client < target ? client : target;
    const uint32_t limit = limit_ms(t);

    *who = client > target ? TUNNEL_IDLE_CLIENT : TUNNEL_IDLE_TARGET;
    return idle >= limit ? 0 : limit - idle;
}

/* At once: what the client still gets of a frame of the target is a torn one. */
static void cut(struct tunnel *t, enum tunnel_end why, const char *reason)
{
    const struct ws_tracker *target = &t->target_leg.tracker;

    if (t->cut_on_drain) {
        tunnel_end(t, why);
        return;
    }
    if (t->close < CLOSE_SENT && !ws_tracker_at_boundary(target) && !ws_tracker_is_opaque(target))
        why = TUNNEL_MID_FRAME;
    tunnel_close_now(t, WS_CLOSE_RESTART, reason);
    tunnel_end(t, why);
}

static void on_timer(struct wheel_timer *timer)
{
    struct tunnel *t = list_entry(timer, struct tunnel, timer);
    enum tunnel_end who;
    const uint32_t left = idle_left(t, &who);

    if (t->close != CLOSE_NONE) { /* it had no boundary, or no answer, in time */
        cut(t, TUNNEL_SHUTDOWN, "restart");
    } else if (left == 0) {
        if (!t->cut_on_idle)
            tunnel_close_now(t, WS_CLOSE_GOING_AWAY, "idle");
        tunnel_end(t, who);
    } else {
        wheel_set(&worker_here->loop.wheel, &t->timer, left);
    }
    settle(t);
}

/* --- starting and stopping ------------------------------------------------------------- */

static void enlist(struct worker *w, struct tunnel *t)
{
    if (w->tunnel_count == w->tunnel_size) {
        w->tunnel_size = w->tunnel_size == 0 ? 64 : w->tunnel_size * 2;
        w->tunnels = mem_resize(w->tunnels, w->tunnel_size * sizeof(struct tunnel *));
    }
    t->index = w->tunnel_count;
    w->tunnels[w->tunnel_count++] = t;
}

static void init_leg(struct leg *leg, const struct stream *stream,
                     void (*on_io)(struct ev_loop *, ev_io *, int))
{
    leg->stream = *stream;
    leg->last_ms = now_ms();
    ws_tracker_init(&leg->tracker);
    ev_io_init(&leg->io, on_io, stream->fd, EV_READ);
}

static void take_policy(struct tunnel *t, const struct alb_options *o)
{
    t->idle_ms = o->idle_timeout_ms;
    t->cut_on_idle = o->idle_close == FAREWELL_CUT;
    t->cut_on_drain = o->drain_close == FAREWELL_CUT;
}

void tunnel_start(struct worker *w, const struct stream *client, struct buf *to_client,
                  struct span early, struct exchange_tunnel *parts)
{
    struct tunnel *t = mem_new(struct tunnel);

    t->target = parts->target;
    t->entry = parts->entry;
    t->is_ipv6 = parts->is_ipv6;
    take_policy(t, &w->config->alb);
    init_leg(&t->client, client, on_client);
    init_leg(&t->target_leg, &parts->stream, on_target);
    wheel_timer_init(&t->timer, on_timer);
    wheel_set(&w->loop.wheel, &t->timer, t->idle_ms);
    enlist(w, t);
    metric_add(&w->counters.upgrades, 1);
    metric_add(&w->counters.tunnels_open, 1);
    metric_add(&t->target->counters.tunnels, 1);

    /* The 101 first, which is counted already; then what each side said too early. */
    if (t->entry != NULL)
        t->entry->sent -= buf_len(to_client);
    tunnel_send(t, &t->client, buf_data(to_client));
    if (early.len > 0)
        relay(t, &t->client, early);
    if (buf_len(&parts->from_target) > 0)
        relay(t, &t->target_leg, buf_data(&parts->from_target));
    buf_done(&parts->from_target);
    settle(t);
}

bool tunnel_can_be_shut(const struct tunnel *t)
{
    return t->close == CLOSE_NONE && t->end == TUNNEL_ALIVE && !t->cut_on_drain;
}

void tunnel_shut(struct tunnel *t, uint32_t after_ms)
{
    if (!tunnel_can_be_shut(t))
        return;
    t->close = CLOSE_WANTED;
    t->after_ms = (uint16_t)(after_ms < UINT16_MAX ? after_ms : UINT16_MAX);
    wheel_set(&worker_here->loop.wheel, &t->timer, TUNNEL_CLOSE_MS);
    settle(t);
}

void tunnels_cut(struct worker *w, const struct target *target, bool is_shutdown)
{
    for (uint32_t i = w->tunnel_count; i-- > 0;) {
        struct tunnel *t = w->tunnels[i];
        if (target != NULL && t->target != target)
            continue;
        if (is_shutdown)
            cut(t, TUNNEL_SHUTDOWN, "restart");
        else
            cut(t, TUNNEL_DEREGISTERED, "target removed");
        settle(t);
    }
}

static bool is_same_policy(const struct alb_options *a, const struct alb_options *b)
{
    return a->idle_timeout_ms == b->idle_timeout_ms && a->idle_close == b->idle_close &&
           a->drain_close == b->drain_close;
}

void tunnels_adopt(struct worker *w, const struct alb_options *before,
                   const struct alb_options *now)
{
    if (is_same_policy(before, now))
        return;
    for (uint32_t i = 0; i < w->tunnel_count; i++) {
        struct tunnel *t = w->tunnels[i];
        take_policy(t, now);
        if (t->close == CLOSE_NONE)
            wheel_set(&w->loop.wheel, &t->timer, 0); /* look again at once */
    }
}
