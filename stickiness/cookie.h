/*
 * cookie.h -- reading Cookie fields as browsers and libraries really send them, and the name
 * and value of a Set-Cookie field.
 *
 * Lenient on purpose: what cannot be read as name=value is passed over, never
 * an error, for a field also carries the cookies of everybody else. Nothing is
 * copied and nothing allocated; a field of any length is read once.
 */
#ifndef STICKINESS_COOKIE_H
#define STICKINESS_COOKIE_H

#include <stdbool.h>

#include "base/span.h"

#include "stickiness.h"

struct cookie {
    struct span name;  /* never empty; compared with its case (RFC 6265 5.4) */
    struct span value; /* without blanks and one pair of double quotes around it */
};

/* Take the next cookie of the field; false when there is none left. Both spans
 * lie in the field. Start with `*rest` as the whole field. */
bool cookie_next(struct span *rest, struct cookie *cookie);

/* The same over several fields: HTTP allows one, but what splits them (HTTP/2 does) may forget to
 * join them again. */
struct cookie_walk {
    struct stickiness_fields fields;
    size_t next;      /* the field to go on with; 0 at first */
    struct span rest; /* of the one before it; empty at first */
};
bool cookie_walk_next(struct cookie_walk *walk, struct cookie *cookie);

/* What this Set-Cookie field sets, whatever its attributes are (RFC 6265 5.2). The value is read
 * as it will be when it comes back. */
bool cookie_of_set_cookie(struct span field, struct cookie *cookie);

#endif
