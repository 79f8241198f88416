/*
 * message.h -- messages out of bytes, for an endpoint (RFC 6455 5 to 8).
 *
 * Strict: masking by role, reserved bits and opcodes, minimal lengths, the
 * order of fragments, close codes, and UTF-8, which fails at the first bad byte
 * even in the middle of a frame. No extensions are spoken.
 *
 * Input lies in memory that may be written to (a loop's scratch buffer) and is
 * unmasked in place. A reader owns memory only while a message or a control
 * frame is half received, at most twice what of it came so far: a header that
 * promises a gigabyte allocates nothing. Between messages it owns none.
 *
 *     while ((event = ws_reader_next(&reader, &bytes, &len, &message)) != WS_EV_NONE)
 *         ...
 */
#ifndef WS_MESSAGE_H
#define WS_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "ws/frame.h"
#include "ws/utf8.h"

/* Who reads: a server wants masked frames, a client wants none (5.1). */
enum ws_role { WS_SERVER, WS_CLIENT };

enum ws_event {
    WS_EV_NONE,   /* all bytes were taken; more are needed */
    WS_EV_TEXT,   /* a whole message in `payload` */
    WS_EV_BINARY, /* the same */
    WS_EV_PING,   /* answer with a pong of the same payload */
    WS_EV_PONG,
    WS_EV_CLOSE, /* `code` and `reason`; what follows is thrown away */
    WS_EV_ERROR, /* `code` is what to close with, `why` says it; the rest is thrown away */
};

struct ws_message {
    struct span payload; /* until the next call, or until the caller's memory changes */
    struct span reason;  /* of a Close; the same */
    const char *why;     /* a literal; NULL unless WS_EV_ERROR */
    uint16_t code;       /* Close: as received, 1005 for none. Error: 1002, 1007 or 1009 */
};

struct ws_kept;

struct ws_reader {
    struct ws_kept *kept; /* owned; what of a message came in earlier pieces */
    uint32_t max_message;
    uint32_t left;               /* bytes of the payload of this frame still to come */
    uint8_t head[WS_HEADER_MAX]; /* of this frame */
    uint8_t have;                /* bytes in `head` while it is not whole */
    uint8_t role;                /* enum ws_role */
    uint8_t state;               /* private */
    uint8_t message_opcode;      /* of the message that is under way; 0 is none */
    struct ws_utf8 utf8;         /* of the text that is under way */
};

_Static_assert(sizeof(struct ws_reader) <= 64, "one of these is in every connection");

/* A message over `max_message` bytes (at most UINT32_MAX / 2) is an error, told
 * at the header that goes past it. */
void ws_reader_init(struct ws_reader *r, enum ws_role role, size_t max_message);
void ws_reader_done(struct ws_reader *r);

/* Take bytes off the front of *bytes until something happened or none are left. */
enum ws_event ws_reader_next(struct ws_reader *r, char **bytes, size_t *len,
                             struct ws_message *out);

#endif
