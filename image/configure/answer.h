/*
 * answer.h -- one HTTP response, as it arrives; no sockets.
 *
 * The head is read as strictly as those of targets (lib/http), http-parser has the second
 * opinion, and the body is kept up to a bound.
 */
#ifndef CONFIGURE_ANSWER_H
#define CONFIGURE_ANSWER_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/span.h"
#include "http/body.h"

enum answer_step {
    ANSWER_MORE,      /* well so far */
    ANSWER_WHOLE,     /* `status` and `body` are all of it */
    ANSWER_TOO_LARGE, /* the body is past the bound */
    ANSWER_BAD,       /* no HTTP response: `why` is a literal */
};

struct answer {
    int status; /* 0 until the head is whole */
    struct buf body;
    const char *why;

    struct buf head;
    struct http_body decoder;
};

void answer_init(struct answer *a, size_t body_max);
void answer_done(struct answer *a);

/* Call it until it says anything but ANSWER_MORE. */
enum answer_step answer_take(struct answer *a, struct span bytes);

/* The other side has closed after ANSWER_MORE. */
enum answer_step answer_end(struct answer *a);

#endif
