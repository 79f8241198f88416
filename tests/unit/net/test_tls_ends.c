/* test_tls_ends.c -- when what is shown and what is trusted ends. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <unistd.h>

#include "net/tls_client.h"
#include "net/tls_ends.h"

#include "make_cert.h"

static char path[] = "/tmp/postern-test-XXXXXX";
static struct cert early, late;

static const uint64_t EARLY_S = 1609459200, LATE_S = 2524607999; /* of 2021, of 2049 */

static struct tls_server *server_with(const struct tls_trust_options *trust)
{
    const struct tls_cert_files files[] = { { path, NULL }, { path, "" } };
    const struct tls_server_options options = { .certs = files, .cert_count = 2, .trust = *trust };
    char why[300];
    struct tls_server *server = tls_server_new(&options, why, sizeof(why));

    assert_non_null(server);
    return server;
}

static void expect_ends(const char *more, uint64_t want)
{
    struct tls_server *server;
    struct tls_end end;
    char text[2 * CERT_PEM_MAX];
    size_t at = 0, n = 0;

    snprintf(text, sizeof(text), "%s%s", late.key, more);
    cert_write(path, late.chain, text);
    server = server_with(&(struct tls_trust_options){ .mode = TLS_CLIENT_AUTH_OFF });
    for (; tls_server_next_end(server, &at, &end); n++) {
        assert_string_equal(end.file, path);
        assert_string_equal(end.name, "localhost");
        assert_int_equal(end.ends_s, want);
    }
    assert_int_equal(n, 2);
    assert_false(tls_server_trust_ends(server, &end.ends_s));
    tls_server_unref(&server);
}

static void test_each_certificate_has_an_end(void **state)
{
    (void)state;
    expect_ends("", LATE_S);
}

static void test_of_a_chain_the_first_counts(void **state)
{
    (void)state;
    expect_ends(early.chain, EARLY_S);
}

static void test_of_a_trust_store_the_first_counts(void **state)
{
    static const struct {
        int mode;
        bool has;
    } modes[] = { { TLS_CLIENT_AUTH_VERIFY, true }, { TLS_CLIENT_AUTH_PASSTHROUGH, false } };
    (void)state;

    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        uint64_t ends = 0;
        cert_write(path, late.chain, late.key);
        char store[] = "/tmp/postern-test-XXXXXX";
        close(mkstemp(store));
        cert_write(store, late.chain, early.chain);
        struct tls_server *server =
            server_with(&(struct tls_trust_options){ .mode = modes[i].mode, .store = store });
        unlink(store);
        assert_int_equal(tls_server_trust_ends(server, &ends), modes[i].has);
        assert_int_equal(ends, modes[i].has ? EARLY_S : 0);
        tls_server_unref(&server);
    }
}

static void test_a_client_that_verifies_nothing_trusts_nobody(void **state)
{
    (void)state;

    cert_write(path, late.chain, early.chain);
    for (int verify = 0; verify < 2; verify++) {
        const struct tls_client_options options = { .verify = verify,
                                                    .ca_file = path,
                                                    .server_name = "" };
        char why[300];
        uint64_t ends = 0;
        struct tls_client *client = tls_client_new(&options, why, sizeof(why));
        assert_non_null(client);
        assert_int_equal(tls_client_trust_ends(client, &ends), verify);
        assert_int_equal(ends, verify ? EARLY_S : 0);
        tls_client_unref(&client);
    }
}

static int setup(void **state)
{
    (void)state;
    close(mkstemp(path));
    cert_make(&late, "20200101000000", "20491231235959");
    cert_make(&early, "20200101000000", "20210101000000");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_certificate_has_an_end),
        cmocka_unit_test(test_of_a_chain_the_first_counts),
        cmocka_unit_test(test_of_a_trust_store_the_first_counts),
        cmocka_unit_test(test_a_client_that_verifies_nothing_trusts_nobody),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
