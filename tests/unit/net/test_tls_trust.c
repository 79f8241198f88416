/* Whom a server trusts: its files, what it says of a certificate, and when two are the same. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <mbedtls/pem.h>

#include "base/text.h"

#include "net/tls_private.h"
#include "net/tls_trust.h"

#include "der_cert.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* --- what is said of a handshake that failed --------------------------------------- */

#define REFUSED MBEDTLS_ERR_X509_CERT_VERIFY_FAILED
#define FLAG(name) MBEDTLS_X509_BAD##name
#define INVALID "Failed:ClientCertInvalid"
#define UNMAPPED "Failed:UnmappedConnectionError"
#define CRL_ERROR "Failed:ClientCertCrlProcessingError"
#define PURPOSE "Failed:ClientCertPurposeInvalid"
#define UNSUPPORTED "Failed:ClientCertTypeUnsupported"

static const struct {
    const char *title;
    int code;
    uint32_t flags;
    const char *want;
} failures[] = {
    { "revoked", REFUSED, FLAG(CERT_REVOKED), "Failed:ClientCertCrlHit" },
    { "not trusted", REFUSED, FLAG(CERT_NOT_TRUSTED), "Failed:ClientCertUntrusted" },
    { "expired", REFUSED, FLAG(CERT_EXPIRED), "Failed:ClientCertExpired" },
    { "not yet valid", REFUSED, FLAG(CERT_FUTURE), "Failed:ClientCertNotYetValid" },
    { "CRL by another", REFUSED, FLAG(CRL_NOT_TRUSTED), CRL_ERROR },
    { "CRL expired", REFUSED, FLAG(CRL_EXPIRED), CRL_ERROR },
    { "CRL not yet valid", REFUSED, FLAG(CRL_FUTURE), CRL_ERROR },
    { "hash of a CRL", REFUSED, FLAG(CRL_BAD_MD), CRL_ERROR },
    { "algorithm of a CRL", REFUSED, FLAG(CRL_BAD_PK), CRL_ERROR },
    { "key of a CRL", REFUSED, FLAG(CRL_BAD_KEY), CRL_ERROR },
    { "key usage", REFUSED, FLAG(CERT_KEY_USAGE), PURPOSE },
    { "extended key usage", REFUSED, FLAG(CERT_EXT_KEY_USAGE), PURPOSE },
    { "Netscape's type", REFUSED, FLAG(CERT_NS_CERT_TYPE), PURPOSE },
    { "hash", REFUSED, FLAG(CERT_BAD_MD), UNSUPPORTED },
    { "algorithm", REFUSED, FLAG(CERT_BAD_PK), UNSUPPORTED },
    { "key", REFUSED, FLAG(CERT_BAD_KEY), UNSUPPORTED },
    { "not told whole", REFUSED, FLAG(CERT_OTHER), INVALID },
    { "no reason", REFUSED, 0, INVALID },

    { "the gravest of all", REFUSED, 0xffffffff, "Failed:ClientCertCrlHit" },
    { "revoked and expired", REFUSED, FLAG(CERT_REVOKED) | FLAG(CERT_EXPIRED),
      "Failed:ClientCertCrlHit" },
    { "not trusted, and expired", REFUSED, FLAG(CERT_NOT_TRUSTED) | FLAG(CERT_EXPIRED),
      "Failed:ClientCertUntrusted" },
    { "CRL expired, and it too", REFUSED, FLAG(CRL_EXPIRED) | FLAG(CERT_EXPIRED), CRL_ERROR },
    { "expired, and for servers", REFUSED, FLAG(CERT_EXPIRED) | FLAG(CERT_EXT_KEY_USAGE),
      "Failed:ClientCertExpired" },
    { "for servers, of a small key", REFUSED, FLAG(CERT_BAD_KEY) | FLAG(CERT_EXT_KEY_USAGE),
      PURPOSE },

    { "refused by the rest of TLS", TLS_ERR_BAD_CERTIFICATE, FLAG(CERT_EXT_KEY_USAGE), PURPOSE },
    { "a message that is no list", TLS_ERR_BAD_CERTIFICATE, 0, INVALID },
    { "too many above it", MBEDTLS_ERR_X509_FATAL_ERROR, 0,
      "Failed:ClientCertMaxChainDepthExceeded" },
    { "in two records", MBEDTLS_ERR_SSL_FEATURE_UNAVAILABLE, 0,
      "Failed:ClientCertMaxSizeExceeded" },
    { "more than 16 KB, to 3.6", MBEDTLS_ERR_SSL_BAD_INPUT_DATA, 0,
      "Failed:ClientCertMaxSizeExceeded" },
    { "more than a record", MBEDTLS_ERR_SSL_BUFFER_TOO_SMALL, 0,
      "Failed:ClientCertMaxSizeExceeded" },

    { "no certificate", MBEDTLS_ERR_X509_INVALID_FORMAT, 0, INVALID },
    { "cut off", MBEDTLS_ERR_X509_INVALID_FORMAT + MBEDTLS_ERR_ASN1_OUT_OF_DATA, 0, INVALID },
    { "bad serial number", MBEDTLS_ERR_X509_INVALID_SERIAL + MBEDTLS_ERR_ASN1_UNEXPECTED_TAG, 0,
      INVALID },
    { "bad extension", MBEDTLS_ERR_X509_INVALID_EXTENSIONS + MBEDTLS_ERR_ASN1_LENGTH_MISMATCH, 0,
      INVALID },
    { "two signature algorithms", MBEDTLS_ERR_X509_SIG_MISMATCH, 0, INVALID },
    { "ASN.1 alone", MBEDTLS_ERR_ASN1_OUT_OF_DATA, 0, INVALID },
    { "ASN.1 alone, the last", MBEDTLS_ERR_ASN1_BUF_TOO_SMALL, 0, INVALID },
    { "bad public key", MBEDTLS_ERR_PK_INVALID_PUBKEY, 0, INVALID },
    { "a point that is not on the curve", MBEDTLS_ERR_ECP_INVALID_KEY, 0, INVALID },
    { "no point", MBEDTLS_ERR_ECP_BAD_INPUT_DATA, 0, INVALID },
    { "a compressed point", MBEDTLS_ERR_ECP_FEATURE_UNAVAILABLE, 0, UNSUPPORTED },
    { "unknown key", MBEDTLS_ERR_PK_UNKNOWN_PK_ALG, 0, UNSUPPORTED },
    { "unknown curve", MBEDTLS_ERR_PK_UNKNOWN_NAMED_CURVE, 0, UNSUPPORTED },
    { "unknown signature", MBEDTLS_ERR_X509_UNKNOWN_SIG_ALG + MBEDTLS_ERR_OID_NOT_FOUND, 0,
      UNSUPPORTED },
    { "version 4", MBEDTLS_ERR_X509_UNKNOWN_VERSION, 0, UNSUPPORTED },

    { "none was shown", MBEDTLS_ERR_SSL_NO_CLIENT_CERTIFICATE, FLAG(CERT_MISSING), UNMAPPED },
    { "the client's alert", MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE, 0, UNMAPPED },
    { "the end of the connection", MBEDTLS_ERR_SSL_CONN_EOF, 0, UNMAPPED },
    { "nothing", 0, 0, UNMAPPED },
};

static void test_failures(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(failures); i++) {
        const char *got = tls_trust_failure(failures[i].code, failures[i].flags, true);
        if (strcmp(got, failures[i].want) != 0)
            fail_msg("%s: got %s, want %s", failures[i].title, got, failures[i].want);
        assert_string_equal(tls_trust_failure(failures[i].code, failures[i].flags, false),
                            UNMAPPED);
    }
}

/* --- files ------------------------------------------------------------------------- */

static char folder[] = "/tmp/postern-test-XXXXXX";

/* Relative names: CN=ca and CN=cb. */
#define CA                                                                                         \
    "\x31\x0b\x30\x09\x06\x03\x55\x04\x03\x0c\x02"                                                 \
    "ca"
#define CB                                                                                         \
    "\x31\x0b\x30\x09\x06\x03\x55\x04\x03\x0c\x02"                                                 \
    "cb"

/* A list of CN=ca that revokes this serial number (RFC 5280 5.1). */
static void put_crl(struct buf *to, struct span serial)
{
    struct buf b, one;

    buf_init(&b, DER_MAX);
    buf_init(&one, DER_MAX);
    der_must(buf_put(&b, SPAN("\x02\x01\x01" DER_ALGORITHM)));
    der_put(&b, DER_SEQUENCE, SPAN(CA));
    der_put(&b, MBEDTLS_ASN1_UTC_TIME, SPAN("260131000000Z"));
    der_put(&b, MBEDTLS_ASN1_UTC_TIME, SPAN("270131000000Z"));
    der_put(&one, MBEDTLS_ASN1_INTEGER, serial);
    der_put(&one, MBEDTLS_ASN1_UTC_TIME, SPAN("260131000000Z"));
    der_wrap(&one, DER_SEQUENCE);
    der_move(&b, &one, DER_SEQUENCE);
    der_wrap(&b, DER_SEQUENCE);
    der_must(buf_put(&b, SPAN(DER_ALGORITHM "\x03\x02\x00\x00")));
    der_move(to, &b, DER_SEQUENCE);
}

static void write_file(const char *name, struct span bytes, const char *mode)
{
    FILE *f = fopen(name, mode);

    assert_non_null(f);
    assert_int_equal(fwrite(bytes.ptr, 1, bytes.len, f), bytes.len);
    assert_int_equal(fclose(f), 0);
}

static void add_text(const char *name, const char *text)
{
    write_file(name, span_text(text), "a");
}

/* Behind what the file has. Empties the buffer. */
static void add_pem(const char *name, const char *type, struct buf *der)
{
    char head[64], foot[64];
    unsigned char pem[4096];
    size_t len;

    snprintf(head, sizeof(head), "-----BEGIN %s-----\n", type);
    snprintf(foot, sizeof(foot), "-----END %s-----\n", type);
    assert_int_equal(mbedtls_pem_write_buffer(head, foot, (const unsigned char *)buf_data(der).ptr,
                                              buf_len(der), pem, sizeof(pem), &len),
                     0);
    buf_done(der);
    add_text(name, (const char *)pem);
}

static void add_cert(const char *name, struct span subject)
{
    struct buf der;

    buf_init(&der, DER_MAX);
    der_put_cert(&der, &(struct der_cert){ SPAN("\x01"), subject, subject });
    add_pem(name, "CERTIFICATE", &der);
}

static void add_crl(const char *name, const char *serial)
{
    struct buf der;

    buf_init(&der, DER_MAX);
    put_crl(&der, span_text(serial));
    add_pem(name, "X509 CRL", &der);
}

static void write_der_crl(const char *name, const char *serial)
{
    struct buf der;

    buf_init(&der, DER_MAX);
    put_crl(&der, span_text(serial));
    write_file(name, buf_data(&der), "w");
    buf_done(&der);
}

static const char broken_cert[] = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
static const char broken_crl[] = "-----BEGIN X509 CRL-----\nMIIB\n-----END X509 CRL-----\n";

static int write_files(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chdir(folder), 0);
    add_cert("a.pem", SPAN(CA));
    add_cert("b.pem", SPAN(CB));
    add_cert("both.pem", SPAN(CA));
    add_cert("both.pem", SPAN(CB));
    add_cert("half.pem", SPAN(CA));
    add_text("half.pem", broken_cert);
    add_text("half.pem", broken_cert);
    add_text("broken.pem", broken_cert);
    add_text("empty", "");
    add_text("garbage", "no certificates here\n");
    add_crl("crl.pem", "\x11");
    add_crl("two.pem", "\x11");
    add_crl("two.pem", "\x12");
    write_der_crl("crl.der", "\x11");
    write_der_crl("other.der", "\x12");
    add_text("text.pem", "Certificate Revocation List (CRL):\n");
    add_crl("text.pem", "\x11");
    add_text("text.pem", "\n# and the other\n");
    add_crl("text.pem", "\x12");
    add_text("text.pem", "\n# that was all\n\n");
    add_text("broken_crl.pem", broken_crl);
    add_crl("half_crl.pem", "\x11");
    add_text("half_crl.pem", broken_crl);
    add_crl("cut_crl.pem", "\x11");
    add_text("cut_crl.pem", "-----BEGIN X509 CRL-----\nMIIB\n");
    add_crl("nul.pem", "\x11");
    write_file("nul.pem", SPAN("\0more"), "a");
    return 0;
}

static int remove_files(void **state)
{
    (void)state;
    assert_int_equal(system("rm -f *.pem *.der empty garbage"), 0);
    assert_int_equal(chdir("/"), 0);
    return rmdir(folder);
}

static struct tls_trust_options options_of(const char *store, const char *const *crls, size_t n)
{
    return (struct tls_trust_options){
        .mode = TLS_CLIENT_AUTH_VERIFY,
        .store = store,
        .revocation_files = crls,
        .revocation_count = n,
    };
}

static const struct {
    const char *store;
    const char *crls[2];
    const char *want; /* '*' for what mbedTLS says */
} files[] = {
    { "a.pem", { NULL }, "" },
    { "both.pem", { NULL }, "" },
    { "none.pem", { NULL }, "cannot open none.pem: No such file or directory" },
    { "empty", { NULL }, "empty: no PEM certificate of an authority in it (*)" },
    { "garbage", { NULL }, "garbage: no PEM certificate of an authority in it (*)" },
    { "broken.pem", { NULL }, "broken.pem: no PEM certificate of an authority in it (*)" },
    { "crl.pem", { NULL }, "crl.pem: no PEM certificate of an authority in it (*)" },
    { "half.pem", { NULL }, "half.pem: 2 of its certificates cannot be read" },
    { "a.pem", { "crl.pem" }, "" },
    { "a.pem", { "crl.der" }, "" },
    { "a.pem", { "two.pem", "crl.der" }, "" },
    { "a.pem", { "text.pem" }, "" },
    { "a.pem", { "none.crl" }, "cannot open none.crl: No such file or directory" },
    { "a.pem", { "empty" }, "empty: no revocation list (CRL) in it (*)" },
    { "a.pem", { "garbage" }, "garbage: no revocation list (CRL) in it (*)" },
    { "a.pem", { "a.pem" }, "a.pem: no revocation list (CRL) in it (*)" },
    { "a.pem", { "crl.pem", "a.pem" }, "a.pem: no revocation list (CRL) in it (*)" },
    { "a.pem", { "crl.pem", "garbage" }, "garbage: no revocation list (CRL) in it (*)" },
    { "a.pem", { "broken_crl.pem" }, "broken_crl.pem: no revocation list (CRL) in it (*)" },
    { "a.pem", { "half_crl.pem" }, "half_crl.pem: no revocation list (CRL) in it (*)" },
    { "a.pem", { "nul.pem" }, "nul.pem: no revocation list (CRL) in it (*)" },
    { "a.pem", { "cut_crl.pem" }, "cut_crl.pem: no revocation list (CRL) in it (*)" },
};

static void test_files(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(files); i++) {
        const size_t n = (files[i].crls[0] != NULL) + (size_t)(files[i].crls[1] != NULL);
        const struct tls_trust_options o = options_of(files[i].store, files[i].crls, n);
        char why[300] = "untouched";
        struct tls_trust *trust = tls_trust_new(&o, why, sizeof(why));
        if (!text_wildcard(span_text(files[i].want), span_text(why), false))
            fail_msg("row %zu: got \"%s\", want \"%s\"", i, why, files[i].want);
        assert_int_equal(trust != NULL, why[0] == '\0');
        assert_int_equal(tls_trust_check(&o, why, sizeof(why)), trust != NULL);
        tls_trust_free(&trust);
        assert_null(trust);
    }
}

static void test_without_verifying_no_file_is_read(void **state)
{
    static const char *const crls[] = { "none.crl" };
    struct tls_trust_options o = options_of("none.pem", crls, 1);
    char why[300] = "untouched";
    (void)state;

    o.mode = TLS_CLIENT_AUTH_OFF;
    assert_null(tls_trust_new(&o, why, sizeof(why)));
    assert_string_equal(why, "");
    assert_true(tls_trust_check(&o, why, sizeof(why)));
    o.mode = TLS_CLIENT_AUTH_PASSTHROUGH;
    struct tls_trust *trust = tls_trust_new(&o, why, sizeof(why));
    assert_non_null(trust);
    assert_true(tls_trust_passes_through(trust));
    tls_trust_free(&trust);
    tls_trust_free(&trust);
}

/* --- when two are the same ----------------------------------------------------------- */

static struct tls_trust *trust_of(const struct tls_trust_options *o)
{
    char why[300];
    struct tls_trust *trust = tls_trust_new(o, why, sizeof(why));

    if (trust == NULL)
        fail_msg("%s", why);
    return trust;
}

/* Each is like itself, made anew, and like no other. */
static void test_is_same(void **state)
{
    static const char *const one[] = { "crl.pem" }, *const other[] = { "other.der" },
                             *const two[] = { "crl.pem", "other.der" };
    struct tls_trust_options o[] = {
        options_of("a.pem", NULL, 0),
        options_of("b.pem", NULL, 0),
        options_of("both.pem", NULL, 0),
        options_of("a.pem", one, 1),
        options_of("a.pem", other, 1),
        options_of("a.pem", two, 2),
        options_of("a.pem", NULL, 0),
        options_of("a.pem", NULL, 0),
        { .mode = TLS_CLIENT_AUTH_PASSTHROUGH },
    };
    (void)state;

    o[6].ignore_expiry = true;
    o[7].advertise_names = true;
    for (size_t i = 0; i < COUNT(o); i++) {
        for (size_t k = 0; k < COUNT(o); k++) {
            struct tls_trust *a = trust_of(&o[i]), *b = trust_of(&o[k]);
            if (tls_trust_is_same(a, b) != (i == k))
                fail_msg("%zu and %zu", i, k);
            assert_false(tls_trust_is_same(a, NULL));
            assert_false(tls_trust_is_same(NULL, b));
            tls_trust_free(&a);
            tls_trust_free(&b);
        }
    }
    assert_true(tls_trust_is_same(NULL, NULL));
}

/* What is in the files counts, not how. */
static void test_is_same_in_another_form(void **state)
{
    static const char *const pem[] = { "two.pem" }, *const der[] = { "crl.der", "other.der" },
                             *const text[] = { "text.pem" };
    const struct tls_trust_options o[] = { options_of("a.pem", pem, 1), options_of("a.pem", der, 2),
                                           options_of("a.pem", text, 1) };
    (void)state;

    for (size_t i = 1; i < COUNT(o); i++) {
        struct tls_trust *a = trust_of(&o[0]), *b = trust_of(&o[i]);
        assert_true(tls_trust_is_same(a, b));
        tls_trust_free(&a);
        tls_trust_free(&b);
    }
}

/* --- judging --------------------------------------------------------------------------- */

static void test_judge(void **state)
{
    static const struct {
        int mode;
        bool ignore_expiry;
        int version;
        uint32_t flags, want;
    } rows[] = {
        { TLS_CLIENT_AUTH_VERIFY, false, 3, 0, 0 },
        { TLS_CLIENT_AUTH_VERIFY, false, 3, FLAG(CERT_EXPIRED), FLAG(CERT_EXPIRED) },
        { TLS_CLIENT_AUTH_VERIFY, true, 3, FLAG(CERT_EXPIRED), 0 },
        { TLS_CLIENT_AUTH_VERIFY, true, 3, FLAG(CERT_FUTURE), FLAG(CERT_FUTURE) },
        { TLS_CLIENT_AUTH_VERIFY, true, 3, FLAG(CERT_EXPIRED) | FLAG(CERT_REVOKED),
          FLAG(CERT_REVOKED) },
        { TLS_CLIENT_AUTH_VERIFY, true, 3, FLAG(CRL_EXPIRED), FLAG(CRL_EXPIRED) },
        { TLS_CLIENT_AUTH_VERIFY, false, 1, 0, FLAG(CERT_BAD_KEY) },
        { TLS_CLIENT_AUTH_VERIFY, false, 2, 0, FLAG(CERT_BAD_KEY) },
        { TLS_CLIENT_AUTH_VERIFY, true, 1, FLAG(CERT_EXPIRED), FLAG(CERT_BAD_KEY) },
        { TLS_CLIENT_AUTH_VERIFY, false, 1, FLAG(CERT_NOT_TRUSTED),
          FLAG(CERT_NOT_TRUSTED) | FLAG(CERT_BAD_KEY) },
        { TLS_CLIENT_AUTH_PASSTHROUGH, false, 1, 0xffffffff, 0 },
        { TLS_CLIENT_AUTH_PASSTHROUGH, false, 3, FLAG(CERT_REVOKED), 0 },
    };
    (void)state;

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct tls_trust_options o = options_of("a.pem", NULL, 0);
        o.mode = rows[i].mode;
        o.ignore_expiry = rows[i].ignore_expiry;
        struct tls_trust *trust = trust_of(&o);
        const mbedtls_x509_crt leaf = { .version = rows[i].version };
        assert_int_equal(tls_trust_passes_through(trust), o.mode == TLS_CLIENT_AUTH_PASSTHROUGH);
        if (tls_trust_judge(trust, &leaf, rows[i].flags) != rows[i].want)
            fail_msg("row %zu", i);
        tls_trust_free(&trust);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_without_verifying_no_file_is_read),
        cmocka_unit_test(test_is_same),
        cmocka_unit_test(test_is_same_in_another_form),
        cmocka_unit_test(test_judge),
    };

    return cmocka_run_group_tests(tests, write_files, remove_files);
}
