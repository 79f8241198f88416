/* chars.h -- what each byte may be part of; private to lib/http. */
#ifndef HTTP_CHARS_H
#define HTTP_CHARS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

enum {
    HTTP_C_TOKEN = 1, /* tchar, RFC 9110 5.6.2 */
    HTTP_C_PLAIN = 2, /* a letter, a digit or '-' */
    HTTP_C_TEXT = 4,  /* SP, HTAB, 0x21-0x7E: a value */
    HTTP_C_HIGH = 8,  /* 0x80-0xFF: a value too, but not a tidy one */
    HTTP_C_URI = 16,  /* 0x21-0x7E but '#' and '\' */
    HTTP_C_HOST = 32, /* unreserved and sub-delims, RFC 3986 3.2.2, but ',' */
};

extern const uint8_t http_chars[256];

/* Every byte has one of these bits. True for no bytes at all. */
static inline bool http_all(struct span text, unsigned bits)
{
    for (size_t i = 0; i < text.len; i++)
        if ((http_chars[(uint8_t)text.ptr[i]] & bits) == 0)
            return false;
    return true;
}

/* Nothing but 0x20-0x7E: what nearly every line is, told eight bytes at once. */
bool http_is_clean(struct span text);

#endif
