/*
 * tls_name.c -- see tls_name.h.
 *
 * A name is a list of relative names, the widest first; text begins with the narrowest. A
 * relative name is one attribute, or several, which '+' joins; these turn round as well.
 */
#include "net/tls_name.h"

#include <mbedtls/asn1.h>
#include <mbedtls/oid.h>

#include "net/tls_private.h"

enum { ATTRIBUTES_MAX = 64, OID_TEXT_MAX = 128 };

#define JURISDICTION "\x2b\x06\x01\x04\x01\x82\x37\x3c\x02\x01" /* of extended validation */

static const struct {
    struct span oid;
    const char *name;
} types[] = {
    { SPAN_INIT(MBEDTLS_OID_AT_CN), "CN" },
    { SPAN_INIT(MBEDTLS_OID_AT_SUR_NAME), "SN" },
    { SPAN_INIT(MBEDTLS_OID_AT_SERIAL_NUMBER), "serialNumber" },
    { SPAN_INIT(MBEDTLS_OID_AT_COUNTRY), "C" },
    { SPAN_INIT(MBEDTLS_OID_AT_LOCALITY), "L" },
    { SPAN_INIT(MBEDTLS_OID_AT_STATE), "ST" },
    { SPAN_INIT(MBEDTLS_OID_AT "\x09"), "street" },
    { SPAN_INIT(MBEDTLS_OID_AT_ORGANIZATION), "O" },
    { SPAN_INIT(MBEDTLS_OID_AT_ORG_UNIT), "OU" },
    { SPAN_INIT(MBEDTLS_OID_AT_TITLE), "title" },
    { SPAN_INIT(MBEDTLS_OID_AT_POSTAL_CODE), "postalCode" },
    { SPAN_INIT(MBEDTLS_OID_AT_GIVEN_NAME), "GN" },
    { SPAN_INIT(MBEDTLS_OID_AT_INITIALS), "initials" },
    { SPAN_INIT(MBEDTLS_OID_AT_GENERATION_QUALIFIER), "generationQualifier" },
    { SPAN_INIT(MBEDTLS_OID_AT_DN_QUALIFIER), "dnQualifier" },
    { SPAN_INIT(MBEDTLS_OID_AT_PSEUDONYM), "pseudonym" },
    { SPAN_INIT(MBEDTLS_OID_DOMAIN_COMPONENT), "DC" },
    { SPAN_INIT("\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x01"), "UID" },
    { SPAN_INIT(MBEDTLS_OID_PKCS9_EMAIL), "emailAddress" },
    { SPAN_INIT(MBEDTLS_OID_PKCS9 "\x02"), "unstructuredName" },
    { SPAN_INIT(MBEDTLS_OID_AT "\x0d"), "description" },
    { SPAN_INIT(MBEDTLS_OID_AT "\x0f"), "businessCategory" },
    { SPAN_INIT(MBEDTLS_OID_AT "\x12"), "postOfficeBox" },
    { SPAN_INIT(MBEDTLS_OID_AT "\x14"), "telephoneNumber" },
    { SPAN_INIT(MBEDTLS_OID_AT "\x29"), "name" },
    { SPAN_INIT(MBEDTLS_OID_AT "\x2d"), "x500UniqueIdentifier" },
    { SPAN_INIT(MBEDTLS_OID_AT "\x61"), "organizationIdentifier" },
    { SPAN_INIT(JURISDICTION "\x01"), "jurisdictionL" },
    { SPAN_INIT(JURISDICTION "\x02"), "jurisdictionST" },
    { SPAN_INIT(JURISDICTION "\x03"), "jurisdictionC" },
};

/* NULL: it has no name that everybody knows. */
static const char *type_name(const mbedtls_x509_buf *oid)
{
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (span_equal(types[i].oid, span_of(oid->p, oid->len)))
            return types[i].name;
    }
    return NULL;
}

static bool put_hex(struct buf *to, unsigned byte)
{
    static const char digits[] = "0123456789ABCDEF";
    const char hex[2] = { digits[byte >> 4], digits[byte & 15] };

    return buf_put(to, span_of(hex, 2));
}

static bool put_escaped_hex(struct buf *to, unsigned byte)
{
    return buf_put(to, SPAN("\\")) && put_hex(to, byte);
}

/* RFC 2253 2.4; `is_end` where a blank needs an escape too. */
static bool put_byte(struct buf *to, unsigned byte, bool is_start, bool is_end)
{
    const char c = (char)byte;

    if (byte < ' ' || byte > '~')
        return put_escaped_hex(to, byte);
    if (strchr(",+\"\\<>;", c) != NULL || (is_start && c == '#') ||
        (c == ' ' && (is_start || is_end)))
        return buf_put(to, SPAN("\\")) && buf_put(to, span_of(&c, 1));
    return buf_put(to, span_of(&c, 1));
}

/* A character outside of ASCII, as its UTF-8. */
static bool put_wide(struct buf *to, uint32_t c)
{
    if (c < 0x800)
        return put_escaped_hex(to, 0xc0 | c >> 6) && put_escaped_hex(to, 0x80 | (c & 0x3f));
    if (c < 0x10000)
        return put_escaped_hex(to, 0xe0 | c >> 12) && put_escaped_hex(to, 0x80 | (c >> 6 & 0x3f)) &&
               put_escaped_hex(to, 0x80 | (c & 0x3f));
    return put_escaped_hex(to, 0xf0 | (c >> 18 & 7)) &&
           put_escaped_hex(to, 0x80 | (c >> 12 & 0x3f)) &&
           put_escaped_hex(to, 0x80 | (c >> 6 & 0x3f)) && put_escaped_hex(to, 0x80 | (c & 0x3f));
}

/* '#' and its encoding, for what is no text of a known kind. */
static bool put_encoding(struct buf *to, const mbedtls_x509_buf *value)
{
    const size_t len = value->len;
    bool ok = buf_put(to, SPAN("#")) && put_hex(to, (unsigned)value->tag & 0xff);

    if (len >= 0x100)
        ok = ok && put_hex(to, 0x82) && put_hex(to, len >> 8 & 0xff);
    else if (len >= 0x80)
        ok = ok && put_hex(to, 0x81);
    ok = ok && put_hex(to, len & 0xff);
    for (size_t i = 0; ok && i < len; i++)
        ok = put_hex(to, value->p[i]);
    return ok;
}

/* Of `width` bytes, the high byte first. */
static uint32_t character(const unsigned char *p, size_t width)
{
    uint32_t c = 0;

    for (size_t k = 0; k < width; k++)
        c = c << 8 | p[k];
    return c;
}

/* Whole characters, and each one of Unicode. */
static bool is_text(const mbedtls_x509_buf *value, size_t width)
{
    for (size_t i = 0; i + width <= value->len; i += width) {
        const uint32_t c = character(value->p + i, width);
        if ((c >= 0xd800 && c <= 0xdfff) || c > 0x10ffff)
            return false;
    }
    return value->len % width == 0;
}

/* Characters of `width` bytes each; `width` 0 is UTF-8. */
static bool put_text(struct buf *to, const mbedtls_x509_buf *value, size_t width)
{
    const size_t step = width == 0 ? 1 : width;
    bool ok = true;

    if (!is_text(value, step))
        return put_encoding(to, value);
    for (size_t i = 0; ok && i < value->len; i += step) {
        const uint32_t c = character(value->p + i, step);
        if (width != 0 && c >= 0x80)
            ok = put_wide(to, c);
        else
            ok = put_byte(to, c, i == 0, i + step == value->len);
    }
    return ok;
}

static bool put_value(struct buf *to, const mbedtls_x509_buf *value)
{
    switch (value->tag) {
    case MBEDTLS_ASN1_UTF8_STRING:
        return put_text(to, value, 0);
    case MBEDTLS_ASN1_PRINTABLE_STRING:
    case MBEDTLS_ASN1_IA5_STRING:
    case MBEDTLS_ASN1_T61_STRING: /* taken for Latin-1, as everybody does */
        return put_text(to, value, 1);
    case MBEDTLS_ASN1_BMP_STRING:
        return put_text(to, value, 2);
    case MBEDTLS_ASN1_UNIVERSAL_STRING:
        return put_text(to, value, 4);
    default:
        return put_encoding(to, value);
    }
}

static bool put_attribute(struct buf *to, const mbedtls_x509_name *at)
{
    const char *known = type_name(&at->oid);
    char oid[OID_TEXT_MAX];

    if (known != NULL)
        return buf_put(to, span_text(known)) && buf_put(to, SPAN("=")) && put_value(to, &at->val);
    const int n = mbedtls_oid_get_numeric_string(oid, sizeof(oid), &at->oid);
    return n > 0 && buf_put(to, span_of(oid, (size_t)n)) && buf_put(to, SPAN("=")) &&
           put_encoding(to, &at->val);
}

bool tls_name_put(struct buf *to, const mbedtls_x509_name *name)
{
    const mbedtls_x509_name *attributes[ATTRIBUTES_MAX];
    size_t n = 0;
    bool ok = true;

    for (; name != NULL && name->oid.p != NULL; name = name->next) {
        if (n == ATTRIBUTES_MAX)
            return false;
        attributes[n++] = name;
    }
    for (size_t i = n; ok && i > 0; i--) {
        ok = put_attribute(to, attributes[i - 1]);
        if (ok && i > 1)
            ok = buf_put(to, tls_name_goes_on(attributes[i - 2]) ? SPAN("+") : SPAN(","));
    }
    return ok;
}

/* --- the common name ----------------------------------------------------------------------- */

static bool is_visible(const mbedtls_x509_buf *value)
{
    bool is = value->tag == MBEDTLS_ASN1_UTF8_STRING ||
              value->tag == MBEDTLS_ASN1_PRINTABLE_STRING || value->tag == MBEDTLS_ASN1_IA5_STRING;

    for (size_t i = 0; i < value->len; i++)
        is = is && value->p[i] > ' ' && value->p[i] <= '~';
    return is && value->len > 0;
}

static bool is_common_name(const mbedtls_x509_name *at)
{
    return at->oid.p != NULL &&
           span_equal(SPAN(MBEDTLS_OID_AT_CN), span_of(at->oid.p, at->oid.len));
}

void tls_name_common(const mbedtls_x509_name *name, char *out, size_t size)
{
    const mbedtls_x509_name *found = NULL;
    size_t count = 0;

    for (; name != NULL; name = name->next) {
        if (is_common_name(name)) {
            found = name;
            count++;
        }
    }
    out[0] = '\0';
    if (count != 1 || !is_visible(&found->val) || found->val.len >= size)
        return;
    memcpy(out, found->val.p, found->val.len);
    out[found->val.len] = '\0';
}
