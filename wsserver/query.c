/* query.c -- see query.h. */
#include "wsserver/query.h"

#include "base/text.h"

bool query_decode(struct span text, bool plus, char *out, size_t size, size_t *len)
{
    size_t n = 0;

    for (size_t i = 0; i < text.len; i++) {
        uint64_t byte = (uint8_t)text.ptr[i];
        if (plus && byte == '+')
            byte = ' ';
        if (byte == '%') {
            if (text.len - i < 3 || !text_hex_u64(span_of(text.ptr + i + 1, 2), &byte))
                return false;
            i += 2;
        }
        if (n + 1 >= size)
            return false;
        out[n++] = (char)byte;
    }
    out[n] = '\0';
    *len = n;
    return true;
}

enum query query_get(struct span query, const char *name, char *out, size_t size, size_t *len)
{
    struct span pair, key;

    while (span_next(&query, '&', &pair)) {
        struct span value = pair;
        if (!span_next(&value, '=', &key) || !span_equal(key, span_text(name)))
            continue;
        return query_decode(value.ptr == NULL ? SPAN("") : value, true, out, size, len) ? QUERY_GOOD
                                                                                        : QUERY_BAD;
    }
    return QUERY_NONE;
}

uint64_t query_number(struct span query, const char *name, uint64_t fallback, uint64_t max)
{
    char text[24];
    size_t len;
    uint64_t n;

    if (query_get(query, name, text, sizeof(text), &len) != QUERY_GOOD ||
        !text_u64(span_of(text, len), &n) || n > max)
        return fallback;
    return n;
}
