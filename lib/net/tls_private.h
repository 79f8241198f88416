/* tls_private.h -- what the tls*.c files have between them. */
#ifndef NET_TLS_PRIVATE_H
#define NET_TLS_PRIVATE_H

#include <time.h>

#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>

#include "net/tls.h"

struct tls_certs;
struct tls_client;
struct tls_policy;
struct tls_trust;
struct tls_client_side; /* what a session of ours has that a server's has not */

/* "The server chose a version that we do not have": its name is not the same in 2.28
 * and 3.6. */
enum { TLS_ERR_OLD_VERSION = -0x6E80 };

/* The client's certificate was refused: likewise. */
enum { TLS_ERR_BAD_CERTIFICATE = -0x7A00 };

/* From tls.c. */
const mbedtls_ssl_config *tls_server_config(const struct tls_server *server);
const struct tls_certs *tls_server_certs(const struct tls_server *server);
const struct tls_trust *tls_server_trust(const struct tls_server *server); /* NULL: off */

/* The same certificates in the same order. */
bool tls_chain_is_same(const mbedtls_x509_crt *a, const mbedtls_x509_crt *b);

/* From tls_ends.c. Seconds since 1970; certificates are in UTC. */
time_t tls_seconds_of(const mbedtls_x509_time *t);

/* From tls_client.c. Empty when nothing is verified. */
const mbedtls_x509_crt *tls_client_authorities(const struct tls_client *client);

/* From tls_version.c. A private key in PEM; `len` counts the NUL. An mbedTLS code. */
int tls_parse_key(mbedtls_pk_context *key, const char *pem, size_t len);

/* Is `key` the private one of the public one that is certified? */
bool tls_is_pair(const mbedtls_pk_context *certified, const mbedtls_pk_context *key);

/* One of mbedtls_ssl_states. */
int tls_ssl_state(const mbedtls_ssl_context *ssl);

/* OpenSSL's name for the suite that mbedTLS calls this; "-" for none of ours. */
const char *tls_suite_name(const char *mbedtls_name);

/* Does the next one belong to the same relative name (RFC 4514 2.2)? */
bool tls_name_goes_on(const mbedtls_x509_name *name);

/* Before anything else; harmless when repeated. */
bool tls_start_crypto(void);

/* The versions of the policy that there are, and our groups; more of them when clients
 * are asked for a certificate, whose own has to be among them. */
void tls_conf_server(mbedtls_ssl_config *conf, const struct tls_policy *policy, bool asks_clients);

/* The suites of these kinds (enum tls_suites) that this mbedTLS has, in our order of
 * preference, and 0. */
enum { TLS_SUITES_MAX = 32 };
void tls_suites_of(unsigned kinds, int ids[TLS_SUITES_MAX + 1]);

/* TLS 1.2 at least, and say when a session ticket comes. */
void tls_conf_client(mbedtls_ssl_config *conf);

/* Is it one to offer? Of 1.3 there is none before its ticket has come. */
bool tls_may_resume(const mbedtls_ssl_session *session);

/* When its full handshake was: wall clock. */
uint64_t tls_session_began_s(const mbedtls_ssl_session *session);

/* Is a read's result only the news that a session ticket came (TLS 1.3)? */
bool tls_code_is_ticket(int code);

/* From tls_session.c. A session of either side; `side` is NULL for a server's, and
 * is taken. `conf` must outlive it. */
struct tls_session *tls_session_make(const mbedtls_ssl_config *conf, struct tls_client_side *side,
                                     int fd);
mbedtls_ssl_context *tls_session_ssl(struct tls_session *session);

/* From tls_client.c. NULL is fine. */
void tls_client_side_free(struct tls_client_side **side);

/* Remember this session: the handshake is done, or a ticket came. */
void tls_client_keep(struct tls_client_side *side, const mbedtls_ssl_context *ssl, bool was_full);

/* Its handshake failed: what was offered may be why. */
void tls_client_drop(struct tls_client_side *side);

/* From tls_facts.c: mbedTLS calls it with the server name of a ClientHello. */
int tls_session_on_sni(void *user, mbedtls_ssl_context *ssl, const unsigned char *name, size_t len);

/* From tls_facts.c: mbedTLS calls it with each certificate of the client's chain, the
 * client's own last, with what it found wrong with it; `user` is the session. */
int tls_session_on_certificate(void *user, mbedtls_x509_crt *certificate, int depth,
                               uint32_t *flags);

#endif
