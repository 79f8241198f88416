/*
 * Strict readings: what is read is what is written again; JSON by its own
 * parser; wildcards against a table of all pairs of prefixes.
 */
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"

enum { MOST = 512 };

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void check_numbers(struct span text)
{
    char out[32];
    uint64_t number;
    uint32_t ms, again;

    if (text_u64(text, &number)) {
        while (text.len > 1 && text.ptr[0] == '0')
            text = span_after(text, 1);
        int n = snprintf(out, sizeof(out), "%ju", (uintmax_t)number);
        must(span_equal(text, span_of(out, (size_t)n)));
    }
    if (text_hex_u64(text, &number)) {
        snprintf(out, sizeof(out), "%.*s", SPAN_ARGS(text));
        must(strtoull(out, NULL, 16) == number);
    }
    if (text_duration(text, true, &ms))
        must(text_duration(span_text(text_format_duration(ms, out)), false, &again) && ms == again);
    if (text_size(text, &number) && number <= UINT32_MAX)
        must(text_size(span_text(text_format_size((uint32_t)number, out)), &number));
}

static void check_base64(struct span text)
{
    static char out[TEXT_BASE64_SIZE(MOST)];
    static uint8_t bytes[MOST];
    size_t n;

    size_t len = text_base64(text.ptr, text.len, out);
    must(text_base64_decode(span_of(out, len), bytes, sizeof(bytes), &n));
    must(span_equal(text, span_of(bytes, n)));
    /* One text for one value. */
    if (text_base64_decode(text, bytes, sizeof(bytes), &n))
        must(span_equal(text, span_of(out, text_base64(bytes, n, out))));
    if (text_base64url_decode(text, bytes, sizeof(bytes), &n))
        must(span_equal(text, span_of(out, text_base64url(bytes, n, out))));
}

static void check_json(struct span text)
{
    static char out[6 * MOST + 3];
    size_t n = text_json_escape(text, out + 1, sizeof(out) - 2);

    must(n <= 6 * text.len && out[n + 1] == '\0');
    out[0] = out[n + 1] = '"';
    json_t *value = json_loadb(out, n + 2, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    must(json_is_string(value));
    /* Nothing to replace: then it is the text itself. */
    struct span read = span_of(json_string_value(value), json_string_length(value));
    must(span_equal(read, text) || memmem(out, n + 2, "\xef\xbf\xbd", 3) != NULL);
    json_decref(value);
}

/* matches[p][t]: the first p of the pattern match the first t of the text. */
static bool naive_wildcard(struct span pattern, struct span text)
{
    static bool matches[MOST + 1][MOST + 1];

    for (size_t p = 0; p <= pattern.len; p++) {
        for (size_t t = 0; t <= text.len; t++) {
            char c = p == 0 ? '\0' : pattern.ptr[p - 1];
            if (p == 0)
                matches[p][t] = t == 0;
            else if (c == '*')
                matches[p][t] = matches[p - 1][t] || (t > 0 && matches[p][t - 1]);
            else
                matches[p][t] =
                    t > 0 && matches[p - 1][t - 1] && (c == '?' || c == text.ptr[t - 1]);
        }
    }
    return matches[pattern.len][text.len];
}

/* The first newline parts the pattern from the text. */
static void check_wildcard(struct span both)
{
    const char *at = both.len == 0 ? NULL : memchr(both.ptr, '\n', both.len);

    if (at == NULL)
        return;
    struct span pattern = span_of(both.ptr, (size_t)(at - both.ptr));
    struct span text = span_after(both, pattern.len + 1);
    bool matches = text_wildcard(pattern, text, false);
    must(matches == naive_wildcard(pattern, text));
    must(!matches || text_wildcard(pattern, text, true));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = span_of(data, size > MOST ? MOST : size);

    check_numbers(text);
    check_base64(text);
    check_json(text);
    check_wildcard(text);
    return 0;
}
