/*
 * frame.h -- WebSocket frame headers on the wire (RFC 6455 5.2), strictly.
 *
 * Reading and writing one header, masking, and whole control frames. Whether a
 * frame may come now (fragments, masking by role, sizes) is message.h's affair;
 * tracker.h follows frames without any of these checks.
 */
#ifndef WS_FRAME_H
#define WS_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

/* RFC 6455 11.8. The others are reserved. */
enum ws_opcode {
    WS_OP_CONTINUATION = 0,
    WS_OP_TEXT = 1,
    WS_OP_BINARY = 2,
    WS_OP_CLOSE = 8,
    WS_OP_PING = 9,
    WS_OP_PONG = 10,
};

enum {
    WS_HEADER_MAX = 14,   /* bytes of the longest header: 64-bit length and mask */
    WS_CONTROL_MAX = 125, /* bytes of payload in a control frame (5.5) */
};

struct ws_header {
    bool fin;
    bool rsv1; /* a compressed message starts here (RFC 7692 6) */
    bool masked;
    uint8_t opcode;  /* enum ws_opcode */
    uint8_t mask[4]; /* zero when not masked */
    uint64_t payload_len;
    size_t header_len; /* bytes on the wire: 2 to WS_HEADER_MAX */
};

enum ws_parse {
    WS_PARSE_DONE,               /* the header is whole */
    WS_PARSE_PARTIAL,            /* good so far; more bytes are needed */
    WS_PARSE_RSV,                /* a reserved bit without an extension that gives it a meaning */
    WS_PARSE_OPCODE,             /* a reserved opcode */
    WS_PARSE_CONTROL_FRAGMENTED, /* a control frame without FIN */
    WS_PARSE_CONTROL_LONG,       /* a control frame of over WS_CONTROL_MAX bytes */
    WS_PARSE_LENGTH_NOT_MINIMAL, /* a long form for a length that a shorter one can say */
    WS_PARSE_LENGTH_TOP_BIT,     /* 2^63 or more */
};

static inline bool ws_opcode_is_control(uint8_t opcode)
{
    return (opcode & 8) != 0;
}

static inline bool ws_opcode_is_known(uint8_t opcode)
{
    return opcode <= WS_OP_BINARY || (opcode >= WS_OP_CLOSE && opcode <= WS_OP_PONG);
}

/* Read the header at the start of `bytes`; what follows it is ignored. An error
 * is told at the first byte that shows it. `out` is written on WS_PARSE_DONE
 * only. With `allow_rsv1` (permessage-deflate is agreed), text and binary
 * frames may carry RSV1; continuations and control frames never (RFC 7692 6). */
enum ws_parse ws_header_parse(struct span bytes, bool allow_rsv1, struct ws_header *out);

/* What is wrong, as a sentence for logs and Close reasons; "" for the first two. */
const char *ws_parse_why(enum ws_parse parse);

/* Write `h` in its shortest form; header_len is not read. Returns the bytes
 * written. */
size_t ws_header_write(uint8_t out[WS_HEADER_MAX], const struct ws_header *h);

/* Mask or unmask `n` bytes in place; `offset` is where the first of them stands
 * in the payload of its frame (5.3). */
void ws_mask(void *bytes, size_t n, const uint8_t mask[4], uint64_t offset);

/* A whole control frame; `mask` is NULL for an unmasked one. At most
 * WS_CONTROL_MAX bytes of payload. Returns the length of the frame. */
size_t ws_control_write(uint8_t out[WS_HEADER_MAX + WS_CONTROL_MAX], uint8_t opcode,
                        struct span payload, const uint8_t *mask);

#endif
