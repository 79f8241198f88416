/* span.h -- bytes somebody else owns: a pointer and a length, passed by value. */
#ifndef BASE_SPAN_H
#define BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

struct span {
    const char *ptr;
    size_t len;
};

/* A literal as a span: SPAN() in an expression, SPAN_INIT() in a static table,
 * where ISO C does not take a compound literal for a constant. */
#define SPAN_INIT(literal)                                                                         \
    {                                                                                              \
        (literal), sizeof(literal) - 1                                                             \
    }
#define SPAN(literal) ((struct span)SPAN_INIT(literal))

/* For printf: printf("%.*s", SPAN_ARGS(s)). */
#define SPAN_ARGS(s) (int)(s).len, (s).ptr

static inline struct span span_of(const void *ptr, size_t len)
{
    return (struct span){ ptr, len };
}

static inline struct span span_text(const char *text)
{
    return (struct span){ text, text == NULL ? 0 : strlen(text) };
}

static inline bool span_equal(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* Equal but for the case of ASCII letters. */
static inline bool span_equal_nocase(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || strncasecmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool span_starts_with(struct span s, struct span start)
{
    return s.len >= start.len && (start.len == 0 || memcmp(s.ptr, start.ptr, start.len) == 0);
}

/* The rest of `s` after its first `n` bytes; empty when there are fewer. */
static inline struct span span_after(struct span s, size_t n)
{
    return n >= s.len ? span_of(s.ptr + s.len, 0) : span_of(s.ptr + n, s.len - n);
}

/* Blanks (SP, HTAB) off both ends. */
static inline struct span span_trim(struct span s)
{
    while (s.len > 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
        s = span_after(s, 1);
    while (s.len > 0 && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
        s.len--;
    return s;
}

/* Take the next word of `*rest`, up to a blank (SP, HTAB); empty when there is none. */
static inline struct span span_next_word(struct span *rest)
{
    size_t n = 0;

    *rest = span_trim(*rest);
    while (n < rest->len && rest->ptr[n] != ' ' && rest->ptr[n] != '\t')
        n++;
    const struct span word = span_of(rest->ptr, n);
    *rest = span_trim(span_after(*rest, n));
    return word;
}

/* Take the next piece of `*rest` up to `separator`, trimmed; false when there
 * is nothing left. "a,,b" gives "a", "", "b". */
static inline bool span_next(struct span *rest, char separator, struct span *piece)
{
    if (rest->ptr == NULL)
        return false;
    const char *at = rest->len == 0 ? NULL : memchr(rest->ptr, separator, rest->len);
    if (at == NULL) {
        *piece = span_trim(*rest);
        *rest = span_of(NULL, 0);
        return true;
    }
    size_t n = (size_t)(at - rest->ptr);
    *piece = span_trim(span_of(rest->ptr, n));
    *rest = span_after(*rest, n + 1);
    return true;
}

#endif
