/* Certificates by host name: names of every length and case; and the policies' table. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <unistd.h>

#include <mbedtls/ecdsa.h>

#include "net/tls_certs.h"
#include "net/tls_policy.h"

#include "make_cert.h"

static char file[] = "/tmp/postern-test-XXXXXX";

/* The certificate is for localhost and 127.0.0.1. */
static const struct {
    const char *host;
    size_t count;
} hosts[] = {
    { "localhost", 1 }, { "LocalHost", 1 }, { "localhost.", 0 }, { "a.localhost", 0 },
    { "127.0.0.1", 0 }, /* no dNSName */
    { "", 0 },          { ".", 0 },         { "..", 0 },         { ".localhost", 0 },
    { "localhos", 0 },
};

static void test_hosts(void **state)
{
    const struct tls_cert_files files[] = { { file, NULL }, { file, "" } };
    const struct tls_server_options options = { .certs = files, .cert_count = 2 };
    char why[300], longest[300];
    struct tls_certs *one = tls_certs_new(
        &(struct tls_server_options){ .certs = files, .cert_count = 1 }, why, sizeof(why));
    struct tls_certs *two = tls_certs_new(&options, why, sizeof(why));
    (void)state;

    assert_non_null(one);
    assert_non_null(two);
    assert_string_equal(tls_certs_default(one)->file, file);
    assert_true(tls_cert_is_ec(tls_certs_default(one)));
    assert_true(tls_cert_is_valid(tls_certs_default(one)));
    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        const size_t len = strlen(hosts[i].host);
        if (tls_certs_find(one, hosts[i].host, len).count != hosts[i].count ||
            tls_certs_find(two, hosts[i].host, len).count != 2 * hosts[i].count)
            fail_msg("%s", hosts[i].host);
    }
    memset(longest, 'a', sizeof(longest));
    longest[1] = '.';
    for (size_t len = 0; len <= sizeof(longest); len++)
        assert_int_equal(tls_certs_find(one, longest, len).count, 0);
    assert_true(tls_certs_are_same(one, one));
    assert_false(tls_certs_are_same(one, two));
    tls_certs_free(&one);
    tls_certs_free(&two);
    assert_null(two);
}

static void test_policies(void **state)
{
    char lacks[128];
    size_t n = 0;
    (void)state;

    for (; tls_policy_names[n] != NULL; n++) {
        const struct tls_policy *p = &tls_policies[n];
        assert_string_equal(p->name, tls_policy_names[n]);
        assert_true(p->min_minor <= p->max_minor);
        assert_int_equal((p->suites & TLS_SUITES_1_3) != 0, p->max_minor == 3);
        assert_int_equal(p->hybrid, strstr(p->name, "-PQ-") != NULL);
        tls_policy_lacks(p, lacks, sizeof(lacks));
        assert_int_equal(strstr(lacks, "ML-KEM") != NULL, p->hybrid);
    }
    assert_int_equal(n, 22);
    assert_true(tls_policy_lacks(&tls_policies[0], lacks, sizeof(lacks)));
}

static void test_policies_that_are_refused_name_the_nearest(void **state)
{
    static const char *const rows[][2] = {
        { "TLS13-1-2-FIPS-2023-04", "TLS13-1-2-2021-06" },
        { "TLS13-1-2-Ext0-FIPS-PQ-2025-09", "TLS13-1-2-PQ-2025-09" },
        { "TLS13-1-2-RFC9151-INTEROP4-FIPS-2023-07", "TLS13-1-2-Res-2021-06" },
        { "tls13-1-3-fips-2023-04", "TLS13-1-3-2021-06" },
        { "2015-05", "2016-08" },
        { "TLS13-1-2-2021-06", NULL },
        { "TLS13-1-2-FIPS", NULL },
        { "", NULL },
    };
    (void)state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char name[80], want[128], why[256] = "";
        snprintf(name, sizeof(name), "ELBSecurityPolicy-%s", rows[i][0]);
        snprintf(want, sizeof(want), "; the nearest is ELBSecurityPolicy-%s", rows[i][1]);
        assert_int_equal(tls_policy_explain(span_text(name), why, sizeof(why)), rows[i][1] != NULL);
        if (rows[i][1] != NULL)
            assert_string_equal(strstr(why, ";"), want);
    }
}

static int setup(void **state)
{
    (void)state;
    cert_make_file(file);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return unlink(file);
}

#if MBEDTLS_VERSION_MAJOR >= 3
#define SIGNATURE_SIZE(s) , sizeof(s)
#else
#define SIGNATURE_SIZE(s)
#endif

/* Handshake threads use one key and one certificate at the same time. mbedTLS 2.28 computes a
 * table for the generator into the group that it is given, so it must not be given theirs. */
static void test_signing_and_verifying_write_nothing_into_a_shared_key(void **state)
{
    const struct tls_cert_files files = { file, NULL };
    static const unsigned char hash[32] = "anything";
    unsigned char signature[MBEDTLS_ECDSA_MAX_LEN];
    char why[300];
    size_t len = 0;
    (void)state;

    struct tls_certs *certs = tls_certs_new(
        &(struct tls_server_options){ .certs = &files, .cert_count = 1 }, why, sizeof(why));
    assert_non_null(certs);
    struct tls_cert *cert = tls_certs_default(certs);
    mbedtls_ecp_keypair *const pairs[2] = { mbedtls_pk_ec(cert->key),
                                            mbedtls_pk_ec(cert->chain.pk) };
    unsigned char before[2][sizeof(mbedtls_ecp_keypair)];
    for (int i = 0; i < 2; i++)
        memcpy(before[i], pairs[i], sizeof(before[i]));
    cert_must(mbedtls_pk_sign(&cert->key, MBEDTLS_MD_SHA256, hash, sizeof(hash),
                              signature SIGNATURE_SIZE(signature), &len, random_for_mbedtls, NULL));
    cert_must(
        mbedtls_pk_verify(&cert->chain.pk, MBEDTLS_MD_SHA256, hash, sizeof(hash), signature, len));
    for (int i = 0; i < 2; i++)
        assert_memory_equal(before[i], pairs[i], sizeof(before[i]));
    tls_certs_free(&certs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_signing_and_verifying_write_nothing_into_a_shared_key),
        cmocka_unit_test(test_policies),
        cmocka_unit_test(test_policies_that_are_refused_name_the_nearest),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
