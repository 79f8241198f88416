/* Client certificates on a listener: what is refused, at which line, and what is to be done. */
#include "config_fixture.h"

#define MUTUAL "mutual_authentication."
#define HTTPS EDGE GROUP LISTENER "protocol = HTTPS\ncertificate = both.pem\n"
#define VERIFY HTTPS MUTUAL "mode = verify\n"
#define NOBODY ": nobody is verified; say " MUTUAL "mode = verify or take it out\n"

/* The first line of these settings is line 10. */
static const struct text_case mutual_cases[] = {
    { "off", HTTPS MUTUAL "mode = off\n", "" },
    { "passthrough", HTTPS MUTUAL "mode = passthrough\n", "" },
    { "verify", VERIFY MUTUAL "trust_store = cert.pem\n", "" },
    { "verify, all of it",
      VERIFY MUTUAL "trust_store = cert.pem\n" MUTUAL "revocation_file = crl.pem\n" MUTUAL
                    "ignore_client_certificate_expiry = on\n" MUTUAL
                    "advertise_trust_store_ca_names = on\n",
      "" },
    { "an unknown mode", HTTPS MUTUAL "mode = ask\n",
      "f:10: " MUTUAL "mode: \"ask\" is not one of off, passthrough, verify\n" },
    { "verify without authorities", VERIFY,
      "f:10: " MUTUAL "mode: verify needs authorities; add " MUTUAL "trust_store = FILE.pem\n" },
    { "authorities without a mode", HTTPS MUTUAL "trust_store = cert.pem\n",
      "f:10: " MUTUAL "trust_store" NOBODY },
    { "authorities of passthrough",
      HTTPS MUTUAL "mode = passthrough\n" MUTUAL "trust_store = cert.pem\n",
      "f:11: " MUTUAL "trust_store" NOBODY },
    { "a revocation list without a mode", HTTPS MUTUAL "revocation_file = crl.pem\n",
      "f:10: " MUTUAL "revocation_file" NOBODY },
    { "expiry without a mode", HTTPS MUTUAL "ignore_client_certificate_expiry = on\n",
      "f:10: " MUTUAL "ignore_client_certificate_expiry" NOBODY },
    { "names without a mode",
      HTTPS MUTUAL "mode = off\n" MUTUAL "advertise_trust_store_ca_names = off\n",
      "f:11: " MUTUAL "advertise_trust_store_ca_names" NOBODY },
    { "authorities that are not there", VERIFY MUTUAL "trust_store = none.pem\n",
      "f:11: " MUTUAL "trust_store: cannot open none.pem: No such file or directory\n" },
    { "authorities in no PEM", VERIFY MUTUAL "trust_store = one.txt\n",
      "f:11: " MUTUAL "trust_store: one.txt: no PEM certificate of an authority in it *\n" },
    { "a revocation list that is not there",
      VERIFY MUTUAL "trust_store = cert.pem\n" MUTUAL "revocation_file = none.pem\n",
      "f:12: " MUTUAL "revocation_file: cannot open none.pem: No such file or directory\n" },
    { "two revocation lists that are none",
      VERIFY MUTUAL "revocation_file = one.txt\n" MUTUAL "trust_store = cert.pem\n" MUTUAL
                    "revocation_file = crl.pem\n" MUTUAL "revocation_file = cert.pem\n",
      "f:11: " MUTUAL "revocation_file: one.txt: no revocation list (CRL) in it *\n"
      "f:14: " MUTUAL "revocation_file: cert.pem: no revocation list (CRL) in it *\n" },
    { "HTTP that verifies",
      EDGE GROUP LISTENER MUTUAL "mode = verify\n" MUTUAL "trust_store = cert.pem\n",
      "f:8: " MUTUAL "mode: is for HTTPS; say protocol = HTTPS or take it out\n" },
    { "HTTP with authorities", EDGE GROUP LISTENER MUTUAL "trust_store = cert.pem\n",
      "f:8: " MUTUAL "trust_store: is for HTTPS; say protocol = HTTPS or take it out\n" },
};

/* A list that revokes nothing. */
static const char crl_pem[] = "-----BEGIN X509 CRL-----\n"
                              "ME4wPAIBATAKBggqhkjOPQQDAjANMQswCQYDVQQDDAJjYRcNMjYwMTMxMDAwMDAw\n"
                              "WhcNMjcwMTMxMDAwMDAwWjAKBggqhkjOPQQDAgMCAAA=\n"
                              "-----END X509 CRL-----\n";

static int enter_folder_with_crl(void **state)
{
    const int rc = enter_folder(state);

    write_text("crl.pem", crl_pem);
    return rc;
}

static void test_client_certificates(void **state)
{
    (void)state;
    run_cases(mutual_cases, COUNT(mutual_cases), false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_client_certificates),
    };

    return cmocka_run_group_tests(tests, enter_folder_with_crl, leave_folder);
}
