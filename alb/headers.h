/*
 * headers.h -- the heads that go out: what is added and taken out on the way.
 *
 * No byte of a received head is copied whole: each is written again from its
 * meaning (http/canonical.h). What the balancer adds is in headers_forwarded.c
 * and headers_trace.c.
 */
#ifndef ALB_HEADERS_H
#define ALB_HEADERS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "http/message.h"

#include "alb/options.h"

struct access_client;
struct listener_headers;

/* As targets and clients see them when a listener does not say otherwise. */
struct span headers_request_name(enum request_header which);
struct span headers_response_name(enum response_header which);

/* --- the request ------------------------------------------------------------ */

enum { TRACE_ID_MAX = 8 * 1024 };

/* The X-Amzn-Trace-Id for this request, of `now_s` seconds since 1970: the one
 * that it came with, with a Self of ours; or a new Root. Written to `out`, with a NUL. */
struct span headers_trace_id(const struct http_message *m, uint64_t now_s, char out[TRACE_ID_MAX]);

/* Is nothing in it the request's? Any other is longer. */
enum { TRACE_ID_OURS = sizeof("Root=1-67891233-abcdef012345678912345678") - 1 };

static inline bool headers_trace_is_ours(struct span trace)
{
    return trace.len == TRACE_ID_OURS;
}

/* More than 30 addresses in all X-Forwarded-For fields together: 463. */
bool headers_has_too_many_addresses(const struct http_message *m);

/* With routing.http.preserve_host_header.enabled the Host field is what counts,
 * for the rules too, also beside a target in absolute form. */
void headers_choose_host(struct http_message *m, const struct alb_options *alb);

struct request_head {
    const struct alb_options *alb;
    const struct listener_headers *listener;
    const struct access_client *client;
    struct span trace;  /* X-Amzn-Trace-Id, as headers_trace_id() made it */
    const char *target; /* its address: the Host of an HTTP/1.0 request without one */
    bool host_is_rewritten;
    bool upgrade; /* a WebSocket's; else a plain request whose connection is kept */
};

/* The head for the target in two parts. First what comes of the client: request
 * line, its fields, how long the body is, and what of ours goes on with a value
 * of its. That is what the second parser reads. */
bool headers_write_request(struct buf *to, const struct http_message *m,
                           const struct request_head *how);

/* Then what we say of the hop, and the end of the head. No byte of it comes
 * from the client. */
bool headers_write_hop(struct buf *to, const struct http_message *m,
                       const struct request_head *how);

/* --- the response ------------------------------------------------------------ */

struct response_head {
    const struct listener_headers *listener; /* never NULL */
    bool upgrade;                            /* the 101 */
    bool close;                              /* tell the client that the connection ends */
    bool client_is_1_0;
    const char *const *cookies; /* values of Set-Cookie fields; ends with NULL */
};

/* The head for the client. `m->framing` says how the body will be sent. */
bool headers_write_response(struct buf *to, const struct http_message *m,
                            const struct response_head *how);

#endif
