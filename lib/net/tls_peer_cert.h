/*
 * tls_peer_cert.h -- a client's certificate in the words that targets and logs are told it.
 *
 * Text only: it holds no object of mbedTLS, and every byte of it may stand in a header.
 */
#ifndef NET_TLS_PEER_CERT_H
#define NET_TLS_PEER_CERT_H

#include <stdbool.h>

struct mbedtls_x509_crt;

enum tls_cert_text {
    TLS_CERT_CHAIN,         /* all that was shown, leaf first: PEM, URL-encoded */
    TLS_CERT_SERIAL_NUMBER, /* "03A5B1" */
    TLS_CERT_ISSUER,        /* RFC 2253 */
    TLS_CERT_SUBJECT,       /* RFC 2253 */
    TLS_CERT_VALIDITY,      /* "NotBefore=2026-01-31T00:00:00Z;NotAfter=2027-01-31T00:00:00Z" */
    TLS_CERT_LEAF,          /* PEM, URL-encoded */
    TLS_CERT_TEXTS,
};

enum { TLS_COMMON_NAME_MAX = 64 }; /* RFC 5280 A.1: ub-common-name */

/* A name of up to 4 KB and a serial number of up to 64 bytes can be told, which is more
 * than any authority writes; a text that is longer is not there. */
struct tls_peer_cert {
    char *text[TLS_CERT_TEXTS];                /* owned; NULL: not to be told */
    char common_name[TLS_COMMON_NAME_MAX + 1]; /* of its subject: tls_name_common() */
};

/* The most that the header fields of one certificate can take: its message has 16 KB, in
 * base64 a third more; and its two names. */
enum { TLS_CERT_HEAD_MAX = 48 * 1024 };

/* From the chain as it was shown. The chain is told `with_chain`, else the leaf. */
struct tls_peer_cert *tls_peer_cert_new(const struct mbedtls_x509_crt *shown, bool with_chain);
void tls_peer_cert_free(struct tls_peer_cert **cert);

/* Nothing of it had to be left out for its length. */
bool tls_peer_cert_is_whole(const struct tls_peer_cert *cert);

#endif
