/*
 * target_conn.h -- a connection to a target: made, lent to one exchange, kept
 * idle for the next.
 *
 *     CONNECTING ---> READY <---> (idle in the pool) ---> closed
 *
 * To an HTTPS target, a handshake thread does the connecting (dial.h): until it is
 * done there is no descriptor here.
 *
 * Each loop has a pool of its own. An idle connection is watched: whatever
 * comes from the target then, bytes or an end, closes it.
 */
#ifndef ALB_TARGET_CONN_H
#define ALB_TARGET_CONN_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/list.h"
#include "net/stream.h"

struct dial;
struct pool_slot;
struct target;
struct target_conn;
struct tls_client;
struct worker;

enum {
    TARGET_CONNECT_MS = 10000,   /* then 504; as long for TLS, then 502: as the managed balancer */
    TARGET_OUT_MAX = 256 * 1024, /* request bytes waiting for a slow target */
    TARGET_IDLE_MAX = 64,        /* idle connections to a target, a loop */
};

typedef void target_conn_fn(struct target_conn *conn, int revents);

struct target_conn {
    ev_io io;
    struct stream stream;
    struct worker *worker;
    struct target *target;  /* a reference */
    struct tls_client *tls; /* a reference: what it was made under; NULL in plain text */
    struct dial *dial;      /* while a handshake thread has it */
    struct list link;       /* in its slot while idle */
    struct buf out;         /* not sent yet */
    struct buf in;          /* a head that is not whole yet */
    target_conn_fn *on_event;
    void *owner;
    const char *failed; /* why the dial failed; with the status to answer */
    int failed_status;
    bool is_connecting;
    bool was_used; /* it has carried an exchange before this one */
};

/* Idle connections by target. */
struct pool {
    struct pool_slot *slots; /* uthash by target */
};

void pool_init(struct pool *p);

/* Close every idle connection. */
void pool_done(struct pool *p);

/* Close the idle connections to this target. */
void pool_forget(struct pool *p, const struct target *target);

/* An idle connection that was made under the same demands, else a new one that is
 * connecting; `fresh` asks for a new one in any case. `tls` is NULL for plain text.
 * NULL with a reason (a literal) when the kernel refuses at once. */
struct target_conn *target_conn_take(struct worker *w, struct target *target,
                                     struct tls_client *tls, bool fresh, target_conn_fn *on_event,
                                     void *owner, const char **why);

/* Done with it, cleanly: keep it for the next. Clears the variable. */
void target_conn_give(struct target_conn **conn);

/* Close. Clears the variable; NULL is fine. */
void target_conn_close(struct target_conn **conn);

/* Take the descriptor out (for a tunnel) with its stopped watcher: the connection is freed
 * without closing it. It still counts as open: whoever closes the stream counts it out. */
void target_conn_release_stream(struct target_conn **conn, struct stream *stream, ev_io *io);

/* An event came while connecting: did it connect? 0, or the status to answer with the
 * reason (lives as long as the process); that is counted. */
int target_conn_finish_connect(struct target_conn *conn, const char **why);

/* It was connecting for too long: likewise, always a status. */
int target_conn_connect_late(struct target_conn *conn, const char **why);

/* How long it may be connecting before somebody else must say that it is late: the
 * handshake threads have a clock of their own. */
uint32_t target_conn_connect_limit_ms(const struct target_conn *conn, uint32_t limit_ms);

/* Has all that was to be sent left? */
bool target_conn_is_flushed(const struct target_conn *conn);

/* Send what waits. False when the connection is gone. */
bool target_conn_flush(struct target_conn *conn);

/* Choose events; `read` when the owner can take response bytes. */
void target_conn_watch(struct target_conn *conn, bool read);

#endif
