/*
 * tls_session.h -- what one TLS connection is made of.
 *
 * Private to tls_session.c, which moves it along, and tls_facts.c, which tells what is
 * known of it.
 */
#ifndef NET_TLS_SESSION_H
#define NET_TLS_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include <mbedtls/ssl.h>

#include "net/tls_private.h"

struct tls_cert;
struct tls_peer_cert;

struct tls_session {
    mbedtls_ssl_context ssl;
    struct tls_server *server;         /* a reference; NULL on our side of a connection of ours */
    struct tls_client_side *side;      /* owned; NULL on a server's side */
    char *sni;                         /* owned; NULL when none was sent */
    const struct tls_cert *offered[2]; /* the first RSA and the first ECDSA one; or NULL */
    const char *group;                 /* of the key exchange; NULL: not known */
    struct tls_peer_cert *peer_cert;   /* owned; NULL: none was shown */
    time_t peer_from_s, peer_until_s;  /* when it and all above it hold, by their dates */
    size_t inside;
    int fd;
    int error;   /* errno of the transport */
    int code;    /* what tls_session_code() says */
    bool is_tls; /* its first byte was looked at */
    bool has_sent;
    bool has_refused;
    bool is_sealed; /* what we send is no longer in the clear */
    bool has_fin;   /* the socket has ended */
    bool has_close_notify;
    bool was_full;              /* the certificate was shown: no resumption does that */
    bool failed_at_certificate; /* of the client */
    bool is_finishing;          /* close_notify is due */
    bool is_finished;           /* ... and was taken by the library; FIN follows it */
    char error_text[64];
};

#endif
