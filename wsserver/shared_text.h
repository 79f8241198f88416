/*
 * shared_text.h -- bytes made once and held by many: a message of the chat
 * protocol as it goes to every receiver.
 *
 * Immutable after it was made; any thread may hold and drop it.
 */
#ifndef WSSERVER_SHARED_TEXT_H
#define WSSERVER_SHARED_TEXT_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/span.h"

struct shared_text {
    atomic_uint refs;
    uint32_t len;
    char bytes[]; /* NUL-terminated, for people and printf; len does not count it */
};

/* A copy of the bytes, held once by the caller. */
struct shared_text *shared_text_new(struct span bytes);

/* One more holder. Returns its argument. */
struct shared_text *shared_text_hold(struct shared_text *text);

/* Let go and clear the variable; the last one frees. NULL is fine. */
void shared_text_drop(struct shared_text **text);

static inline struct span shared_text_span(const struct shared_text *text)
{
    return span_of(text->bytes, text->len);
}

#endif
