/* chat_text.h -- the texts that are shared by receivers, as JSON of wsserver.v1.json. */
#ifndef WSSERVER_CHAT_TEXT_H
#define WSSERVER_CHAT_TEXT_H

#include <stdint.h>

#include "base/buf.h"
#include "wsserver/hub.h"

struct chat_message {
    struct span channel, ep, mid, cid, from;
    uint64_t seq, ts; /* ts: wall clock, ms */
    struct span data; /* JSON, as it came */
};

/* {"t":"msg",...} at the tail of `to`. */
void chat_text_message(struct buf *to, const struct chat_message *message);

/* A string with its quotes. Bytes that are not UTF-8 become U+FFFD. */
void chat_text_string(struct buf *to, struct span text);

/* A ULID: 48 bits of milliseconds, 80 random bits, in Crockford's base 32. */
void chat_text_mid(uint64_t wall_ms, char out[HUB_MID_LEN + 1]);

#endif
