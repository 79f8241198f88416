/*
 * rewrite.h -- another URI or host for a request, in place of the one that came.
 *
 * What is not well formed is refused and changes nothing, so that a request
 * stays one that can be written again (canonical.h). `target` and the fields
 * stay as they came. The text must live as long as the message is read.
 */
#ifndef HTTP_REWRITE_H
#define HTTP_REWRITE_H

#include "http/message.h"

/* "/path" or "/path?query" of URI characters, which fit in a request line.
 * `strictest` refuses a ".." segment and a NUL as well. */
bool http_rewrite_uri(struct http_message *m, struct span uri, bool strictest);

/* uri-host [":" port], RFC 9110 7.2. */
bool http_rewrite_host(struct http_message *m, struct span host);

#endif
