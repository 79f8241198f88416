/*
 * body.h -- where a body ends, and what it holds.
 *
 * The decoder is fed whatever bytes have come and hands back the payload in
 * pieces that point into them: nothing is copied, so nothing of a sender's
 * chunk framing can reach the other side. Chunk sizes have at most 16 digits,
 * an extension at most 256 bytes, the trailer section at most 16 KB; lines end
 * in CR LF and nothing else (RFC 9112 7.1, read strictly).
 */
#ifndef HTTP_BODY_H
#define HTTP_BODY_H

#include "base/buf.h"
#include "http/message.h"

enum http_body_step {
    HTTP_BODY_MORE, /* all input is used; more is needed */
    HTTP_BODY_DATA, /* *payload is the next piece, never empty; call again */
    HTTP_BODY_DONE, /* the body has ended; what is left in *in is not part of it */
    HTTP_BODY_BAD,  /* not a body: end the connection */
};

struct http_body {
    uint64_t left; /* of the length, or of the chunk */
    uint32_t line; /* bytes of the extension or trailer section so far */
    uint8_t state;
    uint8_t digits; /* of the chunk size */
    uint8_t framing;
};

_Static_assert(sizeof(struct http_body) <= 32, "one for each direction of each exchange");

void http_body_init(struct http_body *b, enum http_framing framing, uint64_t length);

/* Take from the front of `*in`. Call it until it says MORE, DONE or BAD; DONE
 * and BAD come again when called again. A body of no bytes is DONE at once. */
enum http_body_step http_body_take(struct http_body *b, struct span *in, struct span *payload);

/* The last byte has been taken. */
bool http_body_is_done(const struct http_body *b);

/* The sender has closed: was that a proper end? Only for a finished body and
 * for HTTP_BODY_UNTIL_CLOSE. */
bool http_body_ends_at_eof(const struct http_body *b);

enum { HTTP_CHUNK_OVERHEAD = 16 + 2 + 2 }; /* around the payload of one chunk */

/* Frame `len` > 0 bytes: begin, the bytes themselves, end. The last chunk
 * carries no trailers. Each writes whole or not at all. */
bool http_chunk_begin(struct buf *to, size_t len);
bool http_chunk_end(struct buf *to);
bool http_chunk_last(struct buf *to);

#endif
