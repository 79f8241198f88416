/*
 * seldom.h -- lines of a log that somebody else can cause: some now, the rest counted, so that
 * nobody fills a disk with them.
 */
#ifndef BASE_SELDOM_H
#define BASE_SELDOM_H

#include <stdbool.h>
#include <stdint.h>

enum { SELDOM_LINES = 10, SELDOM_MS = 10 * 1000 };

/* All zero at first. */
struct seldom {
    uint64_t since_ms;
    unsigned lines, kept;
};

/* May one be written at this moment? At most SELDOM_LINES in SELDOM_MS. `*kept`: how many were not
 * in the SELDOM_MS before, to be said by the first of the next. */
static inline bool seldom_may(struct seldom *s, uint64_t now_ms, unsigned *kept)
{
    *kept = 0;
    if (s->lines == 0 || now_ms - s->since_ms >= SELDOM_MS) {
        *kept = s->kept;
        *s = (struct seldom){ .since_ms = now_ms };
    }
    if (s->lines == SELDOM_LINES) {
        s->kept++;
        return false;
    }
    s->lines++;
    return true;
}

#endif
