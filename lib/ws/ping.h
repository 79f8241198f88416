/*
 * ping.h -- a pong of ours taken out of a stream of others' frames, and the place where a ping
 * of ours may go into it.
 *
 * A balancer that pings an end by itself must not show the other end the pong. What is taken
 * out is a pong whose bytes are exactly those that an answer to our ping has: FIN, no reserved
 * bit, the shortest length, masked as its sender has to, and the 8 bytes of our tag. At most
 * 14 bytes are held back until that is certain, and they go on at the first that differs. They
 * need no memory: the tracker has the header, and the payload so far is the tag's.
 *
 * Pure: bytes in, bytes out. However a stream is cut, what goes on is what came, less that pong.
 */
#ifndef WS_PING_H
#define WS_PING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "ws/tracker.h"

enum {
    WS_PING_TAG = 8,  /* bytes of payload in a ping of ours */
    WS_PONG_MAX = 14, /* bytes of its pong: header, mask and tag */
};

/* One direction of a tunnel while something is to be taken out or put in. */
struct ws_ping_filter {
    struct ws_tracker *tracker;
    struct ws_counts *counts; /* of what goes on: the pong that is taken out is not there */
    const uint8_t *tag;       /* of the pong that is looked for; NULL: of none, or it was found */
    bool is_masked;           /* frames of this direction are: they come from a client */
    bool is_holding;          /* kept by the caller: bytes of what may be the pong are held back */
    bool wants_boundary;      /* at_boundary() is to be called, once */

    /* Goes on. Valid during the call only. */
    void (*pass)(void *user, struct span bytes);

    /* All that has been passed ends with a frame, and no Close: a frame may go in here. */
    void (*at_boundary)(void *user);
    void *user;

    struct span rest; /* private: what was not passed yet, */
    size_t followed;  /* and how much of it the tracker has seen */
};

/* Take all of `bytes`. True when the pong was in them, or ended in them. */
bool ws_ping_feed(struct ws_ping_filter *f, struct span bytes);

/* The bytes that are held back now, when some are: to let them go. */
size_t ws_ping_held(const struct ws_tracker *tracker, const uint8_t tag[WS_PING_TAG],
                    uint8_t out[WS_PONG_MAX]);

#endif
