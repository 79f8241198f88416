/*
 * headers.h -- the heads that go out: what is added and taken out on the way.
 *
 * No byte of a received head is copied whole: each is written again from its
 * meaning (http/canonical.h).
 */
#ifndef ALB_HEADERS_H
#define ALB_HEADERS_H

#include <stdbool.h>

#include "base/buf.h"
#include "http/message.h"

struct access_client;

enum { TRACE_ID_MAX = 512 };

/* The X-Amzn-Trace-Id for this request: the one it came with, with a Self of
 * ours in front; or a new Root. */
void headers_trace_id(const struct http_message *m, char out[TRACE_ID_MAX]);

/* The head for the target in two parts. First what comes of the client:
 * request line, fields, how long the body is (with `upgrade`: that it wants a
 * WebSocket). That is what the second parser reads. */
bool headers_write_request(struct buf *to, const struct http_message *m,
                           const struct access_client *client, const char *trace, bool upgrade);

/* Then what we say of the hop, and the end of the head. No byte of it comes
 * from the client. */
bool headers_write_hop(struct buf *to, const struct http_message *m,
                       const struct access_client *client, const char *trace);

struct response_head {
    bool upgrade; /* the 101 */
    bool close;   /* tell the client that the connection ends */
    bool client_is_1_0;
    const char *cookies[2]; /* values of Set-Cookie fields, or NULL */
};

/* The head for the client. `m->framing` says how the body will be sent. */
bool headers_write_response(struct buf *to, const struct http_message *m,
                            const struct response_head *how);

#endif
