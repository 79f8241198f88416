/*
 * stream.c -- one connected socket, plain or TLS.
 *
 * Plain calls are one system call each. TLS calls go to the session (tls_session.c),
 * which reports in the same words.
 */
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/bare.h"
#include "net/stream.h"
#include "net/tls.h"

enum { TLS_RECORD_BYTES = 16384 };

void stream_init(struct stream *s, int fd, struct tls_session *tls)
{
    s->fd = fd;
    s->tls = tls;
    s->error = 0;
}

static void drop(struct stream *s)
{
    tls_session_free(&s->tls);
    if (s->fd != -1)
        close(s->fd);
    s->fd = -1;
}

void stream_close(struct stream *s)
{
    if (s->tls != NULL && s->fd != -1)
        tls_session_finish(s->tls);
    drop(s);
}

void stream_reset(struct stream *s)
{
    const struct linger at_once = { .l_onoff = 1, .l_linger = 0 };
    if (s->fd != -1)
        setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    drop(s);
}

void stream_finish(struct stream *s)
{
    if (s->tls == NULL) {
        shutdown(s->fd, SHUT_WR);
        return;
    }
    tls_session_finish(s->tls);
    if (tls_session_code(s->tls) != 0)
        s->error = tls_session_code(s->tls);
}

/* The outcome of a plain call that returned n. */
static enum stream_io plain_outcome(struct stream *s, ssize_t n, size_t *moved)
{
    if (n >= 0) {
        *moved = (size_t)n;
        return STREAM_MOVED;
    }
    if (errno == EAGAIN || errno == EINTR)
        return STREAM_BLOCKED;
    s->error = errno;
    return STREAM_FAILED;
}

static enum stream_io tls_outcome(struct stream *s, enum stream_io outcome)
{
    if (outcome == STREAM_FAILED)
        s->error = tls_session_code(s->tls);
    return outcome;
}

enum stream_io stream_read(struct stream *s, void *into, size_t size, size_t *moved)
{
    *moved = 0;
    if (size == 0)
        return STREAM_MOVED;
    if (s->tls != NULL)
        return tls_outcome(s, tls_session_read(s->tls, into, size, moved));

    ssize_t n = bare_recv(s->fd, into, size);
    return n == 0 ? STREAM_EOF : plain_outcome(s, n, moved);
}

static enum stream_io write_with(struct stream *s, struct span bytes, size_t *moved, int flags)
{
    *moved = 0;
    if (bytes.len == 0)
        return STREAM_MOVED;
    if (s->tls != NULL)
        return tls_outcome(s, tls_session_write(s->tls, bytes, moved));
    return plain_outcome(s, bare_send(s->fd, bytes, MSG_NOSIGNAL | flags), moved);
}

enum stream_io stream_write(struct stream *s, struct span bytes, size_t *moved)
{
    return write_with(s, bytes, moved, 0);
}

enum stream_io stream_write_last(struct stream *s, struct span bytes, size_t *moved)
{
    return write_with(s, bytes, moved, MSG_MORE);
}

/* Copy what follows the first `skip` bytes of the pieces, as much as fits. */
static struct span gather(const struct iovec *pieces, int count, size_t skip, char *into,
                          size_t size)
{
    size_t len = 0;
    for (int i = 0; i < count && len < size; i++) {
        struct span piece = span_of(pieces[i].iov_base, pieces[i].iov_len);
        size_t skipped = skip < piece.len ? skip : piece.len;
        skip -= skipped;
        piece = span_after(piece, skipped);
        size_t n = piece.len < size - len ? piece.len : size - len;
        if (n > 0)
            memcpy(into + len, piece.ptr, n);
        len += n;
    }
    return span_of(into, len);
}

/* Small pieces share a record: the copy is nothing beside the encryption, and a
 * record more is 29 bytes and a system call more. */
static enum stream_io tls_writev(struct stream *s, const struct iovec *pieces, int count,
                                 size_t *moved)
{
    char record[TLS_RECORD_BYTES];

    for (;;) {
        size_t taken = 0;
        struct span part = gather(pieces, count, *moved, record, sizeof(record));
        if (part.len == 0)
            return STREAM_MOVED;
        enum stream_io outcome = tls_outcome(s, tls_session_write(s->tls, part, &taken));
        *moved += taken;
        if (outcome == STREAM_BLOCKED && *moved > 0)
            return STREAM_MOVED;
        if (outcome != STREAM_MOVED)
            return outcome;
    }
}

enum stream_io stream_writev(struct stream *s, const struct iovec *pieces, int count, size_t *moved)
{
    *moved = 0;
    if (s->tls != NULL)
        return tls_writev(s, pieces, count, moved);

    struct msghdr message = { .msg_iov = (struct iovec *)pieces, .msg_iovlen = (size_t)count };
    return plain_outcome(s, sendmsg(s->fd, &message, MSG_NOSIGNAL), moved);
}

enum stream_io stream_flush(struct stream *s)
{
    return s->tls == NULL ? STREAM_MOVED : tls_outcome(s, tls_session_flush(s->tls));
}

int stream_wants(const struct stream *s)
{
    return s->tls == NULL ? 0 : tls_session_wants(s->tls);
}

size_t stream_pending(const struct stream *s)
{
    return s->tls == NULL ? 0 : tls_session_pending(s->tls);
}

bool stream_is_at_end(const struct stream *s)
{
    char byte;

    return s->tls == NULL && recv(s->fd, &byte, 1, MSG_PEEK) == 0;
}

bool stream_is_truncated(const struct stream *s)
{
    return s->tls != NULL && tls_session_is_truncated(s->tls);
}

const char *stream_error(const struct stream *s)
{
    static _Thread_local char text[64];
    return tls_code_text(s->error, text);
}

bool stream_was_reset(const struct stream *s)
{
    return s->error == ECONNRESET || s->error == EPIPE;
}

bool stream_waits(const struct stream *s)
{
    int waiting = 0;

    return ioctl(s->fd, SIOCOUTQ, &waiting) == 0 && waiting > 0;
}

bool stream_is_held_up(const struct stream *s)
{
    int waiting = 0;

    return ioctl(s->fd, SIOCOUTQNSD, &waiting) == 0 && waiting > 0;
}

enum stream_fate stream_fate(struct stream *s)
{
    struct tcp_info info;
    socklen_t len = sizeof(info);
    int error = 0;
    socklen_t error_len = sizeof(error);

    if (s->error == 0 && getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &error_len) == 0)
        s->error = error;
    if (s->error != 0)
        return STREAM_REFUSED;
    /* Both sides have sent FIN: when ours is acknowledged, there is nothing left to be said. */
    return getsockopt(s->fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 &&
                   info.tcpi_state == TCP_CLOSE
               ? STREAM_TAKEN
               : STREAM_UNKNOWN;
}

uint32_t stream_since_ack(const struct stream *s)
{
    struct tcp_info info;
    socklen_t len = sizeof(info);

    if (getsockopt(s->fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0)
        return stream_waits(s) ? 0 : UINT32_MAX;
    return info.tcpi_last_ack_recv;
}

uint32_t stream_since_data(const struct stream *s)
{
    struct tcp_info info;
    socklen_t len = sizeof(info);

    if (getsockopt(s->fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0)
        return INT32_MAX;
    return info.tcpi_last_data_sent;
}
