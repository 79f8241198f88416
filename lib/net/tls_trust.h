/*
 * tls_trust.h -- whose certificates a server takes, and what it says of those that it does
 * not.
 *
 * Private to tls*.c. Immutable once made; any thread may use it.
 */
#ifndef NET_TLS_TRUST_H
#define NET_TLS_TRUST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>

#include "net/tls.h"

struct tls_trust;

/* NULL with a sentence that names the file and the cure, or with "" when the mode is off. */
struct tls_trust *tls_trust_new(const struct tls_trust_options *options, char *why,
                                size_t why_size);
void tls_trust_free(struct tls_trust **trust);

/* Either may be NULL. */
bool tls_trust_is_same(const struct tls_trust *a, const struct tls_trust *b);

/* The authorities' certificates; empty unless they are to verify. */
const mbedtls_x509_crt *tls_trust_store(const struct tls_trust *trust);

/* Asks clients for certificates. It must outlive `conf`. */
void tls_trust_configure(const struct tls_trust *trust, mbedtls_ssl_config *conf);

/* Targets are told the whole chain and judge it. */
bool tls_trust_passes_through(const struct tls_trust *trust);

/* What mbedTLS found wrong (MBEDTLS_X509_BADCERT_*) with the client's own certificate, less
 * what is ignored, and what it does not look at. */
uint32_t tls_trust_judge(const struct tls_trust *trust, const mbedtls_x509_crt *leaf,
                         uint32_t flags);

/* Look at a chain again, as a handshake does. NULL, or tls_trust_failure()'s word for what is
 * wrong. Either may be NULL: then it is untrusted. */
const char *tls_trust_objection(const struct tls_trust *trust, const mbedtls_x509_crt *shown);

/* The managed balancer's word for a handshake that failed with this mbedTLS code.
 * `at_certificate`: while the client's certificate was read and judged. A literal. */
const char *tls_trust_failure(int code, uint32_t flags, bool at_certificate);

#endif
