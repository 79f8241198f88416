/* make_cert.h -- certificates for unit tests, made on the spot: nothing expires in the tree. */
#ifndef TEST_MAKE_CERT_H
#define TEST_MAKE_CERT_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <mbedtls/ecp.h>
#include <mbedtls/oid.h>
#include <mbedtls/pk.h>
#include <mbedtls/version.h>
#include <mbedtls/x509_crt.h>

#include "base/random.h"
#include "net/tls.h"

enum { CERT_PEM_MAX = 4096 };

struct cert {
    char chain[CERT_PEM_MAX];
    char key[CERT_PEM_MAX];
};

static inline void cert_must(int rc)
{
    if (rc != 0)
        fail_msg("mbedTLS: -0x%04x", (unsigned)-rc);
}

static inline void cert_set_serial(mbedtls_x509write_cert *write)
{
#if MBEDTLS_VERSION_NUMBER >= 0x03040000
    unsigned char one = 1;
    cert_must(mbedtls_x509write_crt_set_serial_raw(write, &one, 1));
#else
    mbedtls_mpi serial;
    mbedtls_mpi_init(&serial);
    cert_must(mbedtls_mpi_lset(&serial, 1));
    cert_must(mbedtls_x509write_crt_set_serial(write, &serial));
    mbedtls_mpi_free(&serial);
#endif
}

/* subjectAltName: DNS:localhost, IP:127.0.0.1 (RFC 5280 4.2.1.6). */
static inline void cert_set_names(mbedtls_x509write_cert *write)
{
    static const unsigned char names[] = { 0x30, 17,  0x82, 9,    'l', 'o', 'c', 'a', 'l', 'h',
                                           'o',  's', 't',  0x87, 4,   127, 0,   0,   1 };

    cert_must(mbedtls_x509write_crt_set_extension(write, MBEDTLS_OID_SUBJECT_ALT_NAME,
                                                  MBEDTLS_OID_SIZE(MBEDTLS_OID_SUBJECT_ALT_NAME), 0,
                                                  names, sizeof(names)));
}

/* Self-signed, EC P-256, for CN=localhost; `from` and `until` are "YYYYMMDDhhmmss". */
static inline void cert_make(struct cert *out, const char *from, const char *until)
{
    mbedtls_x509write_cert write;
    mbedtls_pk_context key;

    mbedtls_x509write_crt_init(&write);
    mbedtls_pk_init(&key);
    cert_must(mbedtls_pk_setup(&key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)));
    cert_must(mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(key), random_for_mbedtls,
                                  NULL));
    mbedtls_x509write_crt_set_version(&write, MBEDTLS_X509_CRT_VERSION_3);
    mbedtls_x509write_crt_set_md_alg(&write, MBEDTLS_MD_SHA256);
    mbedtls_x509write_crt_set_subject_key(&write, &key);
    mbedtls_x509write_crt_set_issuer_key(&write, &key);
    cert_must(mbedtls_x509write_crt_set_subject_name(&write, "CN=localhost"));
    cert_must(mbedtls_x509write_crt_set_issuer_name(&write, "CN=localhost"));
    cert_set_serial(&write);
    cert_set_names(&write);
    cert_must(mbedtls_x509write_crt_set_validity(&write, from, until));
    cert_must(mbedtls_x509write_crt_pem(&write, (unsigned char *)out->chain, sizeof(out->chain),
                                        random_for_mbedtls, NULL));
    cert_must(mbedtls_pk_write_key_pem(&key, (unsigned char *)out->key, sizeof(out->key)));
    mbedtls_pk_free(&key);
    mbedtls_x509write_crt_free(&write);
}

static inline void cert_write(const char *path, const char *first, const char *second)
{
    FILE *file = fopen(path, "w");
    if (file == NULL || fputs(first, file) < 0 || fputs(second, file) < 0 || fclose(file) != 0)
        fail_msg("cannot write %s", path);
}

/* A certificate that is valid, and its key, in a new file; `path` is a template of mkstemp(). */
static inline void cert_make_file(char *path)
{
    struct cert cert;

    close(mkstemp(path));
    cert_make(&cert, "20200101000000", "20491231235959");
    cert_write(path, cert.chain, cert.key);
}

/* A server with this certificate and its key in one file; NULL when they are refused. */
static inline struct tls_server *one_cert_server(const char *path)
{
    const struct tls_cert_files files = { path, NULL };
    const struct tls_server_options options = { .certs = &files, .cert_count = 1 };
    char why[300];

    return tls_server_new(&options, why, sizeof(why));
}

/* A server with a certificate of its own. */
static inline struct tls_server *any_server(void)
{
    char path[] = "/tmp/postern-test-XXXXXX";

    cert_make_file(path);
    struct tls_server *server = one_cert_server(path);
    unlink(path);
    return server;
}

#endif
