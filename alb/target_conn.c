/* target_conn.c -- see target_conn.h. */
#include "alb/target_conn.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

/* A pointer is spread well enough by one multiplication. */
#define HASH_FUNCTION(key, len, hash) ((hash) = hash_of_pointer(key))
#include <uthash.h>

#include "base/mem.h"
#include "net/tls_client.h"
#include "net/watch.h"

#include "alb/dial.h"
#include "alb/target.h"
#include "alb/worker.h"

static unsigned hash_of_pointer(const void *key)
{
    uintptr_t p;

    memcpy(&p, key, sizeof(p));
    return (unsigned)(((uint64_t)p * 0x9e3779b97f4a7c15u) >> 32);
}

static const char connect_late[] = "target connect timeout";
static const char connect_refused[] = "target refused the connection";

struct pool_slot {
    const struct target *target; /* the key; its connections hold the references */
    struct list idle;            /* the last used first */
    unsigned count;
    UT_hash_handle hh;
};

void pool_init(struct pool *p)
{
    p->slots = NULL;
}

static struct pool_slot *slot_of(struct pool *p, const struct target *target)
{
    struct pool_slot *slot;

    HASH_FIND_PTR(p->slots, &target, slot);
    return slot;
}

static struct pool_slot *slot_for(struct pool *p, const struct target *target)
{
    struct pool_slot *slot = slot_of(p, target);

    if (slot == NULL) {
        slot = mem_new(struct pool_slot);
        slot->target = target;
        list_init(&slot->idle);
        HASH_ADD_PTR(p->slots, target, slot);
    }
    return slot;
}

static void slot_drop_if_empty(struct pool *p, struct pool_slot *slot)
{
    if (slot->count > 0)
        return;
    HASH_DEL(p->slots, slot);
    free(slot);
}

static void leave_pool(struct target_conn *conn)
{
    struct pool *p = &conn->worker->pool;
    struct pool_slot *slot = slot_of(p, conn->target);

    list_remove(&conn->link);
    slot->count--;
    slot_drop_if_empty(p, slot);
}

static void slot_close_all(struct pool_slot *slot)
{
    /* The last one to leave frees the slot. */
    for (unsigned n = slot->count; n > 0; n--) {
        struct target_conn *conn = list_entry(slot->idle.next, struct target_conn, link);
        leave_pool(conn);
        target_conn_close(&conn);
    }
}

void pool_done(struct pool *p)
{
    struct pool_slot *slot, *next;

    HASH_ITER (hh, p->slots, slot, next) {
        slot_close_all(slot);
    }
}

void pool_forget(struct pool *p, const struct target *target)
{
    struct pool_slot *slot = slot_of(p, target);

    if (slot != NULL)
        slot_close_all(slot);
}

static void on_io(struct ev_loop *loop, ev_io *io, int revents)
{
    struct target_conn *conn = io->data;
    (void)loop;

    conn->on_event(conn, revents);
}

/* An idle connection has nothing to say: it ended, or it talks out of turn. Only TLS
 * may have something to itself: a session ticket. */
static void on_idle_event(struct target_conn *conn, int revents)
{
    char byte;
    size_t n;
    (void)revents;

    if (conn->stream.tls != NULL && stream_read(&conn->stream, &byte, 1, &n) == STREAM_BLOCKED)
        return;
    leave_pool(conn);
    target_conn_close(&conn);
}

/* The handshake thread is done with it: to its owner that is the socket's event. */
static void on_dialed(void *user, const struct handshake_result *result)
{
    struct target_conn *conn = user;
    struct target_counters *n = &conn->target->counters;

    if (result->why == NULL) {
        stream_init(&conn->stream, result->fd, result->tls);
        metric_add(tls_session_resumed(result->tls) ? &n->tls_resumed : &n->tls_full, 1);
    } else if (dial_is_connected(conn->dial)) {
        metric_add(&n->tls_errors, 1);
        conn->failed = result->why;
        conn->failed_status = 502;
    } else {
        metric_add(&n->connection_errors, 1);
        conn->failed = result->is_late ? connect_late : connect_refused;
        conn->failed_status = result->is_late ? 504 : 502;
    }
    conn->dial = NULL;
    conn->on_event(conn, EV_WRITE);
}

/* The ACK that ends the handshake waits for the head that goes out next: a packet less for both
 * sides. A frame never waits for an ACK. */
static void tune(int fd)
{
    const int on = 1, off = 0;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &off, sizeof(off));
}

static int start_connect(const struct target *target, bool *is_connecting, const char **why)
{
    int fd = socket(target->addr.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd == -1) {
        *why = errno == EMFILE || errno == ENFILE ? "out of descriptors" : "no socket";
        return -1;
    }
    tune(fd);
    *is_connecting = connect(fd, &target->addr.sa, target->addr.len) == -1;
    if (*is_connecting && errno != EINPROGRESS) {
        *why = strerror(errno);
        close(fd);
        return -1;
    }
    return fd;
}

static struct target_conn *connect_new(struct worker *w, struct target *target,
                                       struct tls_client *tls, const char **why)
{
    bool is_connecting = false;
    int fd = start_connect(target, &is_connecting, why);

    if (fd == -1)
        return NULL;
    struct target_conn *conn = mem_new(struct target_conn);
    conn->worker = w;
    conn->target = target_ref(target);
    conn->is_connecting = is_connecting || tls != NULL;
    stream_init(&conn->stream, tls == NULL ? fd : -1, NULL);
    list_init(&conn->link);
    buf_init(&conn->out, TARGET_OUT_MAX);
    buf_init(&conn->in, HTTP_RESPONSE_HEAD_MAX + LOOP_SCRATCH_BYTES);
    ev_io_init(&conn->io, on_io, fd, EV_READ);
    conn->io.data = conn;
    if (tls != NULL) {
        conn->tls = tls_client_ref(tls);
        conn->dial = dial_start(w, target, tls, fd, on_dialed, conn);
    }
    metric_add(&target->counters.connections, 1);
    metric_add(&target->counters.connections_open, 1);
    return conn;
}

/* One that has an event waiting in this very turn has ended: on_idle_event() is
 * only yet to be called for it. One that was made before a reload changed what its
 * target is to prove is of no use. */
static struct target_conn *take_idle(struct pool *p, struct target *target,
                                     const struct tls_client *tls)
{
    const struct pool_slot *slot;

    while ((slot = slot_of(p, target)) != NULL) {
        struct target_conn *conn = list_entry(slot->idle.next, struct target_conn, link);
        leave_pool(conn);
        if (!ev_is_pending(&conn->io) && conn->tls == tls) {
            conn->was_used = true;
            return conn;
        }
        target_conn_close(&conn);
    }
    return NULL;
}

struct target_conn *target_conn_take(struct worker *w, struct target *target,
                                     struct tls_client *tls, bool fresh, target_conn_fn *on_event,
                                     void *owner, const char **why)
{
    struct target_conn *conn = fresh ? NULL : take_idle(&w->pool, target, tls);

    if (conn == NULL)
        conn = connect_new(w, target, tls, why);
    if (conn != NULL) {
        conn->on_event = on_event;
        conn->owner = owner;
    }
    return conn;
}

void target_conn_give(struct target_conn **conn)
{
    struct target_conn *c = *conn;
    struct pool_slot *slot = slot_for(&c->worker->pool, c->target);

    if (slot->count >= TARGET_IDLE_MAX || target_state_of(c->target) == TARGET_DRAINING) {
        slot_drop_if_empty(&c->worker->pool, slot);
        target_conn_close(conn);
        return;
    }
    *conn = NULL;
    buf_release(&c->in);
    buf_release(&c->out);
    c->on_event = on_idle_event;
    c->owner = NULL;
    list_push(&slot->idle, &c->link);
    slot->count++;
    target_conn_watch(c, true);
}

static void free_conn(struct target_conn *c)
{
    ev_io_stop(c->worker->loop.ev, &c->io);
    buf_done(&c->in);
    buf_done(&c->out);
    dial_let_go(&c->dial);
    tls_client_unref(&c->tls);
    target_unref(&c->target);
    free(c);
}

void target_conn_close(struct target_conn **conn)
{
    struct target_conn *c = *conn;

    *conn = NULL;
    if (c == NULL)
        return;
    ev_io_stop(c->worker->loop.ev, &c->io);
    stream_close(&c->stream);
    metric_sub(&c->target->counters.connections_open, 1);
    free_conn(c);
}

void target_conn_release_stream(struct target_conn **conn, struct stream *stream, ev_io *io)
{
    struct target_conn *c = *conn;

    *conn = NULL;
    *stream = c->stream;
    watch_hand_on(c->worker->loop.ev, &c->io, io);
    free_conn(c);
}

int target_conn_finish_connect(struct target_conn *conn, const char **why)
{
    int error = 0;
    socklen_t size = sizeof(error);

    *why = conn->failed;
    if (conn->failed != NULL)
        return conn->failed_status;
    if (conn->tls == NULL && getsockopt(conn->stream.fd, SOL_SOCKET, SO_ERROR, &error, &size) == -1)
        error = errno;
    if (error != 0) {
        metric_add(&conn->target->counters.connection_errors, 1);
        *why = connect_refused;
        return 502;
    }
    conn->is_connecting = false;
    return 0;
}

int target_conn_connect_late(struct target_conn *conn, const char **why)
{
    const bool is_shaking = conn->dial != NULL && dial_is_connected(conn->dial);
    struct target_counters *n = &conn->target->counters;

    metric_add(is_shaking ? &n->tls_errors : &n->connection_errors, 1);
    *why = is_shaking ? "the TLS handshake with the target took too long" : connect_late;
    return is_shaking ? 502 : 504;
}

uint32_t target_conn_connect_limit_ms(const struct target_conn *conn, uint32_t limit_ms)
{
    const bool has_clock = conn->dial != NULL || !conn->is_connecting;

    return !has_clock && limit_ms > TARGET_CONNECT_MS ? TARGET_CONNECT_MS : limit_ms;
}

bool target_conn_is_flushed(const struct target_conn *conn)
{
    return buf_len(&conn->out) == 0 && !(stream_wants(&conn->stream) & EV_WRITE);
}

bool target_conn_flush(struct target_conn *conn)
{
    while (!conn->is_connecting && buf_len(&conn->out) > 0) {
        size_t moved = 0;
        switch (stream_write(&conn->stream, buf_data(&conn->out), &moved)) {
        case STREAM_MOVED:
            buf_drop(&conn->out, moved);
            break;
        case STREAM_BLOCKED:
            return true;
        case STREAM_EOF:
        case STREAM_FAILED:
            return false;
        }
    }
    buf_release(&conn->out);
    return conn->is_connecting || stream_flush(&conn->stream) != STREAM_FAILED;
}

void target_conn_watch(struct target_conn *conn, bool read)
{
    int events = 0;

    if (conn->stream.fd == -1) /* a handshake thread has it, or it never came back */
        return;
    if (conn->is_connecting || buf_len(&conn->out) > 0)
        events |= EV_WRITE;
    if (read && !conn->is_connecting)
        events |= EV_READ;
    watch_stream(conn->worker->loop.ev, &conn->io, &conn->stream, events);
}
