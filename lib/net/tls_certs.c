/* tls_certs.c -- see tls_certs.h. */
#include "net/tls_certs.h"

#include <stdio.h>
#include <string.h>

#include <mbedtls/asn1.h>
#include <mbedtls/oid.h>
#include <mbedtls/platform_util.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"

#include "net/tls_private.h"

enum {
    PEM_MAX = 1024 * 1024,
    NAME_MAX_BYTES = 255, /* RFC 1035 2.3.4 */
    SAN_DNS = MBEDTLS_ASN1_CONTEXT_SPECIFIC | MBEDTLS_X509_SAN_DNS_NAME,
};

/* The certificates of one name, in lower case; a wildcard begins with "*.". */
struct named {
    char *name; /* owned */
    struct tls_fitting fitting;
    UT_hash_handle hh;
};

struct tls_certs {
    struct tls_cert *certs; /* the default comes first */
    size_t count;
    struct named *by_name; /* uthash */
};

/* --- files ---------------------------------------------------------------------- */

static bool read_chain(struct tls_cert *c, char *why, size_t why_size)
{
    char text[64];
    size_t len;
    char *pem = text_read_file(c->file, PEM_MAX, &len, why, why_size);
    if (pem == NULL)
        return false;

    /* The parser counts the NUL. */
    int rc = mbedtls_x509_crt_parse(&c->chain, (const unsigned char *)pem, len + 1);
    mbedtls_platform_zeroize(pem, len); /* the key may be in the same file */
    free(pem);
    if (rc > 0)
        snprintf(why, why_size, "%s: %d of its certificates cannot be read", c->file, rc);
    else if (rc < 0)
        snprintf(why, why_size, "%s: no PEM certificate in it (%s)", c->file,
                 tls_code_text(rc, text));
    if (rc != 0)
        return false;

    if (mbedtls_x509_time_is_past(&c->chain.valid_to))
        log_warn("certificate expired file=%s", c->file);
    else if (mbedtls_x509_time_is_future(&c->chain.valid_from))
        log_warn("certificate not valid yet file=%s", c->file);
    return true;
}

static bool read_key(struct tls_cert *c, const char *file, char *why, size_t why_size)
{
    char text[64];
    size_t len;
    char *pem = text_read_file(file, PEM_MAX, &len, why, why_size);
    if (pem == NULL)
        return false;

    int rc = tls_parse_key(&c->key, pem, len + 1);
    mbedtls_platform_zeroize(pem, len);
    free(pem);
    if (rc == MBEDTLS_ERR_PK_PASSWORD_REQUIRED)
        snprintf(why, why_size, "%s: the private key has a password: store it without", file);
    else if (rc != 0)
        snprintf(why, why_size, "%s: no PEM private key in it (%s)", file, tls_code_text(rc, text));
    return rc == 0;
}

static bool read_cert(struct tls_cert *c, const struct tls_cert_files *files, char *why,
                      size_t why_size)
{
    const char *key = files->key;

    if (key == NULL || key[0] == '\0')
        key = files->certificate;
    if (!read_chain(c, why, why_size) || !read_key(c, key, why, why_size))
        return false;
    if (!tls_is_pair(&c->chain.pk, &c->key)) {
        snprintf(why, why_size, "%s: the private key is not that of the first certificate in %s",
                 key, c->file);
        return false;
    }
    return true;
}

/* --- names ----------------------------------------------------------------------- */

bool tls_cert_is_valid(const struct tls_cert *cert)
{
    return !mbedtls_x509_time_is_past(&cert->chain.valid_to) &&
           !mbedtls_x509_time_is_future(&cert->chain.valid_from);
}

bool tls_cert_is_ec(const struct tls_cert *cert)
{
    return mbedtls_pk_can_do(&cert->key, MBEDTLS_PK_ECDSA);
}

/* Behind the last one of its kind: ECDSA comes first, which most clients can and which
 * is cheaper. */
static void append(struct tls_fitting *to, struct tls_cert *cert)
{
    size_t at = to->count;

    for (size_t i = 0; i < to->count; i++) {
        if (to->certs[i] == cert) /* it has the name twice */
            return;
    }
    to->certs = mem_resize(to->certs, (to->count + 1) * sizeof(struct tls_cert *));
    for (; tls_cert_is_ec(cert) && at > 0 && !tls_cert_is_ec(to->certs[at - 1]); at--)
        to->certs[at] = to->certs[at - 1];
    to->certs[at] = cert;
    to->count++;
}

static void lower(char *into, const void *from, size_t len)
{
    memcpy(into, from, len);
    for (size_t i = 0; i < len; i++) {
        if (into[i] >= 'A' && into[i] <= 'Z')
            into[i] = (char)(into[i] | 0x20);
    }
}

static void add_name(struct tls_certs *s, const void *bytes, size_t len, struct tls_cert *cert)
{
    struct named *n;

    if (len == 0 || len > NAME_MAX_BYTES)
        return; /* no host has such a name */
    char *name = mem_copy(bytes, len);
    lower(name, bytes, len);
    HASH_FIND(hh, s->by_name, name, len, n);
    if (n == NULL) {
        n = mem_new(struct named);
        n->name = name;
        HASH_ADD_KEYPTR(hh, s->by_name, n->name, len, n);
    } else {
        free(name);
    }
    append(&n->fitting, cert);
}

static void add_names(struct tls_certs *s, struct tls_cert *cert)
{
    bool has_dns_name = false;

    for (const mbedtls_x509_sequence *at = &cert->chain.subject_alt_names; at != NULL;
         at = at->next) {
        if (at->buf.tag != SAN_DNS)
            continue;
        has_dns_name = true;
        add_name(s, at->buf.p, at->buf.len, cert);
    }
    for (const mbedtls_x509_name *at = &cert->chain.subject; !has_dns_name && at != NULL;
         at = at->next) {
        if (MBEDTLS_OID_CMP(MBEDTLS_OID_AT_CN, &at->oid) == 0)
            add_name(s, at->val.p, at->val.len, cert);
    }
}

static struct tls_fitting find(const struct tls_certs *s, const char *name, size_t len)
{
    const struct named *n;

    HASH_FIND(hh, s->by_name, name, len, n);
    return n == NULL ? (struct tls_fitting){ NULL, 0 } : n->fitting;
}

struct tls_fitting tls_certs_find(const struct tls_certs *certs, const void *host, size_t len)
{
    char name[NAME_MAX_BYTES];

    if (len == 0 || len > sizeof(name))
        return (struct tls_fitting){ NULL, 0 };
    lower(name, host, len);
    const struct tls_fitting exact = find(certs, name, len);
    const char *dot = memchr(name, '.', len);
    if (exact.count > 0 || dot == NULL || dot == name)
        return exact;
    char *const wildcard = name + (dot - name) - 1; /* over the first label's end */
    *wildcard = '*';
    return find(certs, wildcard, len - (size_t)(wildcard - name));
}

/* --- the set ---------------------------------------------------------------------- */

static void init_cert(struct tls_cert *c, const char *file)
{
    c->file = mem_text(file);
    mbedtls_x509_crt_init(&c->chain);
    mbedtls_pk_init(&c->key);
}

struct tls_certs *tls_certs_new(const struct tls_server_options *options, char *why,
                                size_t why_size)
{
    struct tls_certs *s = mem_new(struct tls_certs);
    bool ok = true;

    s->certs = mem_array(struct tls_cert, options->cert_count);
    for (size_t i = 0; ok && i < options->cert_count; i++) {
        init_cert(&s->certs[i], options->certs[i].certificate);
        s->count++;
        ok = read_cert(&s->certs[i], &options->certs[i], why, why_size);
        if (ok)
            add_names(s, &s->certs[i]);
    }
    if (!ok)
        tls_certs_free(&s);
    return s;
}

void tls_certs_free(struct tls_certs **certs)
{
    struct tls_certs *s = *certs;
    struct named *n, *after;

    *certs = NULL;
    if (s == NULL)
        return;
    HASH_ITER (hh, s->by_name, n, after) {
        HASH_DEL(s->by_name, n);
        free(n->fitting.certs);
        free(n->name);
        free(n);
    }
    for (size_t i = 0; i < s->count; i++) {
        mbedtls_pk_free(&s->certs[i].key);
        mbedtls_x509_crt_free(&s->certs[i].chain);
        free(s->certs[i].file);
    }
    free(s->certs);
    free(s);
}

struct tls_cert *tls_certs_default(const struct tls_certs *certs)
{
    return &certs->certs[0];
}

size_t tls_certs_count(const struct tls_certs *certs)
{
    return certs->count;
}

const struct tls_cert *tls_certs_at(const struct tls_certs *certs, size_t i)
{
    return &certs->certs[i];
}

bool tls_certs_are_same(const struct tls_certs *a, const struct tls_certs *b)
{
    bool same = a->count == b->count;

    for (size_t i = 0; same && i < a->count; i++)
        same = strcmp(a->certs[i].file, b->certs[i].file) == 0 &&
               tls_chain_is_same(&a->certs[i].chain, &b->certs[i].chain);
    return same;
}

static const struct tls_cert *find_file(const struct tls_certs *certs, const char *file)
{
    for (size_t i = 0; i < certs->count; i++) {
        if (strcmp(certs->certs[i].file, file) == 0)
            return &certs->certs[i];
    }
    return NULL;
}

const char *tls_certs_next_change(const struct tls_certs *before, const struct tls_certs *after,
                                  size_t *at)
{
    while (*at < after->count) {
        const struct tls_cert *c = &after->certs[(*at)++], *old = find_file(before, c->file);
        if (old != NULL && !tls_chain_is_same(&old->chain, &c->chain))
            return c->file;
    }
    return NULL;
}
