/* tls_peer_cert.c -- see tls_peer_cert.h. */
#include "net/tls_peer_cert.h"

#include <stdio.h>

#include <mbedtls/x509_crt.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"

#include "net/tls_name.h"

enum { NAME_BYTES = 4096, SERIAL_BYTES = 64, PEM_LINE = 64, URL_BYTES = TLS_CERT_HEAD_MAX };

/* What the buffer holds, as a C string; NULL when it did not fit. Empties the buffer. */
static char *take(struct buf *b, bool ok)
{
    const struct span held = buf_data(b);
    char *text = ok ? mem_copy(held.ptr, held.len) : NULL;

    buf_done(b);
    return text;
}

static char *name_text(const mbedtls_x509_name *name)
{
    struct buf b;

    buf_init(&b, NAME_BYTES);
    return take(&b, tls_name_put(&b, name));
}

/* Upper case, without the zero that only says that the number is positive. */
static char *serial_text(const mbedtls_x509_buf *serial)
{
    struct span bytes = span_of(serial->p, serial->len);
    char *text;

    while (bytes.len > 1 && bytes.ptr[0] == '\0')
        bytes = span_after(bytes, 1);
    if (bytes.len > SERIAL_BYTES)
        return NULL;
    text = mem_zero(2 * bytes.len + 1);
    for (size_t i = 0; i < bytes.len; i++)
        snprintf(text + 2 * i, 3, "%02X", (unsigned char)bytes.ptr[i]);
    return text;
}

static char *validity_text(const mbedtls_x509_crt *crt)
{
    const mbedtls_x509_time *a = &crt->valid_from, *z = &crt->valid_to;
    char text[160];

    snprintf(text, sizeof(text),
             "NotBefore=%04d-%02d-%02dT%02d:%02d:%02dZ;NotAfter=%04d-%02d-%02dT%02d:%02d:%02dZ",
             a->year, a->mon, a->day, a->hour, a->min, a->sec, z->year, z->mon, z->day, z->hour,
             z->min, z->sec);
    return mem_text(text);
}

/* Base64 has no character that the managed balancer escapes: '+', '=' and '/' stay. */
static bool put_pem(struct buf *to, const mbedtls_x509_buf *der)
{
    char *base64 = mem_zero(TEXT_BASE64_SIZE(der->len));
    struct span rest = span_of(base64, text_base64(der->p, der->len, base64));
    bool ok = buf_put(to, SPAN("-----BEGIN%20CERTIFICATE-----%0A"));

    for (; ok && rest.len > 0; rest = span_after(rest, PEM_LINE))
        ok = buf_put(to, span_of(rest.ptr, rest.len < PEM_LINE ? rest.len : PEM_LINE)) &&
             buf_put(to, SPAN("%0A"));
    free(base64);
    return ok && buf_put(to, SPAN("-----END%20CERTIFICATE-----%0A"));
}

static char *pem_text(const mbedtls_x509_crt *crt, bool with_chain)
{
    struct buf b;
    bool ok = true;

    buf_init(&b, URL_BYTES);
    do {
        ok = put_pem(&b, &crt->raw);
        crt = crt->next;
    } while (ok && with_chain && crt != NULL);
    return take(&b, ok);
}

struct tls_peer_cert *tls_peer_cert_new(const struct mbedtls_x509_crt *shown, bool with_chain)
{
    struct tls_peer_cert *c = mem_new(struct tls_peer_cert);

    c->text[with_chain ? TLS_CERT_CHAIN : TLS_CERT_LEAF] = pem_text(shown, with_chain);
    c->text[TLS_CERT_SERIAL_NUMBER] = serial_text(&shown->serial);
    c->text[TLS_CERT_ISSUER] = name_text(&shown->issuer);
    c->text[TLS_CERT_SUBJECT] = name_text(&shown->subject);
    c->text[TLS_CERT_VALIDITY] = validity_text(shown);
    tls_name_common(&shown->subject, c->common_name, sizeof(c->common_name));
    return c;
}

void tls_peer_cert_free(struct tls_peer_cert **cert)
{
    struct tls_peer_cert *c = *cert;

    *cert = NULL;
    for (int i = 0; c != NULL && i < TLS_CERT_TEXTS; i++)
        free(c->text[i]);
    free(c);
}

bool tls_peer_cert_is_whole(const struct tls_peer_cert *cert)
{
    int missing = 0;

    for (int i = 0; i < TLS_CERT_TEXTS; i++)
        missing += cert->text[i] == NULL;
    return missing == 1; /* the chain or the leaf, whichever is not asked for */
}
