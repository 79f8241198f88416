/*
 * tls_certs.h -- a server's certificates with their keys, found by host name.
 *
 * Private to tls*.c. Immutable once made; any thread may look. It may sign and verify too:
 * of an EC key mbedTLS copies the group, into which it would compute a table, and of an RSA
 * key it locks what blinds it.
 */
#ifndef NET_TLS_CERTS_H
#define NET_TLS_CERTS_H

#include <stdbool.h>
#include <stddef.h>

#include <mbedtls/pk.h>
#include <mbedtls/x509_crt.h>

#include "net/tls.h"

struct tls_cert {
    char *file; /* owned; as configured */
    mbedtls_x509_crt chain;
    mbedtls_pk_context key;
};

/* Those that fit a host name: ECDSA before RSA, otherwise as configured. */
struct tls_fitting {
    struct tls_cert **certs; /* borrowed */
    size_t count;            /* 0: none fits */
};

struct tls_certs;

/* The default comes first. NULL with a sentence that names the file and the cure. */
struct tls_certs *tls_certs_new(const struct tls_server_options *options, char *why,
                                size_t why_size);
void tls_certs_free(struct tls_certs **certs);

struct tls_cert *tls_certs_default(const struct tls_certs *certs);

/* All of them, in the order of the options. */
size_t tls_certs_count(const struct tls_certs *certs);
const struct tls_cert *tls_certs_at(const struct tls_certs *certs, size_t i);

/* By its dNSNames, exactly and then as a wildcard for the first label; by its common
 * name when it has no dNSName (RFC 6125 6.4). Any case. */
struct tls_fitting tls_certs_find(const struct tls_certs *certs, const void *host, size_t len);

/* Its dates hold now. */
bool tls_cert_is_valid(const struct tls_cert *cert);

/* Does it sign by an elliptic curve? */
bool tls_cert_is_ec(const struct tls_cert *cert);

/* The same files with the same chains in the same order. */
bool tls_certs_are_same(const struct tls_certs *a, const struct tls_certs *b);

/* As tls_server_next_change(). */
const char *tls_certs_next_change(const struct tls_certs *before, const struct tls_certs *after,
                                  size_t *at);

#endif
