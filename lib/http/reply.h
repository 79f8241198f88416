/*
 * reply.h -- responses of our own: small, whole, always with a length.
 */
#ifndef HTTP_REPLY_H
#define HTTP_REPLY_H

#include "base/buf.h"
#include "base/span.h"

/* The registered phrase ("Bad Gateway"), "Unknown" when there is none. The
 * managed balancer's own 460, 463, 464, 561 and 562 have one too. */
const char *http_status_text(int status);

struct http_reply {
    int status;               /* 200-599 */
    const char *server;       /* the Server field, or NULL for none */
    const char *fields;       /* whole lines of more fields, each with CR LF, or NULL */
    const char *more_fields;  /* the same */
    struct span content_type; /* empty: none */
    struct span body;
    bool head_only; /* the request was HEAD: the length, but no body */
    bool close;     /* Connection: close, else keep-alive */
    bool no_store;  /* Cache-Control: no-store */
};

/* Write it with Date and Content-Length. All or nothing: false when it does
 * not fit. 204 and 304 get neither length nor body. */
bool http_reply(struct buf *to, const struct http_reply *reply);

enum { HTTP_ERROR_PAGE_MAX = 256 };

/* The small HTML page for an error status, in `out`. */
struct span http_error_page(int status, char out[HTTP_ERROR_PAGE_MAX]);

/* Make `reply`, which says the rest, the error page for its status. */
void http_make_error_page(struct http_reply *reply, char page[HTTP_ERROR_PAGE_MAX]);

#endif
