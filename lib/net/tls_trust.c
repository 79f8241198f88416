/* tls_trust.c -- see tls_trust.h. */
#include "net/tls_trust.h"

#include <stdio.h>

#include <mbedtls/ecp.h>
#include <mbedtls/pk.h>
#include <mbedtls/x509_crl.h>

#include "base/mem.h"
#include "base/text.h"

#include "net/tls_private.h"

/* The managed balancer's most: 25 authorities of 16 KB; a revocation list of 50 MB. */
enum { STORE_MAX = 1024 * 1024, REVOCATIONS_MAX = 50 * 1024 * 1024, X509_V3 = 3 };

struct tls_trust {
    int mode; /* enum tls_client_auth, never OFF */
    bool ignore_expiry, advertise_names;
    mbedtls_x509_crt store;
    mbedtls_x509_crl revoked;
};

/* --- files ---------------------------------------------------------------------- */

static bool read_store(struct tls_trust *t, const char *file, char *why, size_t why_size)
{
    char text[64];
    size_t len;
    char *pem = text_read_file(file, STORE_MAX, &len, why, why_size);
    if (pem == NULL)
        return false;

    int rc = mbedtls_x509_crt_parse(&t->store, (const unsigned char *)pem, len + 1);
    free(pem);
    if (rc > 0)
        snprintf(why, why_size, "%s: %d of its certificates cannot be read", file, rc);
    else if (rc < 0)
        snprintf(why, why_size, "%s: no PEM certificate of an authority in it (%s)", file,
                 tls_code_text(rc, text));
    return rc == 0;
}

/* PEM up to where its last list ends, with a NUL: the parser takes text before a list, but
 * none behind the last. What begins there and does not end is left for it to refuse. */
static size_t cut_pem(char *text, size_t len)
{
    static const char end[] = "-----END X509 CRL-----";
    char *last = text;

    for (char *at = text; (at = strstr(at, end)) != NULL; at = last)
        last = at + strlen(end);
    if (last == text || strlen(text) != len || strstr(last, "-----BEGIN") != NULL)
        return len + 1;
    *last = '\0';
    return (size_t)(last - text) + 1;
}

static bool read_revocations(struct tls_trust *t, const char *file, char *why, size_t why_size)
{
    char text[64];
    size_t len;
    char *bytes = text_read_file(file, REVOCATIONS_MAX, &len, why, why_size);
    if (bytes == NULL)
        return false;

    /* The parser counts the NUL of PEM, and takes DER without. */
    if (strstr(bytes, "-----BEGIN") != NULL)
        len = cut_pem(bytes, len);
    int rc = mbedtls_x509_crl_parse(&t->revoked, (const unsigned char *)bytes, len);
    free(bytes);
    if (rc != 0)
        snprintf(why, why_size, "%s: no revocation list (CRL) in it (%s)", file,
                 tls_code_text(rc, text));
    return rc == 0;
}

static bool read_files(struct tls_trust *t, const struct tls_trust_options *o, char *why,
                       size_t why_size)
{
    if (t->mode != TLS_CLIENT_AUTH_VERIFY)
        return true;
    if (!read_store(t, o->store, why, why_size))
        return false;
    for (size_t i = 0; i < o->revocation_count; i++) {
        if (!read_revocations(t, o->revocation_files[i], why, why_size))
            return false;
    }
    return true;
}

struct tls_trust *tls_trust_new(const struct tls_trust_options *options, char *why, size_t why_size)
{
    why[0] = '\0';
    if (options->mode == TLS_CLIENT_AUTH_OFF)
        return NULL;

    struct tls_trust *t = mem_new(struct tls_trust);
    t->mode = options->mode;
    t->ignore_expiry = options->ignore_expiry;
    t->advertise_names = options->advertise_names;
    mbedtls_x509_crt_init(&t->store);
    mbedtls_x509_crl_init(&t->revoked);
    if (!read_files(t, options, why, why_size))
        tls_trust_free(&t);
    return t;
}

void tls_trust_free(struct tls_trust **trust)
{
    struct tls_trust *t = *trust;

    *trust = NULL;
    if (t == NULL)
        return;
    mbedtls_x509_crt_free(&t->store);
    mbedtls_x509_crl_free(&t->revoked);
    free(t);
}

bool tls_trust_check(const struct tls_trust_options *options, char *why, size_t why_size)
{
    struct tls_trust *t = tls_trust_new(options, why, why_size);

    tls_trust_free(&t);
    return why[0] == '\0';
}

static bool is_same_list(const mbedtls_x509_crl *x, const mbedtls_x509_crl *y)
{
    while (x != NULL && y != NULL) {
        if (!span_equal(span_of(x->raw.p, x->raw.len), span_of(y->raw.p, y->raw.len)))
            return false;
        x = x->next;
        y = y->next;
    }
    return x == NULL && y == NULL;
}

bool tls_trust_is_same(const struct tls_trust *a, const struct tls_trust *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    return a->mode == b->mode && a->ignore_expiry == b->ignore_expiry &&
           a->advertise_names == b->advertise_names && tls_chain_is_same(&a->store, &b->store) &&
           is_same_list(&a->revoked, &b->revoked);
}

/* --- judging ---------------------------------------------------------------------- */

void tls_trust_configure(const struct tls_trust *trust, mbedtls_ssl_config *conf)
{
    struct tls_trust *t = (struct tls_trust *)trust; /* it is only read */
    const bool verifies = t->mode == TLS_CLIENT_AUTH_VERIFY;

    mbedtls_ssl_conf_authmode(conf,
                              verifies ? MBEDTLS_SSL_VERIFY_REQUIRED : MBEDTLS_SSL_VERIFY_OPTIONAL);
    mbedtls_ssl_conf_cert_req_ca_list(conf, t->advertise_names
                                                ? MBEDTLS_SSL_CERT_REQ_CA_LIST_ENABLED
                                                : MBEDTLS_SSL_CERT_REQ_CA_LIST_DISABLED);
    if (verifies)
        mbedtls_ssl_conf_ca_chain(conf, &t->store, t->revoked.raw.p == NULL ? NULL : &t->revoked);
}

const mbedtls_x509_crt *tls_trust_store(const struct tls_trust *trust)
{
    return &trust->store;
}

bool tls_trust_passes_through(const struct tls_trust *trust)
{
    return trust->mode == TLS_CLIENT_AUTH_PASSTHROUGH;
}

uint32_t tls_trust_judge(const struct tls_trust *trust, const mbedtls_x509_crt *leaf,
                         uint32_t flags)
{
    if (trust->mode == TLS_CLIENT_AUTH_PASSTHROUGH)
        return 0;
    if (trust->ignore_expiry)
        flags &= ~(uint32_t)MBEDTLS_X509_BADCERT_EXPIRED;
    if (leaf->version != X509_V3)
        flags |= MBEDTLS_X509_BADCERT_BAD_KEY;
    return flags;
}

static int on_certificate(void *user, mbedtls_x509_crt *certificate, int depth, uint32_t *flags)
{
    if (depth == 0)
        *flags = tls_trust_judge(user, certificate, *flags);
    return 0;
}

/* What is wrong, the gravest first: nobody waits for the end of a certificate that was
 * revoked. */
static const struct {
    uint32_t flags;
    const char *status;
} wrongs[] = {
    { MBEDTLS_X509_BADCERT_REVOKED, "Failed:ClientCertCrlHit" },
    { MBEDTLS_X509_BADCERT_NOT_TRUSTED, "Failed:ClientCertUntrusted" },
    { MBEDTLS_X509_BADCRL_NOT_TRUSTED | MBEDTLS_X509_BADCRL_EXPIRED | MBEDTLS_X509_BADCRL_FUTURE |
          MBEDTLS_X509_BADCRL_BAD_MD | MBEDTLS_X509_BADCRL_BAD_PK | MBEDTLS_X509_BADCRL_BAD_KEY,
      "Failed:ClientCertCrlProcessingError" },
    { MBEDTLS_X509_BADCERT_EXPIRED, "Failed:ClientCertExpired" },
    { MBEDTLS_X509_BADCERT_FUTURE, "Failed:ClientCertNotYetValid" },
    { MBEDTLS_X509_BADCERT_KEY_USAGE | MBEDTLS_X509_BADCERT_EXT_KEY_USAGE |
          MBEDTLS_X509_BADCERT_NS_CERT_TYPE,
      "Failed:ClientCertPurposeInvalid" },
    { MBEDTLS_X509_BADCERT_BAD_MD | MBEDTLS_X509_BADCERT_BAD_PK | MBEDTLS_X509_BADCERT_BAD_KEY,
      "Failed:ClientCertTypeUnsupported" },
};

static const char *wrong_of(uint32_t flags)
{
    for (size_t i = 0; i < sizeof(wrongs) / sizeof(wrongs[0]); i++) {
        if ((wrongs[i].flags & flags) != 0)
            return wrongs[i].status;
    }
    return "Failed:ClientCertInvalid";
}

static const char unmapped[] = "Failed:UnmappedConnectionError";

/* Without what a lower module added to it. */
static int high_code(int code)
{
    return -code & 0x7f80;
}

/* mbedTLS's own parsers: of certificates and what they are made of. */
static bool is_parsing(int code)
{
    const int high = high_code(code);

    return (high >= 0x2080 && high <= 0x2980) || (high == 0 && -code >= 0x60 && -code <= 0x6c) ||
           (high >= 0x3a00 && high <= 0x3f80) || (high >= 0x4c80 && high <= 0x4f80);
}

/* A certificate of a kind that mbedTLS has not. */
static bool is_unsupported(int code)
{
    static const int kinds[] = {
        MBEDTLS_ERR_X509_UNKNOWN_VERSION,   MBEDTLS_ERR_X509_UNKNOWN_SIG_ALG,
        MBEDTLS_ERR_PK_UNKNOWN_PK_ALG,      MBEDTLS_ERR_PK_UNKNOWN_NAMED_CURVE,
        MBEDTLS_ERR_PK_FEATURE_UNAVAILABLE, MBEDTLS_ERR_ECP_FEATURE_UNAVAILABLE
    };
    bool is = false;

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        is |= high_code(code) == -kinds[i];
    return is;
}

const char *tls_trust_failure(int code, uint32_t flags, bool at_certificate)
{
    if (!at_certificate)
        return unmapped;
    switch (code) {
    case MBEDTLS_ERR_X509_CERT_VERIFY_FAILED:
    case TLS_ERR_BAD_CERTIFICATE:
        return wrong_of(flags);
    case MBEDTLS_ERR_X509_FATAL_ERROR: /* more above it than mbedTLS goes up */
        return "Failed:ClientCertMaxChainDepthExceeded";
    case MBEDTLS_ERR_SSL_FEATURE_UNAVAILABLE: /* 2.28: its message is in more than one record */
    case MBEDTLS_ERR_SSL_BAD_INPUT_DATA:      /* 3.6: it has more than 16 KB */
    case MBEDTLS_ERR_SSL_BUFFER_TOO_SMALL:
        return "Failed:ClientCertMaxSizeExceeded";
    default:
        if (is_unsupported(code))
            return "Failed:ClientCertTypeUnsupported";
        return is_parsing(code) ? "Failed:ClientCertInvalid" : unmapped;
    }
}

const char *tls_trust_objection(const struct tls_trust *trust, const mbedtls_x509_crt *shown)
{
    struct tls_trust *t = (struct tls_trust *)trust; /* it is only read */
    uint32_t flags = 0;

    if (t == NULL || t->mode != TLS_CLIENT_AUTH_VERIFY || shown == NULL)
        return "Failed:ClientCertUntrusted";
    const int rc = mbedtls_x509_crt_verify((mbedtls_x509_crt *)shown, &t->store,
                                           t->revoked.raw.p == NULL ? NULL : &t->revoked, NULL,
                                           &flags, on_certificate, t);
    return rc == 0 ? NULL : tls_trust_failure(rc, flags, true);
}
