/*
 * tls.h -- TLS on mbedTLS, server side; works against 2.28 and 3.6.
 *
 * All that differs between the two versions is in tls_version.c. A tls_server is
 * certificates with their keys and settings: made once, shared by all threads,
 * counted by reference because sessions outlive a reload. A tls_session is one
 * connection's state; one thread at a time.
 *
 * Handshakes cost over a millisecond of processor time: run them on handshake
 * threads (handshake.h), never on a loop that carries traffic.
 */
#ifndef NET_TLS_H
#define NET_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "net/stream.h"

struct tls_peer_cert;
struct tls_policy;
struct tls_server;
struct tls_session;

/* What is asked of a client's certificate. */
enum tls_client_auth {
    TLS_CLIENT_AUTH_OFF,
    TLS_CLIENT_AUTH_PASSTHROUGH, /* any, or none: whoever reads it judges it */
    TLS_CLIENT_AUTH_VERIFY,      /* one that the trust store vouches for, or no connection */
};

/* Whom a server trusts. Its texts are borrowed for the call. */
struct tls_trust_options {
    int mode;                            /* enum tls_client_auth */
    const char *store;                   /* PEM: the authorities' certificates; with VERIFY */
    const char *const *revocation_files; /* PEM or DER: lists of what was revoked */
    size_t revocation_count;
    bool ignore_expiry;   /* of the client's own certificate, not of those above it */
    bool advertise_names; /* tell clients whom we trust (not with TLS 1.3) */
};

/* What a server is made of. Its texts are borrowed for the call. */
struct tls_server_options {
    const struct tls_cert_files {
        const char *certificate; /* PEM: the chain, leaf first */
        const char *key;         /* PEM; NULL or "": in the certificate's file */
    } * certs;                   /* the first is the default; the others are chosen by SNI */
    size_t cert_count;           /* at least 1 */

    /* Outlives the server; NULL: the default. One that tls_policy_lacks() something is
     * taken without it; it must not be one of which nothing is left. */
    const struct tls_policy *policy;

    struct tls_trust_options trust; /* all zero: no client is asked for a certificate */
};

/* NULL with a sentence that names the file and the cure. TLS
 * versions and ciphers as the policy says, curves
 * P-256 and X25519, ALPN http/1.1, session tickets with keys that rotate; none
 * where a client is asked for a certificate, which a ticket would stand in for.
 * The ticket keys are the server's own: a reload that did not change
 * the options should keep the old object, so that clients still resume. A
 * certificate that has expired, or is not yet valid, is logged, not refused. */
struct tls_server *tls_server_new(const struct tls_server_options *options, char *why,
                                  size_t why_size);
struct tls_server *tls_server_ref(struct tls_server *server);
void tls_server_unref(struct tls_server **server);

/* Whether a server could be made with this; else false with a sentence that names the file. */
bool tls_trust_check(const struct tls_trust_options *options, char *why, size_t why_size);

/* The same policy, the same certificates from the same files and the same trust. A reload that did
 * not change them keeps the old server, whose tickets resume; the new one would not know them. */
bool tls_server_is_same(const struct tls_server *a, const struct tls_server *b);

/* For people, of two that need not be the same: the files that both have and that hold another
 * chain for the second; one a call, by `at` (0 at first), then NULL. As configured. */
const char *tls_server_next_change(const struct tls_server *before, const struct tls_server *after,
                                   size_t *at);

/* The same authorities and lists, asked for in the same way. */
bool tls_server_trusts_the_same(const struct tls_server *a, const struct tls_server *b);

/* The keys of its tickets, for a process that takes over from this one: whoever has them reads what
 * was resumed, so wipe every copy. False for one that makes no tickets. And go on with such keys:
 * false, and nothing has changed, when they are not of a server that is the same. */
enum { TLS_SERVER_SAVED = 120 };
bool tls_server_save_tickets(struct tls_server *server, uint8_t out[TLS_SERVER_SAVED]);
bool tls_server_load_tickets(struct tls_server *server, struct span saved);

/* Takes a reference on the server; the descriptor stays the caller's. */
struct tls_session *tls_session_new(struct tls_server *server, int fd);
void tls_session_free(struct tls_session **session);

enum tls_step {
    TLS_DONE,
    TLS_WANT_READ,  /* wait until the socket is readable */
    TLS_WANT_WRITE, /* wait until it is writable */
    TLS_FAILED,     /* tls_session_error() says why */
    TLS_PLAIN_HTTP, /* the first bytes are an HTTP request: answer 400 in plain text */
};

enum tls_step tls_handshake(struct tls_session *session);

/* It is a server's side, which has failed it and told the client why by an alert. */
bool tls_session_has_refused(const struct tls_session *session);
const char *tls_session_error(const struct tls_session *session);

/* After the handshake; the texts live as long as the session. */
const char *tls_session_version(const struct tls_session *session); /* "TLSv1.2" */
const char *tls_session_cipher(const struct tls_session *session);  /* as OpenSSL names it */

/* The group of its key exchange, "secp256r1"; "" when it had none: by RSA, or resumed in
 * 1.2. Of a server's side. */
const char *tls_session_group(const struct tls_session *session);

/* "" when none was sent; bytes that no host name has are '?'. */
const char *tls_session_sni(const struct tls_session *session);

/* The file of the certificate that was shown, as configured; "" when it was resumed. Of
 * two that fit, ECDSA and RSA, the suite tells which in TLS 1.2; in 1.3 the ECDSA one is
 * taken for it. It lives as long as the session. */
const char *tls_session_certificate(const struct tls_session *session);
bool tls_session_resumed(const struct tls_session *session);

/* What the client showed; NULL when nothing that could be read. It is an identity only
 * once tls_handshake() said TLS_DONE: before, nobody has proven to own it, and with
 * TLS_CLIENT_AUTH_PASSTHROUGH nobody vouches for it. It lives as long as the session. */
const struct tls_peer_cert *tls_session_peer_cert(const struct tls_session *session);

/* Do it and all above it hold now, by their dates? That costs nothing. NULL; or why not, in the
 * words of tls_session_verify_status(): also when none was shown. */
const char *tls_session_peer_date_objection(const struct tls_session *session);

/* Would `by` take it, now? Its dates and those above it, whom `by` trusts and what was revoked are
 * looked at again, which costs the verifying of each signature. NULL; or why not, in the words of
 * tls_session_verify_status(): also when none was shown, or `by` verifies nobody's. */
const char *tls_session_peer_objection(const struct tls_session *session,
                                       const struct tls_server *by);

/* How the handshake ended, as the managed balancer's connection log has it: "Success", or
 * "Failed:" and one of its codes, such as "Failed:ClientCertExpired". A literal. */
const char *tls_session_verify_status(const struct tls_session *session);

/* For stream.c: the stream's own calls. */
enum stream_io tls_session_read(struct tls_session *session, void *into, size_t size,
                                size_t *moved);
enum stream_io tls_session_write(struct tls_session *session, struct span bytes, size_t *moved);
enum stream_io tls_session_flush(struct tls_session *session);
int tls_session_wants(const struct tls_session *session);
size_t tls_session_pending(const struct tls_session *session);

/* It ended by a FIN without a close_notify, which anybody on the way can send. */
bool tls_session_is_truncated(const struct tls_session *session);

/* A close_notify and then FIN, as soon as what is inside has left; where it
 * does not fit now, tls_session_flush() does the rest. */
void tls_session_finish(struct tls_session *session);

/* Why it failed: an errno, or a negative mbedTLS code; 0 while it has not. */
int tls_session_code(const struct tls_session *session);

/* A sentence for an mbedTLS code, or for an errno when it is positive. Uses
 * `out` only when there is none for it. */
const char *tls_code_text(int code, char out[64]);

#endif
