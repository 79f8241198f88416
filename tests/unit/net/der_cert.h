/*
 * der_cert.h -- certificates of any shape, written byte by byte: names, serial numbers and
 * sizes that no library would write. Nobody signed them; mbedTLS reads them all the same.
 */
#ifndef TEST_DER_CERT_H
#define TEST_DER_CERT_H

#include <mbedtls/asn1.h>
#include <mbedtls/oid.h>
#include <mbedtls/x509_crt.h>

#include "base/buf.h"

enum { DER_MAX = 1 << 20, DER_SEQUENCE = 0x30, DER_SET = 0x31 };

static inline void der_must(bool holds)
{
    if (!holds)
        abort();
}

/* At most 65535 bytes of content. */
static inline void der_put(struct buf *to, int tag, struct span content)
{
    const size_t n = content.len;
    unsigned char head[4] = { (unsigned char)tag };
    size_t len = 1;

    der_must(n <= 0xffff);
    if (n >= 0x80)
        head[len++] = n >= 0x100 ? 0x82 : 0x81;
    if (n >= 0x100)
        head[len++] = (unsigned char)(n >> 8);
    head[len++] = (unsigned char)n;
    der_must(buf_put(to, span_of(head, len)) && buf_put(to, content));
}

/* All that was written so far becomes the content of one element. */
static inline void der_wrap(struct buf *b, int tag)
{
    struct buf whole;

    buf_init(&whole, DER_MAX);
    der_put(&whole, tag, buf_data(b));
    buf_done(b);
    *b = whole;
}

/* What is in `part` goes behind what is in `to`, as one element. */
static inline void der_move(struct buf *to, struct buf *part, int tag)
{
    der_put(to, tag, buf_data(part));
    buf_done(part);
}

/* AttributeTypeAndValue; names are made of sets of them (RFC 5280 4.1.2.4). */
static inline void der_put_attribute(struct buf *to, struct span oid, int tag, struct span value)
{
    struct buf pair;

    buf_init(&pair, DER_MAX);
    der_put(&pair, MBEDTLS_ASN1_OID, oid);
    der_put(&pair, tag, value);
    der_move(to, &pair, DER_SEQUENCE);
}

/* A relative name of one attribute: a common name in UTF-8. */
static inline void der_put_common_name(struct buf *to, struct span value)
{
    struct buf set;

    buf_init(&set, DER_MAX);
    der_put_attribute(&set, SPAN(MBEDTLS_OID_AT_CN), MBEDTLS_ASN1_UTF8_STRING, value);
    der_move(to, &set, DER_SET);
}

struct der_cert {
    struct span serial, issuer, subject; /* what is in INTEGER; in Name, which may be empty */
    size_t filler;                       /* bytes in an extension that nobody knows; 0: none */
};

#define DER_ALGORITHM "\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02" /* ecdsa-with-SHA256 */

/* P-256, and its base point: the public key of the private key 1. */
#define DER_KEY                                                                                    \
    "\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07" \
    "\x03\x42\x00\x04\x6b\x17\xd1\xf2\xe1\x2c\x42\x47\xf8\xbc\xe6\xe5\x63\xa4\x40\xf2\x77\x03\x7d" \
    "\x81\x2d\xeb\x33\xa0\xf4\xa1\x39\x45\xd8\x98\xc2\x96\x4f\xe3\x42\xe2\xfe\x1a\x7f\x9b\x8e\xe7" \
    "\xeb\x4a\x7c\x0f\x9e\x16\x2b\xce\x33\x57\x6b\x31\x5e\xce\xcb\xb6\x40\x68\x37\xbf\x51\xf5"

#define DER_VALIDITY                                                                               \
    "\x30\x1e\x17\x0d"                                                                             \
    "260131000000Z"                                                                                \
    "\x17\x0d"                                                                                     \
    "270131235958Z"

static inline void der_put_filler(struct buf *to, size_t len)
{
    struct buf b;
    char *zeros = calloc(1, len);

    der_must(zeros != NULL);
    buf_init(&b, DER_MAX);
    der_put(&b, MBEDTLS_ASN1_OID, SPAN("\x2a\x03\x04"));
    der_put(&b, MBEDTLS_ASN1_OCTET_STRING, span_of(zeros, len));
    free(zeros);
    der_wrap(&b, DER_SEQUENCE);
    der_wrap(&b, DER_SEQUENCE);
    der_move(to, &b, 0xa3);
}

/* X.509 version 3, valid from 2026-01-31 to 2027-01-31 23:59:58. */
static inline void der_put_cert(struct buf *to, const struct der_cert *c)
{
    struct buf b;

    buf_init(&b, DER_MAX);
    der_must(buf_put(&b, SPAN("\xa0\x03\x02\x01\x02")));
    der_put(&b, MBEDTLS_ASN1_INTEGER, c->serial);
    der_must(buf_put(&b, SPAN(DER_ALGORITHM)));
    der_put(&b, DER_SEQUENCE, c->issuer);
    der_must(buf_put(&b, SPAN(DER_VALIDITY)));
    der_put(&b, DER_SEQUENCE, c->subject);
    der_must(buf_put(&b, SPAN(DER_KEY)));
    if (c->filler > 0)
        der_put_filler(&b, c->filler);
    der_wrap(&b, DER_SEQUENCE);
    der_must(buf_put(&b, SPAN(DER_ALGORITHM "\x03\x02\x00\x00")));
    der_move(to, &b, DER_SEQUENCE);
}

/* The certificate as mbedTLS reads it, behind those that `chain` has already; its code. */
static inline int der_parse_cert(mbedtls_x509_crt *chain, const struct der_cert *c)
{
    struct buf der;

    buf_init(&der, DER_MAX);
    der_put_cert(&der, c);
    const struct span bytes = buf_data(&der);
    const int rc = mbedtls_x509_crt_parse_der(chain, (const unsigned char *)bytes.ptr, bytes.len);
    buf_done(&der);
    return rc;
}

#endif
