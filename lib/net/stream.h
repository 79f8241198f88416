/*
 * stream.h -- one connected socket, plain or TLS, behind one set of calls.
 *
 * A stream moves bytes and reports what stopped it; it never decides what the
 * bytes mean, owns no buffer, and never frees its owner. Everything above this
 * line (HTTP, WebSocket, the balancer) works the same with TLS on or off,
 * because the only traces of TLS up here are stream_wants() and
 * stream_pending().
 *
 * A stream is a small value embedded in the connection that owns it.
 * Ownership: stream_init() takes the descriptor and the session;
 *            stream_close() closes both.
 * Threads:   one at a time; it may be handed to another loop between turns.
 */
#ifndef NET_STREAM_H
#define NET_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/span.h"

struct tls_session;

/* How a read or a write ended. Only the first two leave the stream usable. */
enum stream_io {
    STREAM_MOVED,   /* some bytes moved */
    STREAM_BLOCKED, /* nothing now; wait for the socket */
    STREAM_EOF,     /* the peer finished sending: close_notify, or FIN (with TLS too: HTTP and
                       WebSocket say themselves where they end; who needs more than that asks
                       stream_is_truncated()) */
    STREAM_FAILED,  /* gone; stream_error() says why */
};

struct stream {
    struct tls_session *tls; /* owned; NULL for plain TCP */
    int fd;                  /* owned; -1 once closed */
    int error;               /* an errno, or a negative mbedTLS code */
};

/* Wrap a connected, non-blocking socket; `tls` has finished its handshake. */
void stream_init(struct stream *s, int fd, struct tls_session *tls);

/* Close at once. A TLS close_notify is sent if it fits; never blocks. */
void stream_close(struct stream *s);

/* Close so that the peer sees RST. */
void stream_reset(struct stream *s);

/* Finish sending, keep reading: FIN, after a close_notify with TLS. What is
 * still inside the session goes first: stream_flush() while stream_wants()
 * says so. No write after this. */
void stream_finish(struct stream *s);

/* Read up to `size` bytes into `into`. A short plain read means that the
 * socket was empty: do not read again at once. */
enum stream_io stream_read(struct stream *s, void *into, size_t size, size_t *moved);

/* Write from `bytes`; *moved is what was taken (with TLS some of it may still
 * be inside the session: then stream_wants() asks for EV_WRITE, stream_flush()
 * or the next write moves it, and nothing more is taken before it has left).
 * Never raises SIGPIPE. */
enum stream_io stream_write(struct stream *s, struct span bytes, size_t *moved);

/* The same for bytes that stream_finish() follows at once, if they all go: plain, they and the FIN
 * are one packet. */
enum stream_io stream_write_last(struct stream *s, struct span bytes, size_t *moved);

/* The same for several pieces, in one system call when plain. At most 8. */
enum stream_io stream_writev(struct stream *s, const struct iovec *pieces, int count,
                             size_t *moved);

/* STREAM_MOVED when nothing is left inside the session. Plain: always. */
enum stream_io stream_flush(struct stream *s);

/* The libev events the *transport* waits for whatever the caller wants; 0 for
 * plain streams and for idle TLS ones. */
int stream_wants(const struct stream *s);

/* Bytes decrypted but not yet read: the socket will not become readable for
 * these, so a caller that stops early must come back on its own. */
size_t stream_pending(const struct stream *s);

/* Would a read say STREAM_EOF? Asks the kernel, and reads nothing. TLS: false, as nobody knows. */
bool stream_is_at_end(const struct stream *s);

/* After STREAM_EOF: TLS that ended by a FIN alone. Anybody on the way can send that, so
 * where the end is all that tells how long a body is, some of it may be missing (RFC 9112
 * 9.8). Plain: never, since nothing is known. */
bool stream_is_truncated(const struct stream *s);

/* A sentence for the log, for STREAM_FAILED: "Connection reset by peer". */
const char *stream_error(const struct stream *s);

/* True when it failed by a reset (RST) from the peer; a write after the reset
 * was seen says EPIPE, which counts. */
bool stream_was_reset(const struct stream *s);

/* Bytes that were written wait for the peer's kernel to take them: what was written last may
 * not have arrived. */
bool stream_waits(const struct stream *s);

/* Some of them were not even sent: its window is closed, or the network is full. */
bool stream_is_held_up(const struct stream *s);

/* What became of the bytes behind stream_finish(), of a peer that had finished sending before. */
enum stream_fate {
    STREAM_UNKNOWN, /* nothing was heard: ask again */
    STREAM_TAKEN,   /* the peer's kernel has them all */
    STREAM_REFUSED, /* RST: it has closed, not just finished sending; or it cannot be reached.
                       stream_error() says */
};
enum stream_fate stream_fate(struct stream *s);

/* Milliseconds since the peer's kernel was heard of: its last ACK. Not TCP: UINT32_MAX, or 0
 * while bytes wait. */
uint32_t stream_since_ack(const struct stream *s);

/* Milliseconds since bytes were sent to it, again or for the first time: while some wait, since it
 * took any. Not TCP: INT32_MAX. */
uint32_t stream_since_data(const struct stream *s);

#endif
