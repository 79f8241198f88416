/*
 * cookie.h -- reading a Cookie field as browsers and libraries really send it.
 *
 * Lenient on purpose: what cannot be read as name=value is passed over, never
 * an error, for a field also carries the cookies of everybody else. Nothing is
 * copied and nothing allocated; a field of any length is read once.
 */
#ifndef STICKINESS_COOKIE_H
#define STICKINESS_COOKIE_H

#include <stdbool.h>

#include "base/span.h"

struct cookie {
    struct span name;  /* never empty; compared with its case (RFC 6265 5.4) */
    struct span value; /* without blanks and one pair of double quotes around it */
};

/* Take the next cookie of the field; false when there is none left. Both spans
 * lie in the field. Start with `*rest` as the whole field. */
bool cookie_next(struct span *rest, struct cookie *cookie);

#endif
