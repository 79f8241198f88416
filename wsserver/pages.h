/*
 * pages.h -- plain HTTP on the same port: /health, /ready, /metrics, and the
 * demo page with its files.
 */
#ifndef WSSERVER_PAGES_H
#define WSSERVER_PAGES_H

#include "base/buf.h"
#include "base/span.h"

struct client;
struct http_message;

struct page {
    int status;
    const char *fields; /* more fields, each with CR LF; a literal */
    struct span content_type;
};

/* The answer to a request that is none for a WebSocket. Its body is put into
 * the empty buffer `body`. */
struct page pages_answer(const struct client *c, const struct http_message *request,
                         struct buf *body);

#endif
