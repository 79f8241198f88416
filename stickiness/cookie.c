/* cookie.c -- see cookie.h. */
#include "cookie.h"

static struct span without_quotes(struct span s)
{
    if (s.len >= 2 && s.ptr[0] == '"' && s.ptr[s.len - 1] == '"')
        return span_of(s.ptr + 1, s.len - 2);
    return s;
}

bool cookie_next(struct span *rest, struct cookie *cookie)
{
    struct span piece;

    /* A ';' always ends a cookie, inside quotes too: that is how every browser
     * sends and every server splits them (RFC 6265 5.4), whatever RFC 2109 said. */
    while (span_next(rest, ';', &piece)) {
        struct span value = piece;
        /* A cookie may have no name, and then there may be no '='. */
        if (span_next(&value, '=', &cookie->name) && value.ptr != NULL && cookie->name.len > 0) {
            cookie->value = without_quotes(span_trim(value));
            return true;
        }
    }
    return false;
}

bool cookie_walk_next(struct cookie_walk *walk, struct cookie *cookie)
{
    while (!cookie_next(&walk->rest, cookie)) {
        if (walk->next == walk->fields.count)
            return false;
        walk->rest = walk->fields.fields[walk->next++];
    }
    return true;
}

/* The first ';' ends the pair: all behind it are attributes. */
bool cookie_of_set_cookie(struct span field, struct cookie *cookie)
{
    struct span pair;

    return span_next(&field, ';', &pair) && cookie_next(&pair, cookie);
}
