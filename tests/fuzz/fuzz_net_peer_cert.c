/*
 * fuzz_net_peer_cert.c -- whatever certificate mbedTLS reads: each text of it may stand in a
 * header field, within its bound.
 *
 * The chain's text is the leaf's, once for each certificate of the chain.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <mbedtls/x509_crt.h>

#include "net/tls_peer_cert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { NAME_MAX_BYTES = 4096, SERIAL_MAX_DIGITS = 128 };

static void check(bool holds)
{
    if (!holds)
        abort();
}

/* Printable ASCII, and no blank at the ends, which a header field would lose. */
static size_t check_text(const char *text)
{
    const size_t len = text == NULL ? 0 : strlen(text);

    for (size_t i = 0; i < len; i++)
        check(text[i] >= ' ' && text[i] <= '~');
    check(len == 0 || (text[0] != ' ' && (text[len - 1] != ' ' || text[len - 2] == '\\')));
    check(len <= TLS_CERT_HEAD_MAX);
    return len;
}

static void check_texts(const struct tls_peer_cert *c)
{
    for (int i = 0; i < TLS_CERT_TEXTS; i++)
        check_text(c->text[i]);
    check(check_text(c->text[TLS_CERT_SUBJECT]) <= NAME_MAX_BYTES);
    check(check_text(c->text[TLS_CERT_ISSUER]) <= NAME_MAX_BYTES);
    check(check_text(c->text[TLS_CERT_SERIAL_NUMBER]) <= SERIAL_MAX_DIGITS);
    check(check_text(c->text[TLS_CERT_VALIDITY]) ==
          strlen("NotBefore=2026-01-31T00:00:00Z;NotAfter=2027-01-31T00:00:00Z"));
    if (tls_peer_cert_is_whole(c))
        check((c->text[TLS_CERT_LEAF] == NULL) != (c->text[TLS_CERT_CHAIN] == NULL));
}

static void check_chain(const struct tls_peer_cert *one, const struct tls_peer_cert *two)
{
    const char *leaf = one->text[TLS_CERT_LEAF], *chain = two->text[TLS_CERT_CHAIN];

    if (chain == NULL)
        return;
    check(leaf != NULL && strlen(chain) == 2 * strlen(leaf));
    check(strncmp(chain, leaf, strlen(leaf)) == 0 && strcmp(chain + strlen(leaf), leaf) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    mbedtls_x509_crt crt;

    mbedtls_x509_crt_init(&crt);
    if (mbedtls_x509_crt_parse_der(&crt, data, size) == 0) {
        struct tls_peer_cert *leaf = tls_peer_cert_new(&crt, false);
        check(mbedtls_x509_crt_parse_der(&crt, data, size) == 0);
        struct tls_peer_cert *chain = tls_peer_cert_new(&crt, true);
        check_texts(leaf);
        check_texts(chain);
        check_chain(leaf, chain);
        tls_peer_cert_free(&leaf);
        tls_peer_cert_free(&chain);
    }
    mbedtls_x509_crt_free(&crt);
    return 0;
}
