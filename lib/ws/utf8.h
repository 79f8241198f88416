/*
 * utf8.h -- UTF-8 checked as it arrives (RFC 3629), failing at the first byte
 * that no valid text can contain there.
 *
 * Overlong forms, surrogates and what is past U+10FFFF are refused at their
 * second byte at the latest.
 */
#ifndef WS_UTF8_H
#define WS_UTF8_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

/* Between two feeds. All zero is the start of a text. */
struct ws_utf8 {
    uint8_t left;      /* continuation bytes still to come in this character */
    uint8_t low, high; /* the next of them lies within these */
};

/* False at a bad byte; the state is then of no more use. */
bool ws_utf8_feed(struct ws_utf8 *state, struct span bytes);

/* May the text end here? */
static inline bool ws_utf8_done(const struct ws_utf8 *state)
{
    return state->left == 0;
}

/* A whole text at once. */
bool ws_utf8_valid(struct span text);

#endif
