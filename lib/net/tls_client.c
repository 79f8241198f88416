/*
 * tls_client.c -- see tls_client.h.
 *
 * What a server is asked to prove: a chain to one of our certificates, dates that
 * hold, and its name. mbedTLS compares host names; addresses are compared here,
 * because its version 2.28 does not, and would send them as SNI.
 */
#include "net/tls_client.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <mbedtls/asn1.h>
#include <mbedtls/error.h>
#include <mbedtls/x509_crt.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/ip.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/text.h"

#include "net/tls_certs.h"
#include "net/tls_private.h"

enum {
    CA_FILE_MAX = 4 * 1024 * 1024,
    REMEMBER_MS = 60 * 60 * 1000, /* then the certificate is looked at again */
    SAN_IP = MBEDTLS_ASN1_CONTEXT_SPECIFIC | MBEDTLS_X509_SAN_IP_ADDRESS,
};

struct tls_client {
    mbedtls_ssl_config conf;
    mbedtls_x509_crt authorities;
    struct tls_certs *own; /* owned; NULL: none */
    bool verify;
    char *server_name; /* owned; "" when the one given is meant */
    atomic_uint refs;
};

struct tls_resume {
    pthread_mutex_t mutex;
    char name[TLS_NAME_MAX + 1];
    unsigned names;            /* how many it has had */
    struct tls_client *client; /* a reference: whose session it is; NULL when there is none */
    mbedtls_ssl_session session;
    uint64_t kept_ms;
    atomic_uint refs;
};

struct tls_client_side {
    struct tls_client *client; /* references */
    struct tls_resume *resume;
    unsigned names; /* the name that it was made under */
    bool is_host;
    struct ip ip; /* the name when it is an address; family 0 when it is not */
};

/* --- what a server is to prove ------------------------------------------------ */

bool tls_client_is_name(struct span text)
{
    struct ip ip;
    bool after_dot = true;

    if (ip_parse(text, &ip))
        return true;
    for (size_t i = 0; i < text.len; i++) {
        const char c = text.ptr[i];
        const bool is_word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                             (c >= '0' && c <= '9') || c == '-' || c == '_';
        if (!is_word && (c != '.' || after_dot))
            return false;
        after_dot = c == '.';
    }
    return text.len > 0 && text.len <= TLS_NAME_MAX && !after_dot;
}

static bool read_authorities(struct tls_client *c, const char *file, char *why, size_t why_size)
{
    char text[64];
    size_t len;
    char *pem = text_read_file(file, CA_FILE_MAX, &len, why, why_size);

    if (pem == NULL)
        return false;
    const int rc = mbedtls_x509_crt_parse(&c->authorities, (const unsigned char *)pem, len + 1);
    free(pem);
    /* Bundles hold certificates that mbedTLS does not know how to read; those that it
     * reads do. */
    if (rc < 0 || c->authorities.raw.len == 0)
        snprintf(why, why_size, "%s: no PEM certificate in it (%s)", file, tls_code_text(rc, text));
    return rc >= 0 && c->authorities.raw.len > 0;
}

static bool show_own(struct tls_client *c, const struct tls_client_options *o, char *why,
                     size_t why_size)
{
    const struct tls_cert_files files = { o->certificate, o->key };
    const struct tls_server_options one = { .certs = &files, .cert_count = 1 };

    if (o->certificate == NULL)
        return true;
    c->own = tls_certs_new(&one, why, why_size);
    if (c->own == NULL)
        return false;
    struct tls_cert *cert = tls_certs_default(c->own);
    if (mbedtls_ssl_conf_own_cert(&c->conf, &cert->chain, &cert->key) != 0)
        mem_check(NULL); /* allocating is all that it does */
    return true;
}

static bool set_up(struct tls_client *c, const struct tls_client_options *o, char *why,
                   size_t why_size)
{
    char text[64];

    if (!tls_start_crypto()) {
        snprintf(why, why_size, "mbedTLS cannot start its cryptography");
        return false;
    }
    const int rc = mbedtls_ssl_config_defaults(
        &c->conf, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT);
    if (rc != 0) {
        snprintf(why, why_size, "%s", tls_code_text(rc, text));
        return false;
    }
    tls_conf_client(&c->conf);
    mbedtls_ssl_conf_rng(&c->conf, random_for_mbedtls, NULL);
    mbedtls_ssl_conf_authmode(&c->conf,
                              o->verify ? MBEDTLS_SSL_VERIFY_REQUIRED : MBEDTLS_SSL_VERIFY_NONE);
    if (o->verify && !read_authorities(c, o->ca_file, why, why_size))
        return false;
    mbedtls_ssl_conf_ca_chain(&c->conf, &c->authorities, NULL);
    return show_own(c, o, why, why_size);
}

const mbedtls_x509_crt *tls_client_authorities(const struct tls_client *client)
{
    return &client->authorities;
}

static void free_client(struct tls_client *c)
{
    mbedtls_ssl_config_free(&c->conf);
    mbedtls_x509_crt_free(&c->authorities);
    tls_certs_free(&c->own);
    free(c->server_name);
    free(c);
}

struct tls_client *tls_client_new(const struct tls_client_options *options, char *why,
                                  size_t why_size)
{
    struct tls_client *c = mem_new(struct tls_client);

    atomic_init(&c->refs, 1);
    c->verify = options->verify;
    c->server_name = mem_text(options->server_name);
    mbedtls_ssl_config_init(&c->conf);
    mbedtls_x509_crt_init(&c->authorities);
    if (set_up(c, options, why, why_size))
        return c;
    free_client(c);
    return NULL;
}

struct tls_client *tls_client_ref(struct tls_client *client)
{
    atomic_fetch_add_explicit(&client->refs, 1, memory_order_relaxed);
    return client;
}

void tls_client_unref(struct tls_client **client)
{
    struct tls_client *c = *client;

    *client = NULL;
    if (c != NULL && atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) == 1)
        free_client(c);
}

bool tls_client_is_same(const struct tls_client *a, const struct tls_client *b)
{
    return a->verify == b->verify && strcmp(a->server_name, b->server_name) == 0 &&
           (a->own == NULL) == (b->own == NULL) &&
           (a->own == NULL || tls_certs_are_same(a->own, b->own)) &&
           tls_chain_is_same(&a->authorities, &b->authorities);
}

/* --- what is remembered of a server --------------------------------------------- */

struct tls_resume *tls_resume_new(void)
{
    struct tls_resume *p = mem_new(struct tls_resume);

    if (pthread_mutex_init(&p->mutex, NULL) != 0)
        bug("no mutex");
    mbedtls_ssl_session_init(&p->session);
    atomic_init(&p->refs, 1);
    return p;
}

struct tls_resume *tls_resume_ref(struct tls_resume *resume)
{
    atomic_fetch_add_explicit(&resume->refs, 1, memory_order_relaxed);
    return resume;
}

/* With the mutex. */
static void forget(struct tls_resume *p)
{
    mbedtls_ssl_session_free(&p->session);
    mbedtls_ssl_session_init(&p->session);
    tls_client_unref(&p->client);
}

void tls_resume_unref(struct tls_resume **resume)
{
    struct tls_resume *p = *resume;

    *resume = NULL;
    if (p == NULL || atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) != 1)
        return;
    forget(p);
    pthread_mutex_destroy(&p->mutex);
    free(p);
}

void tls_resume_set_name(struct tls_resume *p, const char *name)
{
    pthread_mutex_lock(&p->mutex);
    if (strcmp(p->name, name) != 0) {
        snprintf(p->name, sizeof(p->name), "%s", name);
        p->names++;
        forget(p);
    }
    pthread_mutex_unlock(&p->mutex);
}

/* Its name as it is now. */
static void learn_name(struct tls_client_side *side, char name[TLS_NAME_MAX + 1])
{
    struct tls_resume *p = side->resume;

    pthread_mutex_lock(&p->mutex);
    side->names = p->names;
    snprintf(name, TLS_NAME_MAX + 1, "%s",
             side->client->server_name[0] != '\0' ? side->client->server_name : p->name);
    pthread_mutex_unlock(&p->mutex);
    if (!ip_parse(span_text(name), &side->ip))
        side->ip.family = 0;
    side->is_host = side->ip.family == 0 && name[0] != '\0';
}

/* Offer what is remembered; a server that does not know it does a full handshake. */
static void offer(const struct tls_client_side *side, mbedtls_ssl_context *ssl)
{
    struct tls_resume *p = side->resume;

    pthread_mutex_lock(&p->mutex);
    if (p->client == side->client && p->names == side->names &&
        clock_mono_ms() - p->kept_ms < REMEMBER_MS)
        mbedtls_ssl_set_session(ssl, &p->session);
    pthread_mutex_unlock(&p->mutex);
}

void tls_client_keep(struct tls_client_side *side, const mbedtls_ssl_context *ssl, bool was_full)
{
    struct tls_resume *p = side->resume;
    mbedtls_ssl_session session;

    mbedtls_ssl_session_init(&session);
    if (mbedtls_ssl_get_session(ssl, &session) != 0 || !tls_may_resume(&session)) {
        mbedtls_ssl_session_free(&session);
        return;
    }
    pthread_mutex_lock(&p->mutex);
    if (p->names == side->names && (was_full || p->client == side->client)) {
        forget(p);
        p->session = session;
        p->client = tls_client_ref(side->client);
        if (was_full) /* the certificate was seen now */
            p->kept_ms = clock_mono_ms();
    } else {
        mbedtls_ssl_session_free(&session);
    }
    pthread_mutex_unlock(&p->mutex);
}

void tls_client_drop(struct tls_client_side *side)
{
    struct tls_resume *p = side->resume;

    pthread_mutex_lock(&p->mutex);
    if (p->client == side->client && p->names == side->names)
        forget(p);
    pthread_mutex_unlock(&p->mutex);
}

/* --- sessions ---------------------------------------------------------------------- */

static bool certifies(const mbedtls_x509_crt *crt, const struct ip *ip)
{
    const size_t len = ip->family == 4 ? 4 : 16;

    if (ip->family == 0)
        return false;
    for (const mbedtls_x509_sequence *at = &crt->subject_alt_names; at != NULL; at = at->next) {
        if (at->buf.tag == SAN_IP && at->buf.len == len && memcmp(at->buf.p, ip->bytes, len) == 0)
            return true;
    }
    return false;
}

static int on_certificate(void *user, mbedtls_x509_crt *crt, int depth, uint32_t *flags)
{
    const struct tls_client_side *side = user;

    if (depth == 0 && !side->is_host && !certifies(crt, &side->ip)) /* no name: nothing does */
        *flags |= MBEDTLS_X509_BADCERT_CN_MISMATCH;
    return 0;
}

struct tls_session *tls_client_session(struct tls_client *client, struct tls_resume *resume, int fd)
{
    struct tls_client_side *side = mem_new(struct tls_client_side);
    char name[TLS_NAME_MAX + 1];

    side->client = tls_client_ref(client);
    side->resume = tls_resume_ref(resume);
    learn_name(side, name);
    struct tls_session *s = tls_session_make(&client->conf, side, fd);
    mbedtls_ssl_context *ssl = tls_session_ssl(s);
    if (mbedtls_ssl_set_hostname(ssl, side->is_host ? name : NULL) != 0)
        mem_check(NULL);
    mbedtls_ssl_set_verify(ssl, on_certificate, side);
    offer(side, ssl);
    return s;
}

void tls_client_side_free(struct tls_client_side **side)
{
    struct tls_client_side *s = *side;

    *side = NULL;
    if (s == NULL)
        return;
    tls_client_unref(&s->client);
    tls_resume_unref(&s->resume);
    free(s);
}

/* --- why it failed ------------------------------------------------------------------- */

/* What was wrong first comes first: an expired certificate of an unknown authority
 * is above all unknown. */
static const struct {
    uint32_t flags;
    enum tls_objection objection;
    const char *why;
} objections[] = {
    { MBEDTLS_X509_BADCERT_MISSING, TLS_NO_CERTIFICATE, "the target has no certificate" },
    { MBEDTLS_X509_BADCERT_NOT_TRUSTED, TLS_UNKNOWN_AUTHORITY,
      "the target's certificate is not signed by an authority of tls.ca_file" },
    { MBEDTLS_X509_BADCERT_EXPIRED, TLS_EXPIRED, "the target's certificate has expired" },
    { MBEDTLS_X509_BADCERT_FUTURE, TLS_NOT_VALID_YET, "the target's certificate is not valid yet" },
    { MBEDTLS_X509_BADCERT_CN_MISMATCH, TLS_OTHER_NAME,
      "the target's certificate is for another name" },
    { MBEDTLS_X509_BADCERT_BAD_MD | MBEDTLS_X509_BADCERT_BAD_PK | MBEDTLS_X509_BADCERT_BAD_KEY,
      TLS_TOO_WEAK, "the target's certificate is too weak" },
    { MBEDTLS_X509_BADCERT_KEY_USAGE | MBEDTLS_X509_BADCERT_EXT_KEY_USAGE |
          MBEDTLS_X509_BADCERT_NS_CERT_TYPE,
      TLS_NOT_FOR_SERVERS, "the target's certificate is not for servers" },
    { UINT32_MAX, TLS_DOES_NOT_HOLD, "the target's certificate does not hold" },
};

/* Positive codes are errnos. */
static const struct {
    int code;
    const char *why;
} reasons[] = {
    { ECONNRESET, "the target reset the connection within the TLS handshake" },
    { EPIPE, "the target reset the connection within the TLS handshake" },
    { MBEDTLS_ERR_SSL_CONN_EOF, "the target closed within the TLS handshake" },
    { MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY, "the target closed within the TLS handshake" },
    { MBEDTLS_ERR_SSL_INVALID_RECORD, "what the target sent is not TLS" },
    { MBEDTLS_ERR_SSL_UNEXPECTED_MESSAGE, "what the target sent is not a TLS handshake" },
    { MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE,
      "the target refused the TLS handshake with an alert: it may want another version, name or "
      "certificate" },
};

/* The row of `objections`; -1: it is not the certificate. */
static int find_objection(const struct tls_session *session)
{
    const mbedtls_ssl_context *ssl = tls_session_ssl((struct tls_session *)(uintptr_t)session);

    if (tls_session_code(session) != MBEDTLS_ERR_X509_CERT_VERIFY_FAILED)
        return -1;
    const uint32_t flags = mbedtls_ssl_get_verify_result(ssl);
    for (size_t i = 0; i < sizeof(objections) / sizeof(objections[0]); i++) {
        if (objections[i].flags & flags)
            return (int)i;
    }
    return -1;
}

enum tls_objection tls_client_objection(const struct tls_session *session)
{
    const int row = find_objection(session);

    return row == -1 ? TLS_NO_OBJECTION : objections[row].objection;
}

const char *tls_client_why(const struct tls_session *session)
{
    const int code = tls_session_code(session);
    const int row = find_objection(session);

    if (row != -1)
        return objections[row].why;
    if (code == TLS_ERR_OLD_VERSION)
        return "the target speaks no TLS version from 1.2 on";
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (reasons[i].code == code)
            return reasons[i].why;
    }
    const char *text = code < 0 ? mbedtls_high_level_strerr(code) : strerror(code);
    return text != NULL ? text : "the TLS handshake with the target failed";
}

bool tls_client_was_cut(const struct tls_session *session)
{
    const int code = tls_session_code(session);

    return code > 0 || code == MBEDTLS_ERR_SSL_CONN_EOF; /* an errno, or the end */
}
