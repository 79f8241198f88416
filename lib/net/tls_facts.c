/*
 * tls_facts.c -- what is known of a TLS connection: the names and certificates of its
 * handshake, and how it ended.
 */
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

#include "net/tls_certs.h"
#include "net/tls_peer_cert.h"
#include "net/tls_session.h"
#include "net/tls_trust.h"

/* --- the server's certificate -------------------------------------------------- */

static bool has_valid(const struct tls_fitting *f)
{
    bool has = false;

    for (size_t i = 0; i < f->count; i++)
        has |= tls_cert_is_valid(f->certs[i]);
    return has;
}

/* All that fit: mbedTLS takes the first whose key the client can use. Those that have
 * expired only when there is no other. None: it shows the default. */
static int offer(struct tls_session *s, const struct tls_fitting *f)
{
    const bool only_valid = has_valid(f);
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < f->count; i++) {
        struct tls_cert *cert = f->certs[i];
        const struct tls_cert **first = &s->offered[tls_cert_is_ec(cert)];
        if (only_valid && !tls_cert_is_valid(cert))
            continue;
        if (*first == NULL)
            *first = cert;
        rc = mbedtls_ssl_set_hs_own_cert(&s->ssl, &cert->chain, &cert->key);
    }
    return rc;
}

/* The host name is kept for logs as well. */
int tls_session_on_sni(void *user, mbedtls_ssl_context *ssl, const unsigned char *name, size_t len)
{
    struct tls_session *s = (void *)((char *)ssl - offsetof(struct tls_session, ssl));
    (void)user;

    mem_free(s->sni);
    s->sni = mem_copy(name, len);
    for (char *c = s->sni; c < s->sni + len; c++) {
        if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') ||
              *c == '-' || *c == '.' || *c == '_'))
            *c = '?';
    }
    const struct tls_fitting fitting = tls_certs_find(tls_server_certs(s->server), name, len);
    s->offered[0] = s->offered[1] = NULL;
    return offer(s, &fitting);
}

/* --- the client's certificate -------------------------------------------------- */

static time_t seconds_of(const mbedtls_x509_time *t)
{
    struct tm tm = { .tm_year = t->year - 1900,
                     .tm_mon = t->mon - 1,
                     .tm_mday = t->day,
                     .tm_hour = t->hour,
                     .tm_min = t->min,
                     .tm_sec = t->sec };

    return timegm(&tm);
}

/* The chain comes from its top down to the client's own. */
static void learn_dates(struct tls_session *s, const mbedtls_x509_crt *certificate)
{
    const time_t from_s = seconds_of(&certificate->valid_from),
                 until_s = seconds_of(&certificate->valid_to);
    const bool is_first = s->peer_until_s == 0;

    if (is_first || from_s > s->peer_from_s)
        s->peer_from_s = from_s;
    if (is_first || until_s < s->peer_until_s)
        s->peer_until_s = until_s;
}

/* What cannot be told whole cannot be relied on. */
int tls_session_on_certificate(void *user, mbedtls_x509_crt *certificate, int depth,
                               uint32_t *flags)
{
    struct tls_session *s = user;
    const struct tls_trust *trust = tls_server_trust(s->server);
    const bool passes_through = tls_trust_passes_through(trust);

    learn_dates(s, certificate);
    if (depth > 0)
        return 0;
    tls_peer_cert_free(&s->peer_cert);
    s->peer_cert = tls_peer_cert_new(certificate, passes_through);
    *flags = tls_trust_judge(trust, certificate, *flags);
    if (!passes_through && !tls_peer_cert_is_whole(s->peer_cert))
        *flags |= MBEDTLS_X509_BADCERT_OTHER;
    return 0;
}

const struct tls_peer_cert *tls_session_peer_cert(const struct tls_session *session)
{
    return session->peer_cert;
}

const char *tls_session_peer_date_objection(const struct tls_session *session)
{
    const time_t now_s = (time_t)(clock_wall_ms() / 1000);

    if (session == NULL || session->peer_cert == NULL)
        return "Failed:ClientCertUntrusted";
    if (now_s > session->peer_until_s)
        return "Failed:ClientCertExpired";
    return now_s < session->peer_from_s ? "Failed:ClientCertNotYetValid" : NULL;
}

const char *tls_session_peer_objection(const struct tls_session *session,
                                       const struct tls_server *by)
{
    const mbedtls_x509_crt *shown =
        session == NULL ? NULL : mbedtls_ssl_get_peer_cert(&session->ssl);

    return tls_trust_objection(by == NULL ? NULL : tls_server_trust(by), shown);
}

const char *tls_session_verify_status(const struct tls_session *session)
{
    if (tls_ssl_state(&session->ssl) == MBEDTLS_SSL_HANDSHAKE_OVER)
        return "Success";
    return tls_trust_failure(session->code, mbedtls_ssl_get_verify_result(&session->ssl),
                             session->failed_at_certificate);
}

/* --- the rest -------------------------------------------------------------------- */

const char *tls_session_error(const struct tls_session *session)
{
    struct tls_session *s = (struct tls_session *)session;
    return tls_code_text(s->code, s->error_text);
}

const char *tls_session_version(const struct tls_session *session)
{
    return mbedtls_ssl_get_version(&session->ssl);
}

const char *tls_session_cipher(const struct tls_session *session)
{
    return tls_suite_name(mbedtls_ssl_get_ciphersuite(&session->ssl));
}

const char *tls_session_group(const struct tls_session *session)
{
    return session->group == NULL ? "" : session->group;
}

const char *tls_session_sni(const struct tls_session *session)
{
    return session->sni == NULL ? "" : session->sni;
}

const char *tls_session_certificate(const struct tls_session *session)
{
    const struct tls_cert *rsa = session->offered[0], *ec = session->offered[1];

    if (!session->was_full || session->server == NULL)
        return "";
    if (rsa == NULL && ec == NULL)
        return tls_certs_default(tls_server_certs(session->server))->file;
    if (rsa != NULL && (ec == NULL || strstr(tls_session_cipher(session), "-RSA-") != NULL))
        return rsa->file;
    return ec->file;
}

bool tls_session_resumed(const struct tls_session *session)
{
    return tls_ssl_state(&session->ssl) == MBEDTLS_SSL_HANDSHAKE_OVER && !session->was_full;
}

int tls_session_code(const struct tls_session *session)
{
    return session->code;
}

bool tls_session_is_truncated(const struct tls_session *session)
{
    return session->has_fin && !session->has_close_notify;
}
