/* text_code.c -- writing bytes as text: JSON strings and base64 (RFC 4648); see text.h. */
#include "base/text.h"

#include <stdio.h>

/* --- JSON ------------------------------------------------------------------ */

/* The length of the UTF-8 character that `s` begins with (RFC 3629: shortest
 * form, no surrogates, up to U+10FFFF), or 0 when it begins with none. */
static size_t utf8_character(struct span s)
{
    const unsigned char *b = (const unsigned char *)s.ptr;
    size_t n = b[0] < 0x80 ? 1 : b[0] < 0xc2 ? 0 : b[0] < 0xe0 ? 2 : b[0] < 0xf0 ? 3 : 4;

    if (n == 0 || n > s.len || b[0] > 0xf4)
        return 0;
    for (size_t i = 1; i < n; i++) {
        if ((b[i] & 0xc0) != 0x80)
            return 0;
    }
    if ((b[0] == 0xe0 && b[1] < 0xa0) || (b[0] == 0xed && b[1] > 0x9f) ||
        (b[0] == 0xf0 && b[1] < 0x90) || (b[0] == 0xf4 && b[1] > 0x8f))
        return 0;
    return n;
}

/* How the character that `s` begins with (`*used` bytes) is written. */
static struct span json_character(struct span s, char escape[8], size_t *used)
{
    static const char plain[] = "\"\\\b\f\n\r\t", letter[] = "\"\\bfnrt";
    unsigned char c = (unsigned char)s.ptr[0];
    const char *at = c == '\0' ? NULL : strchr(plain, c);
    size_t n = utf8_character(s);

    *used = n == 0 ? 1 : n;
    if (at != NULL)
        return span_of(escape, (size_t)snprintf(escape, 8, "\\%c", letter[at - plain]));
    if (c < 0x20)
        return span_of(escape, (size_t)snprintf(escape, 8, "\\u%04x", c));
    return n == 0 ? SPAN("\xef\xbf\xbd") : span_of(s.ptr, n);
}

size_t text_json_escape(struct span text, char *out, size_t size)
{
    size_t written = 0;

    if (size == 0)
        return 0;
    while (text.len > 0) {
        char escape[8];
        size_t used;
        struct span piece = json_character(text, escape, &used);
        if (piece.len >= size - written)
            break;
        memcpy(out + written, piece.ptr, piece.len);
        written += piece.len;
        text = span_after(text, used);
    }
    out[written] = '\0';
    return written;
}

/* --- base64 ---------------------------------------------------------------- */

static const char standard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char for_urls[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* Without padding, without a NUL. */
static size_t encode(const char *alphabet, const uint8_t *bytes, size_t n, char *out)
{
    char *at = out;
    uint32_t bits = 0;
    int held = 0;

    for (size_t i = 0; i < n; i++) {
        bits = bits << 8 | bytes[i];
        for (held += 8; held >= 6; held -= 6)
            *at++ = alphabet[bits >> (held - 6) & 63];
    }
    if (held > 0)
        *at++ = alphabet[bits << (6 - held) & 63];
    return (size_t)(at - out);
}

size_t text_base64(const void *bytes, size_t n, char *out)
{
    size_t len = encode(standard, bytes, n, out);

    while (len % 4 != 0)
        out[len++] = '=';
    out[len] = '\0';
    return len;
}

size_t text_base64url(const void *bytes, size_t n, char *out)
{
    size_t len = encode(for_urls, bytes, n, out);

    out[len] = '\0';
    return len;
}

/* The padding is off already. The bits that a last digit has to spare must be
 * zero (RFC 4648 3.5): one text for one value. */
static bool decode(const char *alphabet, struct span text, uint8_t *out, size_t size, size_t *n)
{
    uint32_t bits = 0;
    int held = 0;
    size_t written = 0;

    if (text.len % 4 == 1 || text.len / 4 * 3 + text.len % 4 * 3 / 4 > size)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        const char *digit = memchr(alphabet, text.ptr[i], 64);
        if (digit == NULL)
            return false;
        bits = bits << 6 | (uint32_t)(digit - alphabet);
        held += 6;
        if (held >= 8) {
            held -= 8;
            out[written++] = (uint8_t)(bits >> held);
        }
    }
    *n = written;
    return (bits & ((1u << held) - 1)) == 0;
}

bool text_base64_decode(struct span text, uint8_t *out, size_t size, size_t *n)
{
    if (text.len % 4 != 0)
        return false;
    for (int i = 0; i < 2 && text.len > 0 && text.ptr[text.len - 1] == '='; i++)
        text.len--;
    return decode(standard, text, out, size, n);
}

bool text_base64url_decode(struct span text, uint8_t *out, size_t size, size_t *n)
{
    return decode(for_urls, text, out, size, n);
}
