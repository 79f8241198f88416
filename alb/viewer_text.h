/*
 * viewer_text.h -- what an edge writes of the viewer that it asks for, read strictly: whatever
 * else stands there is nothing.
 *
 * Whether it is to be believed is for viewer.h to say.
 */
#ifndef ALB_VIEWER_TEXT_H
#define ALB_VIEWER_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/ip.h"
#include "base/span.h"

/* What the viewer speaks with the edge. */
enum viewer_proto { VIEWER_PROTO_UNSAID, VIEWER_PROTO_HTTP, VIEWER_PROTO_HTTPS };

struct viewer {
    struct ip ip;  /* family 0: not known */
    uint16_t port; /* 0: not said */
};

/* The last entry of an X-Forwarded-For: what the peer itself has put there. 192.0.2.1,
 * 192.0.2.1:5678, 2001:db8::1, [2001:db8::1] or [2001:db8::1]:5678. */
bool viewer_of_forwarded_for(struct span list, struct viewer *out);

/* A CloudFront-Viewer-Address: 192.0.2.1:5678 or 2001:db8::1:5678, where the port stands behind
 * the last colon and is always there. */
bool viewer_of_cloudfront(struct span value, struct viewer *out);

/* "http" or "https", in any case; VIEWER_PROTO_UNSAID for whatever else. */
enum viewer_proto viewer_proto_of(struct span value);

#endif
