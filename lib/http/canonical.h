/*
 * canonical.h -- writing heads, in the one form that nobody can misread.
 *
 * Each call adds whole text to a buffer or adds nothing and returns false:
 * because it does not fit, or because it would not be well formed (a value
 * with CR, LF, NUL or another control character: a response or request
 * splitting attempt, whoever made the value).
 *
 *     http_write_request_line(to, m) && http_write_field(to, name, value) ...
 *         && http_write_framing(to, m) && http_end_head(to)
 */
#ifndef HTTP_CANONICAL_H
#define HTTP_CANONICAL_H

#include "base/buf.h"
#include "http/message.h"

/* METHOD SP path[?query] SP HTTP/1.1, from method, path, query and has_query
 * (which a rewrite may have changed). */
bool http_write_request_line(struct buf *to, const struct http_message *m);

/* An empty reason phrase, or one that cannot be sent, is replaced by the
 * registered one. */
bool http_write_status_line(struct buf *to, int status, struct span reason);

bool http_write_field(struct buf *to, struct span name, struct span value);

/* What says how long the body is: Content-Length, or Transfer-Encoding:
 * chunked, or nothing. A body until close gets nothing: whoever re-makes it as
 * chunks sets m->framing to HTTP_BODY_CHUNKED first. */
bool http_write_framing(struct buf *to, const struct http_message *m);

bool http_end_head(struct buf *to);

#endif
