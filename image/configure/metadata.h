/*
 * metadata.h -- what is said to the instance metadata service, and what its answers mean.
 *
 *     PUT /latest/api/token     ->  200 and a token       a session of version 2
 *     GET /latest/user-data     ->  200 and the text, or 404: there is none
 *
 * Version 1, which hands user data to whoever gets a request through to it, is never spoken: a
 * service that gives no token gives nothing. No sockets here.
 */
#ifndef CONFIGURE_METADATA_H
#define CONFIGURE_METADATA_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/span.h"

enum { METADATA_REQUEST_MAX = 2048, METADATA_TOKEN_MAX = 1024 };

enum metadata_verdict {
    METADATA_FOUND,   /* the body is what was asked for */
    METADATA_NONE,    /* there is no user data: an answer as well */
    METADATA_REFUSED, /* an answer that is of no use, and would be the same again */
    METADATA_AGAIN,   /* ask again later, from the start */
};

/* Write the request; `host` is the service's address. */
void metadata_put_token_request(struct buf *to, const char *host);
void metadata_put_text_request(struct buf *to, const char *host, struct span token);

/* What an answer means; with METADATA_AGAIN a sentence in `why`. */
enum metadata_verdict metadata_judge_token(int status, struct span body, char *why,
                                           size_t why_size);
enum metadata_verdict metadata_judge_text(int status, char *why, size_t why_size);

/* Milliseconds to wait for another try after so many more than one: never long. */
unsigned metadata_pause_ms(unsigned tries);

#endif
