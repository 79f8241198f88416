/*
 * handshake.h -- TLS handshakes in progress, on a thread made for them.
 *
 * A handshaker belongs to a handshake thread's loop. It is given accepted
 * sockets, drives each through its handshake within the time-out, and hands
 * the finished session to its owner, who passes it on to a loop. A plain HTTP
 * request on a TLS port is answered 400 here. Sockets that connect to a server
 * are driven likewise, each of the two steps within the time-out.
 *
 * It watches the sockets by an epoll of its own, which it takes them out of
 * before it hands them over: libev leaves what it no longer watches in its
 * epoll until it reports something, which another thread's socket then would
 * do, to the wrong loop.
 */
#ifndef NET_HANDSHAKE_H
#define NET_HANDSHAKE_H

#include <ev.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "net/addr.h"
#include "net/loop.h"
#include "net/tls.h"

/* One connection on its way to a loop. */
struct handshake_result {
    int fd;                         /* the receiver's to close */
    struct tls_session *tls;        /* the receiver's; NULL when it failed */
    const struct tls_session *seen; /* what is known of it, failed or not, for the call; NULL
                                       when it was a plain HTTP request */
    struct addr peer;               /* of an accepted one */
    uint64_t id[2];                 /* random, from the accept on: conn_trace_id */
    uint64_t accepted_us;           /* wall clock; or when it was begun */
    uint32_t took_us;
    void *tag;       /* what handshaker_begin() was given */
    const char *why; /* NULL, or why it failed: a literal or lives for the call; with
                        handshaker_connect() it lives as long as the process */
    bool is_late;    /* failed by the time-out */
};

/* Success: takes fd and tls. Failure: the handshaker closes fd after the call.
 * It may begin other handshakes, but not end the handshaker. */
typedef void handshake_fn(void *user, struct handshake_result *result);

struct handshaker {
    struct loop *loop;
    struct list running;
    int poll;       /* owned: the epoll; -1 once done */
    ev_io io;       /* of the epoll itself */
    uint32_t count; /* handshakes in progress */
    uint32_t timeout_ms;
    handshake_fn *done;
    void *user;
};

void handshaker_init(struct handshaker *h, struct loop *loop, uint32_t timeout_ms,
                     handshake_fn *done, void *user);

/* Ends all that are running; `done` is called for each with why. Harmless when
 * it was called before. */
void handshaker_done(struct handshaker *h);

/* Takes the descriptor. `tag` comes back in the result, always in a later turn. */
void handshaker_begin(struct handshaker *h, int fd, const struct addr *peer,
                      struct tls_server *server, void *tag);

/* Takes the descriptor, which is connecting or connected, and our session for it.
 * *connected is set when it is; any thread may read it until `done` is called. */
void handshaker_connect(struct handshaker *h, int fd, struct tls_session *tls,
                        atomic_bool *connected, void *tag);

#endif
