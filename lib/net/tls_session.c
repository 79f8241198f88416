/*
 * tls_session.c -- one TLS connection.
 *
 * mbedTLS calls back for its socket I/O, and that is where two things are
 * learned that its own results do not tell:
 *
 *   inside   bytes of a record that the socket has not taken yet. A write that
 *            "wants to write" has been taken whole when inside > 0: to the
 *            caller it moved, and it must not be offered again.
 *   error    the errno behind a failure of the transport
 */
#include <errno.h>
#include <ev.h>
#include <string.h>
#include <sys/socket.h>

#include <mbedtls/net_sockets.h>

#include "base/mem.h"

#include "net/bare.h"
#include "net/tls_group.h"
#include "net/tls_peer_cert.h"
#include "net/tls_session.h"

/* A handshake is in the clear until the first record of another kind: ChangeCipherSpec
 * (1.2), or data (1.3). */
static void learn_group(struct tls_session *s, struct span record)
{
    s->is_sealed |= record.ptr[0] != MBEDTLS_SSL_MSG_HANDSHAKE;
    if (s->group == NULL && s->server != NULL && !s->is_sealed)
        s->group = tls_group_of_record(record);
}

static int on_send(void *user, const unsigned char *bytes, size_t len)
{
    struct tls_session *s = user;

    if (s->inside == 0) /* else it goes on with what it has begun */
        learn_group(s, span_of(bytes, len));
    ssize_t n = bare_send(s->fd, span_of(bytes, len), MSG_NOSIGNAL);

    s->inside = n > 0 ? len - (size_t)n : len;
    s->has_sent = true;
    if (n >= 0)
        return (int)n;
    if (errno == EAGAIN || errno == EINTR)
        return MBEDTLS_ERR_SSL_WANT_WRITE;
    s->error = errno;
    return MBEDTLS_ERR_NET_SEND_FAILED;
}

static int on_recv(void *user, unsigned char *into, size_t size)
{
    struct tls_session *s = user;
    ssize_t n = bare_recv(s->fd, into, size);

    if (n == 0)
        s->has_fin = true;
    if (n >= 0)
        return (int)n;
    if (errno == EAGAIN || errno == EINTR)
        return MBEDTLS_ERR_SSL_WANT_READ;
    s->error = errno;
    return MBEDTLS_ERR_NET_RECV_FAILED;
}

struct tls_session *tls_session_make(const mbedtls_ssl_config *conf, struct tls_client_side *side,
                                     int fd)
{
    struct tls_session *s = mem_new(struct tls_session);

    s->side = side;
    s->is_tls = side != NULL; /* who connects speaks first: nothing to look at */
    s->fd = fd;
    mbedtls_ssl_init(&s->ssl);
    if (mbedtls_ssl_setup(&s->ssl, conf) != 0)
        mem_check(NULL); /* allocating is all that it does */
    mbedtls_ssl_set_bio(&s->ssl, s, on_send, on_recv, NULL);
    return s;
}

struct tls_session *tls_session_new(struct tls_server *server, int fd)
{
    struct tls_session *s = tls_session_make(tls_server_config(server), NULL, fd);

    s->server = tls_server_ref(server);
    if (tls_server_trust(server) != NULL)
        mbedtls_ssl_set_verify(&s->ssl, tls_session_on_certificate, s);
    return s;
}

mbedtls_ssl_context *tls_session_ssl(struct tls_session *session)
{
    return &session->ssl;
}

void tls_session_free(struct tls_session **session)
{
    struct tls_session *s = *session;
    *session = NULL;
    if (s == NULL)
        return;
    mbedtls_ssl_free(&s->ssl);
    tls_server_unref(&s->server);
    tls_client_side_free(&s->side);
    tls_peer_cert_free(&s->peer_cert);
    free(s->sni);
    free(s);
}

static enum stream_io fail(struct tls_session *s, int code)
{
    s->code = s->error != 0 ? s->error : code;
    return STREAM_FAILED;
}

/* TLS begins with a record of type 22, "handshake"; every HTTP method with a
 * capital letter. */
static enum tls_step look_at_first_byte(struct tls_session *s)
{
    unsigned char first;
    ssize_t n = recv(s->fd, &first, 1, MSG_PEEK);

    if (n == -1 && (errno == EAGAIN || errno == EINTR))
        return TLS_WANT_READ;
    if (n <= 0) {
        fail(s, n == 0 ? MBEDTLS_ERR_SSL_CONN_EOF : errno);
        return TLS_FAILED;
    }
    if (first >= 'A' && first <= 'Z')
        return TLS_PLAIN_HTTP;
    s->is_tls = first == MBEDTLS_SSL_MSG_HANDSHAKE;
    if (s->is_tls)
        return TLS_DONE;
    fail(s, MBEDTLS_ERR_SSL_INVALID_RECORD);
    return TLS_FAILED;
}

/* mbedTLS says nothing to a client that has no group of ours (RFC 8446 4.1.1), or not the
 * certificate that it was asked for (RFC 5246 7.4.6). */
static void refuse(struct tls_session *s, int rc)
{
    if (rc == MBEDTLS_ERR_SSL_CONN_EOF || rc == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE ||
        s->error != 0)
        return; /* the client's doing */
    if (!s->has_sent || rc == MBEDTLS_ERR_SSL_NO_CLIENT_CERTIFICATE)
        mbedtls_ssl_send_alert_message(&s->ssl, MBEDTLS_SSL_ALERT_LEVEL_FATAL,
                                       MBEDTLS_SSL_ALERT_MSG_HANDSHAKE_FAILURE);
    s->has_refused = true;
}

bool tls_session_has_refused(const struct tls_session *session)
{
    return session->has_refused;
}

/* What mbedtls_ssl_handshake() does; the states tell if it was resumed, and where it failed. */
static int step(struct tls_session *s)
{
    int rc = 0;

    while (rc == 0 && tls_ssl_state(&s->ssl) != MBEDTLS_SSL_HANDSHAKE_OVER) {
        s->failed_at_certificate = tls_ssl_state(&s->ssl) == MBEDTLS_SSL_CLIENT_CERTIFICATE;
        rc = mbedtls_ssl_handshake_step(&s->ssl);
        if (tls_ssl_state(&s->ssl) == MBEDTLS_SSL_SERVER_CERTIFICATE)
            s->was_full = true;
    }
    return rc;
}

enum tls_step tls_handshake(struct tls_session *s)
{

    if (s->code != 0)
        return TLS_FAILED;
    if (!s->is_tls) {
        enum tls_step first = look_at_first_byte(s);
        if (first != TLS_DONE)
            return first;
    }
    const int rc = step(s);
    if (rc == MBEDTLS_ERR_SSL_WANT_READ)
        return TLS_WANT_READ;
    if (rc == MBEDTLS_ERR_SSL_WANT_WRITE)
        return TLS_WANT_WRITE;
    if (rc == 0 && s->side != NULL)
        tls_client_keep(s->side, &s->ssl, s->was_full);
    if (rc == 0)
        return TLS_DONE;
    if (s->side != NULL)
        tls_client_drop(s->side);
    else
        refuse(s, rc);
    fail(s, rc);
    return TLS_FAILED;
}

/* TLS 1.3 brings session tickets behind its handshake. To mbedTLS that is one more step
 * of it, which any read or write takes, with a result of its own. `before` is the state
 * before the call; true when it is to be made again. */
static bool took_ticket(struct tls_session *s, int rc, int before)
{
    const bool is_news = tls_code_is_ticket(rc);

    if (is_news && s->side != NULL)
        tls_client_keep(s->side, &s->ssl, s->was_full);
    return is_news || (rc == MBEDTLS_ERR_SSL_WANT_READ && before == MBEDTLS_SSL_HANDSHAKE_OVER &&
                       tls_ssl_state(&s->ssl) != MBEDTLS_SSL_HANDSHAKE_OVER);
}

static int ssl_read(struct tls_session *s, void *into, size_t size)
{
    int before, n;

    do {
        before = tls_ssl_state(&s->ssl);
        n = mbedtls_ssl_read(&s->ssl, into, size);
    } while (took_ticket(s, n, before));
    return n;
}

/* With bytes that are inside: a write of nothing moves them, and no more. */
static int ssl_write(struct tls_session *s, struct span bytes)
{
    int before, rc;

    do {
        before = tls_ssl_state(&s->ssl);
        rc = mbedtls_ssl_write(&s->ssl, (const unsigned char *)bytes.ptr, bytes.len);
    } while (took_ticket(s, rc, before) && (bytes.len > 0 || s->inside > 0));
    return tls_code_is_ticket(rc) ? 0 : rc;
}

enum stream_io tls_session_read(struct tls_session *s, void *into, size_t size, size_t *moved)
{
    *moved = 0;
    if (s->code != 0)
        return STREAM_FAILED;

    int n = ssl_read(s, into, size);
    if (n > 0) {
        *moved = (size_t)n;
        return STREAM_MOVED;
    }
    s->has_close_notify |= n == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY;
    if (s->has_close_notify || s->has_fin)
        return STREAM_EOF;
    /* 0 without a FIN is a record with nothing in it. */
    if (n == 0 || n == MBEDTLS_ERR_SSL_WANT_READ || n == MBEDTLS_ERR_SSL_WANT_WRITE)
        return STREAM_BLOCKED;
    return fail(s, n);
}

static enum stream_io push(struct tls_session *s)
{
    int rc = s->inside == 0 ? 0 : ssl_write(s, SPAN(""));
    if (rc < 0 && rc != MBEDTLS_ERR_SSL_WANT_WRITE && rc != MBEDTLS_ERR_SSL_WANT_READ)
        return fail(s, rc);
    return s->inside == 0 ? STREAM_MOVED : STREAM_BLOCKED;
}

enum stream_io tls_session_flush(struct tls_session *s)
{
    if (s->code != 0)
        return STREAM_FAILED;

    enum stream_io outcome = push(s);
    if (outcome != STREAM_MOVED || !s->is_finishing)
        return outcome;
    if (!s->is_finished) {
        s->is_finished = true;
        int rc = mbedtls_ssl_close_notify(&s->ssl);
        if (rc != 0 && rc != MBEDTLS_ERR_SSL_WANT_WRITE)
            return fail(s, rc);
    }
    if (s->inside > 0)
        return STREAM_BLOCKED;
    shutdown(s->fd, SHUT_WR);
    return STREAM_MOVED;
}

void tls_session_finish(struct tls_session *s)
{
    s->is_finishing = true;
    tls_session_flush(s);
}

/* One record of at most `len` bytes. */
static enum stream_io write_record(struct tls_session *s, struct span bytes, size_t *moved)
{
    int most = mbedtls_ssl_get_max_out_record_payload(&s->ssl);
    if (most <= 0)
        return fail(s, most);
    size_t len = bytes.len < (size_t)most ? bytes.len : (size_t)most;

    int rc = ssl_write(s, span_of(bytes.ptr, len));
    if (rc == MBEDTLS_ERR_SSL_WANT_READ) /* for the rest of a ticket */
        return STREAM_BLOCKED;
    if (rc == MBEDTLS_ERR_SSL_WANT_WRITE && s->inside > 0)
        rc = (int)len; /* taken: it is a record already */
    if (rc < 0)
        return fail(s, rc);
    *moved += (size_t)rc;
    return STREAM_MOVED;
}

enum stream_io tls_session_write(struct tls_session *s, struct span bytes, size_t *moved)
{
    *moved = 0;
    if (s->is_finishing && s->code == 0) {
        s->error = EPIPE; /* as a plain socket says after SHUT_WR */
        return fail(s, EPIPE);
    }
    enum stream_io outcome = tls_session_flush(s);
    while (outcome == STREAM_MOVED && *moved < bytes.len && s->inside == 0)
        outcome = write_record(s, span_after(bytes, *moved), moved);
    return outcome;
}

int tls_session_wants(const struct tls_session *session)
{
    return session->inside > 0 && session->code == 0 ? EV_WRITE : 0;
}

size_t tls_session_pending(const struct tls_session *session)
{
    return mbedtls_ssl_get_bytes_avail(&session->ssl);
}
