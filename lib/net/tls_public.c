/* tls_public.c -- see tls_public.h. */
#include "net/tls_public.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <mbedtls/platform_util.h>
#include <mbedtls/x509_crt.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"

#include "net/tls_name.h"
#include "net/tls_private.h"

enum { FILE_MAX = 4 * 1024 * 1024, DAY_S = 24 * 60 * 60 };

struct tls_public {
    mbedtls_x509_crt authorities;
};

/* Bundles hold certificates that mbedTLS does not know how to read; those that it reads do. */
static bool read_pem(mbedtls_x509_crt *to, const char *file, char *why, size_t why_size)
{
    char text[64];
    size_t len;
    char *pem = text_read_file(file, FILE_MAX, &len, why, why_size);

    if (pem == NULL)
        return false;
    const int rc = mbedtls_x509_crt_parse(to, (const unsigned char *)pem, len + 1);
    mbedtls_platform_zeroize(pem, len); /* there may be a key in it */
    free(pem);
    if (rc < 0 || to->raw.len == 0)
        snprintf(why, why_size, "%s: no PEM certificate in it (%s)", file, tls_code_text(rc, text));
    return rc >= 0 && to->raw.len > 0;
}

struct tls_public *tls_public_new(const char *ca_file, char *why, size_t why_size)
{
    struct tls_public *p = mem_new(struct tls_public);

    mbedtls_x509_crt_init(&p->authorities);
    if (!tls_start_crypto() || !read_pem(&p->authorities, ca_file, why, why_size))
        tls_public_free(&p);
    return p;
}

void tls_public_free(struct tls_public **p)
{
    if (*p != NULL)
        mbedtls_x509_crt_free(&(*p)->authorities);
    mem_free(*p);
}

/* --- dates -------------------------------------------------------------------------------- */

static void look_at_dates(const mbedtls_x509_crt *leaf, struct tls_public_view *view)
{
    const time_t now = time(NULL);
    const time_t from = tls_seconds_of(&leaf->valid_from), to = tls_seconds_of(&leaf->valid_to);

    view->days_left = (long)((to - now) / DAY_S);
    if (to <= now)
        view->faults |= TLS_PUBLIC_EXPIRED;
    else if (from > now)
        view->faults |= TLS_PUBLIC_NOT_YET;
    else if (view->days_left <= TLS_PUBLIC_SOON_DAYS)
        view->faults |= TLS_PUBLIC_ENDS_SOON;
}

/* --- the chain ------------------------------------------------------------------------------ */

static bool is_same_name(const mbedtls_x509_buf *a, const mbedtls_x509_buf *b)
{
    return a->len == b->len && memcmp(a->p, b->p, a->len) == 0;
}

static bool is_its_own(const mbedtls_x509_crt *crt)
{
    return is_same_name(&crt->subject_raw, &crt->issuer_raw);
}

/* Its issuer's certificate, if that is in the file. */
static const mbedtls_x509_crt *issuer_in(const mbedtls_x509_crt *chain, const mbedtls_x509_crt *of)
{
    for (const mbedtls_x509_crt *c = chain; c != NULL; c = c->next) {
        if (c != of && is_same_name(&c->subject_raw, &of->issuer_raw))
            return c;
    }
    return NULL;
}

/* Where it ends, going up from the leaf. */
static const mbedtls_x509_crt *top_of(const mbedtls_x509_crt *chain)
{
    const mbedtls_x509_crt *top = chain;

    for (int i = 0; i < MBEDTLS_X509_MAX_INTERMEDIATE_CA && !is_its_own(top); i++) {
        const mbedtls_x509_crt *above = issuer_in(chain, top);
        if (above == NULL)
            break;
        top = above;
    }
    return top;
}

static void name_issuer(const mbedtls_x509_crt *crt, struct tls_public_view *view)
{
    struct buf text;

    buf_init(&text, sizeof(view->issuer) - 1);
    tls_name_put(&text, &crt->issuer);
    snprintf(view->issuer, sizeof(view->issuer), "%.*s", SPAN_ARGS(buf_data(&text)));
    buf_done(&text);
}

/* Nobody whom we trust stands above it: why? */
static void blame_chain(const mbedtls_x509_crt *chain, struct tls_public_view *view)
{
    const mbedtls_x509_crt *top = top_of(chain);

    name_issuer(top, view);
    if (is_its_own(chain))
        view->faults |= TLS_PUBLIC_SELF_SIGNED;
    else
        view->faults |= is_its_own(top) ? TLS_PUBLIC_PRIVATE : TLS_PUBLIC_INCOMPLETE;
}

static void look_at_keys(const mbedtls_x509_crt *chain, struct tls_public_view *view)
{
    for (const mbedtls_x509_crt *c = chain; c != NULL; c = c->next) {
        const size_t bits = mbedtls_pk_get_bitlen(&c->pk);
        if (!mbedtls_pk_can_do(&c->pk, MBEDTLS_PK_RSA) || bits >= TLS_PUBLIC_RSA_LEAST)
            continue;
        view->faults |= TLS_PUBLIC_SMALL_KEY;
        view->key_bits = (unsigned)bits;
    }
}

static void look_at_trust(const struct tls_public *p, mbedtls_x509_crt *chain, const char *name,
                          struct tls_public_view *view)
{
    mbedtls_x509_crt *authorities = (mbedtls_x509_crt *)(uintptr_t)&p->authorities; /* only read */
    uint32_t flags = 0;

    mbedtls_x509_crt_verify(chain, authorities, NULL, name, &flags, NULL, NULL);
    if (flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED)
        blame_chain(chain, view);
    if (flags & MBEDTLS_X509_BADCERT_BAD_MD)
        view->faults |= TLS_PUBLIC_WEAK;
    if (flags & MBEDTLS_X509_BADCERT_CN_MISMATCH)
        view->faults |= TLS_PUBLIC_OTHER_NAME;
}

bool tls_public_look(const struct tls_public *p, const char *file, const char *name,
                     struct tls_public_view *view, char *why, size_t why_size)
{
    mbedtls_x509_crt chain;

    *view = (struct tls_public_view){ .faults = 0 };
    mbedtls_x509_crt_init(&chain);
    const bool ok = read_pem(&chain, file, why, why_size);
    if (ok) {
        look_at_dates(&chain, view);
        look_at_keys(&chain, view);
        look_at_trust(p, &chain, name, view);
    }
    mbedtls_x509_crt_free(&chain);
    return ok;
}
