/*
 * tls_version.c -- the one file that knows which version of mbedTLS this is: what it can
 * do, and what is called otherwise in 2.28 than in 3.6.
 */
#include <stdio.h>

#include <mbedtls/pk.h>
#include <mbedtls/ssl.h>
#include <mbedtls/version.h>

#include "base/random.h"

#include "net/tls_policy.h"
#include "net/tls_private.h"

/* Keys, tickets and RSA blinding are shared by all threads. */
#ifndef MBEDTLS_THREADING_C
#error "mbedTLS must be built with MBEDTLS_THREADING_C"
#endif

/* --- what differs between mbedTLS 2.28 and 3.6 ---------------------------- */

#if MBEDTLS_VERSION_MAJOR >= 3

#include <psa/crypto.h>

#define WITH_RNG , random_for_mbedtls, NULL

static const uint16_t groups[] = { MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1,
                                   MBEDTLS_SSL_IANA_TLS_GROUP_X25519,
                                   MBEDTLS_SSL_IANA_TLS_GROUP_NONE };

/* Those of a client's certificate have to be among them. */
static const uint16_t groups_of_clients[] = { MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1,
                                              MBEDTLS_SSL_IANA_TLS_GROUP_X25519,
                                              MBEDTLS_SSL_IANA_TLS_GROUP_SECP384R1,
                                              MBEDTLS_SSL_IANA_TLS_GROUP_SECP521R1,
                                              MBEDTLS_SSL_IANA_TLS_GROUP_NONE };

bool tls_name_goes_on(const mbedtls_x509_name *name)
{
    return name->MBEDTLS_PRIVATE(next_merged) != 0;
}

int tls_ssl_state(const mbedtls_ssl_context *ssl)
{
    return ssl->MBEDTLS_PRIVATE(state);
}

bool tls_start_crypto(void)
{
    return psa_crypto_init() == PSA_SUCCESS; /* TLS 1.3 is built on it; harmless when repeated */
}

/* This build's TLS 1.x. */
#ifdef MBEDTLS_SSL_PROTO_TLS1_3
enum { LOWEST = 2, HIGHEST = 3 };

/* No ticket without ECDHE: whoever has its key could read what was recorded. */
static void keep_forward_secrecy(mbedtls_ssl_config *conf)
{
    mbedtls_ssl_conf_tls13_key_exchange_modes(conf,
                                              MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_EPHEMERAL_ALL);
}
#else
enum { LOWEST = 2, HIGHEST = 2 };

static void keep_forward_secrecy(mbedtls_ssl_config *conf)
{
    (void)conf;
}
#endif

void tls_conf_server(mbedtls_ssl_config *conf, const struct tls_policy *p, bool asks_clients)
{
    mbedtls_ssl_conf_min_tls_version(conf, p->min_minor == 3 ? MBEDTLS_SSL_VERSION_TLS1_3
                                                             : MBEDTLS_SSL_VERSION_TLS1_2);
    keep_forward_secrecy(conf);
    mbedtls_ssl_conf_max_tls_version(conf, p->max_minor < HIGHEST || HIGHEST == 2
                                               ? MBEDTLS_SSL_VERSION_TLS1_2
                                               : MBEDTLS_SSL_VERSION_TLS1_3);
    mbedtls_ssl_conf_groups(conf, asks_clients ? groups_of_clients : groups);
}

void tls_conf_client(mbedtls_ssl_config *conf)
{
    keep_forward_secrecy(conf);
    mbedtls_ssl_conf_min_tls_version(conf, MBEDTLS_SSL_VERSION_TLS1_2);
#if MBEDTLS_VERSION_NUMBER >= 0x03060100 /* 3.6.0 always says so */
    mbedtls_ssl_conf_tls13_enable_signal_new_session_tickets(
        conf, MBEDTLS_SSL_TLS1_3_SIGNAL_NEW_SESSION_TICKETS_ENABLED);
#endif
}

bool tls_may_resume(const mbedtls_ssl_session *session)
{
    return session->MBEDTLS_PRIVATE(tls_version) != MBEDTLS_SSL_VERSION_TLS1_3 ||
           session->MBEDTLS_PRIVATE(ticket_len) > 0;
}

uint64_t tls_session_began_s(const mbedtls_ssl_session *session)
{
    return (uint64_t)session->MBEDTLS_PRIVATE(start);
}

bool tls_code_is_ticket(int code)
{
    return code == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET;
}

#else

#define WITH_RNG

static const mbedtls_ecp_group_id groups[] = { MBEDTLS_ECP_DP_SECP256R1, MBEDTLS_ECP_DP_CURVE25519,
                                               MBEDTLS_ECP_DP_NONE };

/* Those of a client's certificate have to be among them. */
static const mbedtls_ecp_group_id groups_of_clients[] = {
    MBEDTLS_ECP_DP_SECP256R1, MBEDTLS_ECP_DP_CURVE25519, MBEDTLS_ECP_DP_SECP384R1,
    MBEDTLS_ECP_DP_SECP521R1, MBEDTLS_ECP_DP_NONE
};

bool tls_name_goes_on(const mbedtls_x509_name *name)
{
    return name->next_merged != 0;
}

int tls_ssl_state(const mbedtls_ssl_context *ssl)
{
    return ssl->state;
}

bool tls_start_crypto(void)
{
    return true;
}

/* This build's TLS 1.x. */
#if defined(MBEDTLS_SSL_PROTO_TLS1)
enum { LOWEST = 0, HIGHEST = 2 };
#elif defined(MBEDTLS_SSL_PROTO_TLS1_1)
enum { LOWEST = 1, HIGHEST = 2 };
#else
enum { LOWEST = 2, HIGHEST = 2 };
#endif

/* Minor version 1 is TLS 1.0. */
void tls_conf_server(mbedtls_ssl_config *conf, const struct tls_policy *p, bool asks_clients)
{
    const int lowest = p->min_minor > LOWEST ? p->min_minor : LOWEST;

    mbedtls_ssl_conf_min_version(conf, MBEDTLS_SSL_MAJOR_VERSION_3,
                                 MBEDTLS_SSL_MINOR_VERSION_1 + lowest);
    mbedtls_ssl_conf_max_version(conf, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
    mbedtls_ssl_conf_curves(conf, asks_clients ? groups_of_clients : groups);
}

void tls_conf_client(mbedtls_ssl_config *conf)
{
    mbedtls_ssl_conf_min_version(conf, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
}

bool tls_may_resume(const mbedtls_ssl_session *session)
{
    (void)session;
    return true;
}

uint64_t tls_session_began_s(const mbedtls_ssl_session *session)
{
    return (uint64_t)session->start;
}

bool tls_code_is_ticket(int code)
{
    (void)code;
    return false;
}

#endif

/* --- cipher suites ---------------------------------------------------- */

/* In our order of preference; the name is OpenSSL's, which logs are read by. */
static const struct {
    int id;
    const char *name;
    unsigned kind; /* of enum tls_suites; 0: with targets only */
} suites[] = {
#if MBEDTLS_VERSION_MAJOR >= 3
    { MBEDTLS_TLS1_3_AES_128_GCM_SHA256, "TLS_AES_128_GCM_SHA256", TLS_SUITES_1_3 },
    { MBEDTLS_TLS1_3_AES_256_GCM_SHA384, "TLS_AES_256_GCM_SHA384", TLS_SUITES_1_3 },
    { MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256, "TLS_CHACHA20_POLY1305_SHA256", TLS_SUITES_1_3 },
#endif
    { MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, "ECDHE-ECDSA-AES128-GCM-SHA256",
      TLS_SUITES_FS_GCM },
    { MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, "ECDHE-RSA-AES128-GCM-SHA256",
      TLS_SUITES_FS_GCM },
    { MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, "ECDHE-ECDSA-AES256-GCM-SHA384",
      TLS_SUITES_FS_GCM },
    { MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, "ECDHE-RSA-AES256-GCM-SHA384",
      TLS_SUITES_FS_GCM },
    { MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256, "ECDHE-ECDSA-AES128-SHA256",
      TLS_SUITES_FS_CBC },
    { MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256, "ECDHE-RSA-AES128-SHA256", TLS_SUITES_FS_CBC },
    { MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384, "ECDHE-ECDSA-AES256-SHA384",
      TLS_SUITES_FS_CBC },
    { MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384, "ECDHE-RSA-AES256-SHA384", TLS_SUITES_FS_CBC },
    { MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, "ECDHE-ECDSA-AES128-SHA", TLS_SUITES_FS_SHA1 },
    { MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, "ECDHE-RSA-AES128-SHA", TLS_SUITES_FS_SHA1 },
    { MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA, "ECDHE-ECDSA-AES256-SHA", TLS_SUITES_FS_SHA1 },
    { MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA, "ECDHE-RSA-AES256-SHA", TLS_SUITES_FS_SHA1 },
    { MBEDTLS_TLS_RSA_WITH_AES_128_GCM_SHA256, "AES128-GCM-SHA256", TLS_SUITES_RSA },
    { MBEDTLS_TLS_RSA_WITH_AES_128_CBC_SHA256, "AES128-SHA256", TLS_SUITES_RSA },
    { MBEDTLS_TLS_RSA_WITH_AES_256_GCM_SHA384, "AES256-GCM-SHA384", TLS_SUITES_RSA },
    { MBEDTLS_TLS_RSA_WITH_AES_256_CBC_SHA256, "AES256-SHA256", TLS_SUITES_RSA },
    { MBEDTLS_TLS_RSA_WITH_AES_128_CBC_SHA, "AES128-SHA", TLS_SUITES_RSA_SHA1 },
    { MBEDTLS_TLS_RSA_WITH_AES_256_CBC_SHA, "AES256-SHA", TLS_SUITES_RSA_SHA1 },
    { MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, "ECDHE-ECDSA-CHACHA20-POLY1305", 0 },
    { MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, "ECDHE-RSA-CHACHA20-POLY1305", 0 },
};

enum { SUITES = sizeof(suites) / sizeof(suites[0]) };

_Static_assert((int)SUITES <= (int)TLS_SUITES_MAX, "there is room for all of them");

void tls_suites_of(unsigned kinds, int ids[TLS_SUITES_MAX + 1])
{
    int n = 0;

    for (int i = 0; i < SUITES; i++) {
        if ((suites[i].kind & kinds) != 0)
            ids[n++] = suites[i].id;
    }
    ids[n] = 0;
}

const char *tls_suite_name(const char *mbedtls_name)
{
    int id = mbedtls_name == NULL ? 0 : mbedtls_ssl_get_ciphersuite_id(mbedtls_name);
    for (int i = 0; i < SUITES; i++) {
        if (suites[i].id == id)
            return suites[i].name;
    }
    return "-";
}

bool tls_policy_lacks(const struct tls_policy *p, char *text, size_t size)
{
    const struct {
        bool lacks;
        const char *what;
    } rows[] = {
        { p->min_minor <= 0 && LOWEST > 0, "TLS 1.0" },
        { p->min_minor <= 1 && LOWEST > 1, "TLS 1.1" },
        { p->max_minor > HIGHEST, "TLS 1.3" },
        { p->hybrid, "ML-KEM key exchange" },
    };
    size_t len = 0;

    text[0] = '\0';
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].lacks && len < size)
            len += (size_t)snprintf(text + len, size - len, "%s%s", len == 0 ? "" : ", ",
                                    rows[i].what);
    }
    return p->min_minor <= HIGHEST;
}

/* --- keys ------------------------------------------------------------- */

int tls_parse_key(mbedtls_pk_context *key, const char *pem, size_t len)
{
    return mbedtls_pk_parse_key(key, (const unsigned char *)pem, len, NULL, 0 WITH_RNG);
}

bool tls_is_pair(const mbedtls_pk_context *certified, const mbedtls_pk_context *key)
{
    return mbedtls_pk_check_pair(certified, key WITH_RNG) == 0;
}
