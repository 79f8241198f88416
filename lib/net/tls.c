/* tls.c -- see tls.h: what a server is made of. */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <mbedtls/error.h>
#include <mbedtls/md.h>
#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>

#include "base/bug.h"
#include "base/mem.h"
#include "base/random.h"

#include "net/tls.h"
#include "net/tls_certs.h"
#include "net/tls_policy.h"
#include "net/tls_private.h"
#include "net/tls_tickets.h"
#include "net/tls_trust.h"

enum { IDENTITY_BYTES = 32 };

_Static_assert((int)TLS_SERVER_SAVED == (int)IDENTITY_BYTES + (int)TLS_TICKETS_SAVED,
               "an identity and keys");

static const char *alpn_protocols[] = { "http/1.1", NULL };

struct tls_server {
    mbedtls_ssl_config conf;
    struct tls_certs *certs; /* owned */
    struct tls_trust *trust; /* owned; NULL: clients are not asked for a certificate */
    const struct tls_policy *policy;
    struct tls_tickets tickets;
    int suite_ids[TLS_SUITES_MAX + 1];
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

static void free_server(struct tls_server *t)
{
    mbedtls_ssl_config_free(&t->conf);
    tls_tickets_done(&t->tickets);
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
        mbedtls_ssl_conf_session_tickets_cb(&t->conf, tls_tickets_write, tls_tickets_parse,
                                            &t->tickets);
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
    if (rc != 0)
        return rc;

    tls_suites_of(t->policy->suites, t->suite_ids);
    mbedtls_ssl_conf_ciphersuites(&t->conf, t->suite_ids);
    tls_conf_server(&t->conf, t->policy, t->trust != NULL);
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
    tls_tickets_init(&t->tickets);
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

const char *tls_server_next_change(const struct tls_server *before, const struct tls_server *after,
                                   size_t *at)
{
    return tls_certs_next_change(before->certs, after->certs, at);
}

bool tls_server_trusts_the_same(const struct tls_server *a, const struct tls_server *b)
{
    return tls_trust_is_same(a->trust, b->trust);
}

/* --- from one process to the next --------------------------------------------------------- */

static void feed(mbedtls_md_context_t *md, const void *bytes, size_t len)
{
    const uint64_t n = len;

    mbedtls_md_update(md, (const unsigned char *)&n, sizeof(n));
    mbedtls_md_update(md, bytes, len);
}

/* What tls_server_is_same() compares, of one that has no trust. */
static void identify(const struct tls_server *t, uint8_t out[IDENTITY_BYTES])
{
    mbedtls_md_context_t md;

    mbedtls_md_init(&md);
    if (mbedtls_md_setup(&md, mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), 0) != 0)
        bug("SHA-256 failed");
    mbedtls_md_starts(&md);
    feed(&md, t->policy->name, strlen(t->policy->name));
    for (size_t i = 0; i < tls_certs_count(t->certs); i++) {
        const struct tls_cert *cert = tls_certs_at(t->certs, i);
        feed(&md, cert->file, strlen(cert->file));
        for (const mbedtls_x509_crt *c = &cert->chain; c != NULL; c = c->next)
            feed(&md, c->raw.p, c->raw.len);
    }
    mbedtls_md_finish(&md, out);
    mbedtls_md_free(&md);
}

bool tls_server_save_tickets(struct tls_server *server, uint8_t out[TLS_SERVER_SAVED])
{
    if (server->trust != NULL)
        return false;
    identify(server, out);
    tls_tickets_save(&server->tickets, out + IDENTITY_BYTES);
    return true;
}

bool tls_server_load_tickets(struct tls_server *server, struct span saved)
{
    uint8_t identity[IDENTITY_BYTES];

    if (server->trust != NULL || saved.len != TLS_SERVER_SAVED)
        return false;
    identify(server, identity);
    if (memcmp(identity, saved.ptr, IDENTITY_BYTES) != 0)
        return false;
    tls_tickets_load(&server->tickets, (const uint8_t *)saved.ptr + IDENTITY_BYTES);
    return true;
}
