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

#include "alb/target.h"
#include "alb/worker.h"

static unsigned hash_of_pointer(const void *key)
{
    uintptr_t p;

    memcpy(&p, key, sizeof(p));
    return (unsigned)(((uint64_t)p * 0x9e3779b97f4a7c15u) >> 32);
}

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

/* An idle connection has nothing to say: it ended, or it talks out of turn. */
static void on_idle_event(struct target_conn *conn, int revents)
{
    (void)revents;
    leave_pool(conn);
    target_conn_close(&conn);
}

static int start_connect(const struct target *target, bool *is_connecting, const char **why)
{
    const int on = 1;
    int fd = socket(target->addr.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd == -1) {
        *why = errno == EMFILE || errno == ENFILE ? "out of descriptors" : "no socket";
        return -1;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    *is_connecting = connect(fd, &target->addr.sa, target->addr.len) == -1;
    if (*is_connecting && errno != EINPROGRESS) {
        *why = strerror(errno);
        close(fd);
        return -1;
    }
    return fd;
}

static struct target_conn *connect_new(struct worker *w, struct target *target, const char **why)
{
    bool is_connecting = false;
    int fd = start_connect(target, &is_connecting, why);

    if (fd == -1)
        return NULL;
    struct target_conn *conn = mem_new(struct target_conn);
    conn->worker = w;
    conn->target = target_ref(target);
    conn->is_connecting = is_connecting;
    stream_init(&conn->stream, fd, NULL);
    list_init(&conn->link);
    buf_init(&conn->out, TARGET_OUT_MAX);
    buf_init(&conn->in, HTTP_RESPONSE_HEAD_MAX + LOOP_SCRATCH_BYTES);
    ev_io_init(&conn->io, on_io, fd, EV_READ);
    conn->io.data = conn;
    metric_add(&target->counters.connections, 1);
    return conn;
}

/* One that has an event waiting in this very turn has ended: on_idle_event() is
 * only yet to be called for it. */
static struct target_conn *take_idle(struct pool *p, struct target *target)
{
    const struct pool_slot *slot;

    while ((slot = slot_of(p, target)) != NULL) {
        struct target_conn *conn = list_entry(slot->idle.next, struct target_conn, link);
        leave_pool(conn);
        if (!ev_is_pending(&conn->io)) {
            conn->was_used = true;
            return conn;
        }
        target_conn_close(&conn);
    }
    return NULL;
}

struct target_conn *target_conn_take(struct worker *w, struct target *target, bool fresh,
                                     target_conn_fn *on_event, void *owner, const char **why)
{
    struct target_conn *conn = fresh ? NULL : take_idle(&w->pool, target);

    if (conn == NULL)
        conn = connect_new(w, target, why);
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
    free_conn(c);
}

void target_conn_release_stream(struct target_conn **conn, struct stream *stream)
{
    struct target_conn *c = *conn;

    *conn = NULL;
    *stream = c->stream;
    free_conn(c);
}

bool target_conn_finish_connect(struct target_conn *conn, const char **why)
{
    int error = 0;
    socklen_t size = sizeof(error);

    if (getsockopt(conn->stream.fd, SOL_SOCKET, SO_ERROR, &error, &size) == -1)
        error = errno;
    if (error != 0) {
        *why = strerror(error);
        return false;
    }
    conn->is_connecting = false;
    return true;
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
    return true;
}

void target_conn_watch(struct target_conn *conn, bool read)
{
    int events = stream_wants(&conn->stream);

    if (conn->is_connecting || buf_len(&conn->out) > 0)
        events |= EV_WRITE;
    if (read && !conn->is_connecting)
        events |= EV_READ;
    if (ev_is_active(&conn->io) && (conn->io.events & (EV_READ | EV_WRITE)) == events)
        return;
    ev_io_stop(conn->worker->loop.ev, &conn->io);
    if (events == 0)
        return;
    ev_io_set(&conn->io, conn->stream.fd, events);
    ev_io_start(conn->worker->loop.ev, &conn->io);
}
