/*
 * tls_peer.h -- the other end of a TLS connection, for unit tests: an mbedTLS
 * client on a non-blocking socket, which can be made to go a byte at a time.
 */
#ifndef TEST_TLS_PEER_H
#define TEST_TLS_PEER_H

#include <errno.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#include <mbedtls/net_sockets.h>
#include <mbedtls/ssl.h>
#include <mbedtls/version.h>

#include "base/random.h"
#include "net/tls.h"

/* The TLS 1.x that peers speak; in 1.3 tickets come behind the handshake. */
static int tls_peer_minor = 2;

/* At the beginning of a test: its state is "2" or "3", or NULL for 2. */
static inline void tls_peer_speak(const char *minor)
{
    tls_peer_minor = minor == NULL ? 2 : minor[0] - '0';
#ifndef MBEDTLS_SSL_PROTO_TLS1_3
    if (tls_peer_minor == 3)
        skip(); /* this mbedTLS has no 1.3 */
#endif
}

/* A test in both. */
#define TLS_BOTH(test)                                                                             \
    { #test " TLS 1.2", test, NULL, NULL, "2" },                                                   \
    {                                                                                              \
#test " TLS 1.3", test, NULL, NULL, "3"                                                    \
    }

struct tls_peer {
    mbedtls_ssl_config conf;
    mbedtls_ssl_context ssl;
    int fd; /* the test's to close */
    bool is_slow;
    bool has_sent;
    bool is_done;
};

/* A slow peer sends one byte, and then lets the other side have a look at it. */
static inline int tls_peer_on_send(void *user, const unsigned char *bytes, size_t len)
{
    struct tls_peer *p = user;
    p->has_sent = !p->has_sent;
    if (p->is_slow && !p->has_sent)
        return MBEDTLS_ERR_SSL_WANT_WRITE;
    ssize_t n = send(p->fd, bytes, p->is_slow ? 1 : len, MSG_NOSIGNAL);
    if (n >= 0)
        return (int)n;
    return errno == EAGAIN ? MBEDTLS_ERR_SSL_WANT_WRITE : MBEDTLS_ERR_NET_SEND_FAILED;
}

static inline int tls_peer_on_recv(void *user, unsigned char *into, size_t size)
{
    struct tls_peer *p = user;
    ssize_t n = recv(p->fd, into, p->is_slow ? 1 : size, 0);
    if (n >= 0)
        return (int)n;
    return errno == EAGAIN ? MBEDTLS_ERR_SSL_WANT_READ : MBEDTLS_ERR_NET_RECV_FAILED;
}

static inline void tls_peer_init(struct tls_peer *p, int fd, const char *sni)
{
    static const char *alpn[] = { "h2", "http/1.1", NULL };
    int rc;

    memset(p, 0, sizeof(*p));
    p->fd = fd;
    mbedtls_ssl_config_init(&p->conf);
    mbedtls_ssl_init(&p->ssl);
    rc = mbedtls_ssl_config_defaults(&p->conf, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
                                     MBEDTLS_SSL_PRESET_DEFAULT);
    assert_int_equal(rc, 0);
    mbedtls_ssl_conf_authmode(&p->conf, MBEDTLS_SSL_VERIFY_NONE);
    mbedtls_ssl_conf_rng(&p->conf, random_for_mbedtls, NULL);
    assert_int_equal(mbedtls_ssl_conf_alpn_protocols(&p->conf, alpn), 0);
#if MBEDTLS_VERSION_MAJOR >= 3
    const mbedtls_ssl_protocol_version version =
        tls_peer_minor == 3 ? MBEDTLS_SSL_VERSION_TLS1_3 : MBEDTLS_SSL_VERSION_TLS1_2;
    mbedtls_ssl_conf_min_tls_version(&p->conf, version);
    mbedtls_ssl_conf_max_tls_version(&p->conf, version);
#endif
#if MBEDTLS_VERSION_NUMBER >= 0x03060100 /* 3.6.0 always says so */
    mbedtls_ssl_conf_tls13_enable_signal_new_session_tickets(
        &p->conf, MBEDTLS_SSL_TLS1_3_SIGNAL_NEW_SESSION_TICKETS_ENABLED);
#endif
    assert_int_equal(mbedtls_ssl_setup(&p->ssl, &p->conf), 0);
    if (sni != NULL)
        assert_int_equal(mbedtls_ssl_set_hostname(&p->ssl, sni), 0);
    mbedtls_ssl_set_bio(&p->ssl, p, tls_peer_on_send, tls_peer_on_recv, NULL);
}

static inline void tls_peer_done(struct tls_peer *p)
{
    mbedtls_ssl_free(&p->ssl);
    mbedtls_ssl_config_free(&p->conf);
}

static inline bool tls_peer_is_blocked(int rc)
{
#ifdef MBEDTLS_SSL_PROTO_TLS1_3
    if (rc == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET)
        return true; /* nothing but that has come */
#endif
    return rc == MBEDTLS_ERR_SSL_WANT_READ || rc == MBEDTLS_ERR_SSL_WANT_WRITE;
}

/* The session to resume; in 1.3 that is what the ticket brings which the server has sent. */
static inline void tls_peer_take_session(struct tls_peer *p, mbedtls_ssl_session *session)
{
#ifdef MBEDTLS_SSL_PROTO_TLS1_3
    unsigned char byte;
    int rc = MBEDTLS_ERR_SSL_WANT_READ;

    /* That it is a ticket is one step, what is in it another. */
    for (int i = 0; i < 2 && tls_peer_minor == 3 && rc == MBEDTLS_ERR_SSL_WANT_READ; i++)
        rc = mbedtls_ssl_read(&p->ssl, &byte, 1);
    if (tls_peer_minor == 3)
        assert_int_equal(rc, MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET);
#endif
    assert_int_equal(mbedtls_ssl_get_session(&p->ssl, session), 0);
}

/* As far as it goes; false when the handshake failed. */
static inline bool tls_peer_handshake(struct tls_peer *p)
{
    int rc = p->is_done ? 0 : mbedtls_ssl_handshake(&p->ssl);
    p->is_done = rc == 0;
    return rc == 0 || tls_peer_is_blocked(rc);
}

/* Both sides in turn, until the server's side has an outcome and the peer has
 * seen it. */
static inline enum tls_step tls_peer_meet(struct tls_peer *p, struct tls_session *session)
{
    enum tls_step step = TLS_WANT_READ;
    for (int i = 0; i < 100000; i++) {
        if (i > 5000)
            usleep(100); /* a tiny socket takes its time */
        bool is_fine = tls_peer_handshake(p);
        if (step == TLS_WANT_READ || step == TLS_WANT_WRITE)
            step = tls_handshake(session);
        else if (p->is_done || !is_fine || step != TLS_DONE)
            return step;
    }
    fail_msg("the handshake does not end");
    return TLS_FAILED;
}

#endif
