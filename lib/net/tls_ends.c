/* tls_ends.c -- see tls_ends.h. */
#include "net/tls_ends.h"

#include <mbedtls/oid.h>

#include "net/tls_certs.h"
#include "net/tls_private.h"
#include "net/tls_trust.h"

enum { SAN_DNS = MBEDTLS_ASN1_CONTEXT_SPECIFIC | MBEDTLS_X509_SAN_DNS_NAME };

time_t tls_seconds_of(const mbedtls_x509_time *t)
{
    struct tm tm = { .tm_year = t->year - 1900,
                     .tm_mon = t->mon - 1,
                     .tm_mday = t->day,
                     .tm_hour = t->hour,
                     .tm_min = t->min,
                     .tm_sec = t->sec };

    return timegm(&tm);
}

static uint64_t first_end(const mbedtls_x509_crt *chain)
{
    time_t first = tls_seconds_of(&chain->valid_to);

    for (const mbedtls_x509_crt *c = chain->next; c != NULL; c = c->next) {
        const time_t end = tls_seconds_of(&c->valid_to);
        first = end < first ? end : first;
    }
    return first < 0 ? 0 : (uint64_t)first;
}

/* --- names -------------------------------------------------------------------------------- */

static const mbedtls_x509_buf *dns_name(const mbedtls_x509_crt *crt)
{
    for (const mbedtls_x509_sequence *at = &crt->subject_alt_names; at != NULL; at = at->next) {
        if (at->buf.tag == SAN_DNS)
            return &at->buf;
    }
    return NULL;
}

static const mbedtls_x509_buf *common_name(const mbedtls_x509_crt *crt)
{
    for (const mbedtls_x509_name *at = &crt->subject; at != NULL; at = at->next) {
        if (MBEDTLS_OID_CMP(MBEDTLS_OID_AT_CN, &at->oid) == 0)
            return &at->val;
    }
    return NULL;
}

static void write_name(const mbedtls_x509_crt *crt, char out[TLS_END_NAME_MAX])
{
    const mbedtls_x509_buf *name = dns_name(crt);
    size_t len = 0;

    if (name == NULL)
        name = common_name(crt);
    for (; name != NULL && len < name->len && len < TLS_END_NAME_MAX - 1; len++)
        out[len] = (char)(name->p[len] >= ' ' && name->p[len] <= '~' ? name->p[len] : '?');
    out[len] = '\0';
}

/* --- of a server, of a client ------------------------------------------------------------- */

bool tls_server_next_end(const struct tls_server *server, size_t *at, struct tls_end *end)
{
    const struct tls_certs *certs = tls_server_certs(server);

    if (*at >= tls_certs_count(certs))
        return false;
    const struct tls_cert *cert = tls_certs_at(certs, (*at)++);
    end->file = cert->file;
    end->ends_s = first_end(&cert->chain);
    write_name(&cert->chain, end->name);
    return true;
}

static bool store_ends(const mbedtls_x509_crt *store, uint64_t *ends_s)
{
    if (store == NULL || store->raw.p == NULL)
        return false;
    *ends_s = first_end(store);
    return true;
}

bool tls_server_trust_ends(const struct tls_server *server, uint64_t *ends_s)
{
    const struct tls_trust *trust = tls_server_trust(server);

    return trust != NULL && store_ends(tls_trust_store(trust), ends_s);
}

bool tls_client_trust_ends(const struct tls_client *client, uint64_t *ends_s)
{
    return store_ends(tls_client_authorities(client), ends_s);
}
