/*
 * edge_secret.h -- the origin secret: a header by which an edge shows that a request has come
 * through it and no other way.
 *
 * Up to two values are accepted at a time, so that one can follow the other. They are never
 * shown: no message, row or page has one of them or what was sent in their place.
 *
 * Immutable once read; threads share it.
 */
#ifndef ALB_EDGE_SECRET_H
#define ALB_EDGE_SECRET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"

struct http_message;
struct edge_secret;

enum { EDGE_SECRETS_MAX = 2, EDGE_SECRET_LEAST = 16, EDGE_SECRET_MOST = 128 };

/* What a request has of it. */
enum secret_verdict {
    SECRET_RIGHT_FIRST, /* the value of the file's first line */
    SECRET_RIGHT_SECOND,
    SECRET_MISSING,
    SECRET_WRONG, /* also: several such headers, or one that goes over several lines */
    SECRET_VERDICTS,
};

static inline bool secret_is_right(enum secret_verdict verdict)
{
    return verdict <= SECRET_RIGHT_SECOND;
}

/* A few words for the log: "no origin secret", "wrong origin secret". Not of one that is right. */
const char *secret_verdict_text(enum secret_verdict verdict);

/* Why no edge can send it under this name, or why it would be mistaken for something else: a
 * phrase behind the name; NULL when it will do. */
const char *edge_secret_blame_header(struct span name);

/* The values of a file, one a line of EDGE_SECRET_LEAST to EDGE_SECRET_MOST visible ASCII
 * characters, every one of them part of it; refused when its group or others may read it. NULL
 * with a sentence in `why`. The name is copied. */
struct edge_secret *edge_secret_read(const char *header, const char *path, char *why,
                                     size_t why_size);
void edge_secret_free(struct edge_secret **secret); /* NULL is fine */

struct span edge_secret_header(const struct edge_secret *secret);
size_t edge_secret_count(const struct edge_secret *secret);

/* The same values, in whatever header? */
bool edge_secret_equal(const struct edge_secret *a, const struct edge_secret *b);

/* Take every header out of the request that has this name, or one that some server would take
 * for it (http_name_is_alike()), and judge what was there. How long that takes does not depend on
 * what the values are. */
enum secret_verdict edge_secret_take(const struct edge_secret *secret, struct http_message *m);

#endif
