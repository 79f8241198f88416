/* cache.c -- see cache.h. */
#include "http/cache.h"

#include "http/message.h"

/* The next directive of the list, up to a comma outside quotes; false at the end. */
static bool next_directive(struct span *rest, struct span *directive)
{
    bool quoted = false;
    size_t n = 0;

    if (rest->len == 0)
        return false;
    while (n < rest->len && (quoted || rest->ptr[n] != ',')) {
        if (quoted && rest->ptr[n] == '\\' && n + 1 < rest->len)
            n++;
        else if (rest->ptr[n] == '"')
            quoted = !quoted;
        n++;
    }
    *directive = span_trim(span_of(rest->ptr, n));
    *rest = span_after(*rest, n + 1);
    return true;
}

/* "s-maxage=600", "s-maxage="600"". */
static bool is_above_zero(struct span value)
{
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] >= '1' && value.ptr[i] <= '9')
            return true;
    }
    return false;
}

/* `private="Set-Cookie"` is about that field alone; that much a shared cache may not be trusted
 * with, so it counts as `private`. */
static void read_directive(struct span directive, bool *is_public, bool *is_private)
{
    struct span name, value = directive;

    if (!span_next(&value, '=', &name))
        return;
    *is_public |= span_equal_nocase(name, SPAN("public")) ||
                  (span_equal_nocase(name, SPAN("s-maxage")) && is_above_zero(value));
    *is_private |=
        span_equal_nocase(name, SPAN("private")) || span_equal_nocase(name, SPAN("no-store"));
}

bool http_is_public(const struct http_message *m)
{
    bool is_public = false, is_private = false;

    for (const struct http_field *f = http_find(m, HTTP_N_CACHE_CONTROL); f != NULL;
         f = http_find_next(m, f)) {
        struct span rest = f->value, directive;
        while (next_directive(&rest, &directive))
            read_directive(directive, &is_public, &is_private);
    }
    return is_public && !is_private;
}
