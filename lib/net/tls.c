/*
 * tls.c -- certificates and settings on mbedTLS; the one file that knows which
 * version of it this is.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <mbedtls/error.h>
#include <mbedtls/pk.h>
#include <mbedtls/ssl.h>
#include <mbedtls/ssl_ticket.h>
#include <mbedtls/version.h>
#include <mbedtls/x509_crt.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"

#include "net/tls.h"
#include "net/tls_certs.h"
#include "net/tls_policy.h"
#include "net/tls_private.h"
#include "net/tls_trust.h"

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

static void set_versions_and_groups(mbedtls_ssl_config *conf, const struct tls_policy *p,
                                    bool asks_clients)
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
static void set_versions_and_groups(mbedtls_ssl_config *conf, const struct tls_policy *p,
                                    bool asks_clients)
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

bool tls_code_is_ticket(int code)
{
    (void)code;
    return false;
}

#endif

/* --- the server ----------------------------------------------------------- */

enum { TICKET_LIFETIME_S = 86400 };

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

static const char *alpn_protocols[] = { "http/1.1", NULL };

struct tls_server {
    mbedtls_ssl_config conf;
    struct tls_certs *certs; /* owned */
    struct tls_trust *trust; /* owned; NULL: clients are not asked for a certificate */
    const struct tls_policy *policy;
    mbedtls_ssl_ticket_context tickets; /* has a mutex of its own */
    int suite_ids[SUITES + 1];
    atomic_uint refs;
};

const char *tls_code_text(int code, char out[64])
{
    static const struct {
        int code;
        const char *text;
    } known[] = {
        { MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE,
          "the peer refused with a TLS alert (does it trust the certificate?)" },
        { MBEDTLS_ERR_SSL_CONN_EOF, "the peer hung up" },
        { MBEDTLS_ERR_SSL_INVALID_RECORD, "what came is not TLS" },
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (known[i].code == code)
            return known[i].text;
    }
    if (code >= 0)
        return code == 0 ? "no error" : strerror(code);

    const char *text = mbedtls_high_level_strerr(code);
    if (text == NULL)
        text = mbedtls_low_level_strerr(code);
    if (text != NULL)
        return text;
    snprintf(out, 64, "mbedTLS error -0x%04x", (unsigned)-code);
    return out;
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

const mbedtls_ssl_config *tls_server_config(const struct tls_server *server)
{
    return &server->conf;
}

const struct tls_certs *tls_server_certs(const struct tls_server *server)
{
    return server->certs;
}

const struct tls_trust *tls_server_trust(const struct tls_server *server)
{
    return server->trust;
}

int tls_parse_key(mbedtls_pk_context *key, const char *pem, size_t len)
{
    return mbedtls_pk_parse_key(key, (const unsigned char *)pem, len, NULL, 0 WITH_RNG);
}

bool tls_is_pair(const mbedtls_pk_context *certified, const mbedtls_pk_context *key)
{
    return mbedtls_pk_check_pair(certified, key WITH_RNG) == 0;
}

static void free_server(struct tls_server *t)
{
    mbedtls_ssl_config_free(&t->conf);
    mbedtls_ssl_ticket_free(&t->tickets);
    tls_certs_free(&t->certs);
    tls_trust_free(&t->trust);
    free(t);
}

/* A ticket would stand in for a certificate that has been revoked since. */
static void trust_or_resume(struct tls_server *t)
{
    if (t->trust != NULL)
        tls_trust_configure(t->trust, &t->conf);
    else
        mbedtls_ssl_conf_session_tickets_cb(&t->conf, mbedtls_ssl_ticket_write,
                                            mbedtls_ssl_ticket_parse, &t->tickets);
}

static int configure(struct tls_server *t)
{
    struct tls_cert *first = tls_certs_default(t->certs);
    int rc = mbedtls_ssl_config_defaults(&t->conf, MBEDTLS_SSL_IS_SERVER,
                                         MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT);
    if (rc == 0)
        rc = mbedtls_ssl_conf_own_cert(&t->conf, &first->chain, &first->key);
    if (rc == 0)
        rc = mbedtls_ssl_conf_alpn_protocols(&t->conf, alpn_protocols);
    if (rc == 0)
        rc = mbedtls_ssl_ticket_setup(&t->tickets, random_for_mbedtls, NULL,
                                      MBEDTLS_CIPHER_AES_256_GCM, TICKET_LIFETIME_S);
    if (rc != 0)
        return rc;

    for (int i = 0, n = 0; i < SUITES; i++) {
        if ((suites[i].kind & t->policy->suites) != 0)
            t->suite_ids[n++] = suites[i].id;
    }
    mbedtls_ssl_conf_ciphersuites(&t->conf, t->suite_ids);
    set_versions_and_groups(&t->conf, t->policy, t->trust != NULL);
    mbedtls_ssl_conf_rng(&t->conf, random_for_mbedtls, NULL);
    mbedtls_ssl_conf_sni(&t->conf, tls_session_on_sni, NULL);
    trust_or_resume(t);
    return 0;
}

static bool set_up(struct tls_server *t, const struct tls_server_options *options, char *why,
                   size_t why_size)
{
    char text[64];

    if (!tls_start_crypto()) {
        snprintf(why, why_size, "mbedTLS cannot start its cryptography");
        return false;
    }
    t->certs = tls_certs_new(options, why, why_size);
    if (t->certs == NULL)
        return false;
    t->trust = tls_trust_new(&options->trust, why, why_size);
    if (t->trust == NULL && options->trust.mode != TLS_CLIENT_AUTH_OFF)
        return false;
    int rc = configure(t);
    if (rc != 0)
        snprintf(why, why_size, "%s: %s", options->certs[0].certificate, tls_code_text(rc, text));
    return rc == 0;
}

struct tls_server *tls_server_new(const struct tls_server_options *options, char *why,
                                  size_t why_size)
{
    struct tls_server *t = mem_new(struct tls_server);

    atomic_init(&t->refs, 1);
    mbedtls_ssl_config_init(&t->conf);
    mbedtls_ssl_ticket_init(&t->tickets);
    t->policy = options->policy != NULL ? options->policy : &tls_policies[0];
    if (set_up(t, options, why, why_size))
        return t;
    free_server(t);
    return NULL;
}

struct tls_server *tls_server_ref(struct tls_server *server)
{
    atomic_fetch_add_explicit(&server->refs, 1, memory_order_relaxed);
    return server;
}

void tls_server_unref(struct tls_server **server)
{
    struct tls_server *t = *server;
    *server = NULL;
    if (t != NULL && atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) == 1)
        free_server(t);
}

bool tls_chain_is_same(const mbedtls_x509_crt *x, const mbedtls_x509_crt *y)
{
    while (x != NULL && y != NULL) {
        if (!span_equal(span_of(x->raw.p, x->raw.len), span_of(y->raw.p, y->raw.len)))
            return false;
        x = x->next;
        y = y->next;
    }
    return x == NULL && y == NULL;
}

bool tls_server_is_same(const struct tls_server *a, const struct tls_server *b)
{
    return a->policy == b->policy && tls_certs_are_same(a->certs, b->certs) &&
           tls_trust_is_same(a->trust, b->trust);
}
