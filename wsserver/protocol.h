/*
 * protocol.h -- wsserver.v1.json (docs/protocol.md) as meaning: a client's
 * frames are read and checked here, and the server's own are written.
 *
 * Pure: text in, values out, and the other way. What a request does is in
 * chat.c. The texts of messages and presence come from the hub as they are.
 */
#ifndef WSSERVER_PROTOCOL_H
#define WSSERVER_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"

/* The protocol's own limits, in bytes; HUB_CHANNEL_MAX and the like are wider. */
enum {
    PROTOCOL_CHANNEL_MAX = 64,
    PROTOCOL_USER_MAX = 64,
    PROTOCOL_CID_MAX = 64,
    PROTOCOL_EP_MAX = 32,
    PROTOCOL_SESS_MAX = 512,
    PROTOCOL_HIST_MAX = 100,
    PROTOCOL_CHANNELS_MAX = 128, /* of a connection */
    PROTOCOL_RESUME_TTL_MS = 120000,
};

enum protocol_type {
    PROTOCOL_AUTH,
    PROTOCOL_SUB,
    PROTOCOL_UNSUB,
    PROTOCOL_PUB,
    PROTOCOL_HIST,
    PROTOCOL_PING,
    PROTOCOL_PONG,
    PROTOCOL_BYE,
};

/* What a client asks for. Fields that the type does not have are empty or 0. */
struct protocol_request {
    enum protocol_type type;
    uint64_t id;      /* 0 when the request had none that could be read */
    struct span ch;   /* a good channel name */
    struct span user; /* of auth: as it came, see protocol_is_user() */
    struct span cid;  /* empty: left out */
    struct span d;    /* of pub: the JSON as it was written, inside the frame's text */
    struct span sess; /* of auth: empty when there is none */
    uint64_t hist, n, before;
    bool pres;
    int64_t ts;
    struct json_t *positions; /* of auth: NULL, or for protocol_position() */
    struct json_t *root;      /* owned; the spans but `d` point into it */
};

enum protocol_code {
    PROTOCOL_OK,
    PROTOCOL_BAD_JSON,
    PROTOCOL_BAD_TYPE,
    PROTOCOL_BAD_FIELD,
    PROTOCOL_BAD_CH,
    PROTOCOL_NOT_SUB,
    PROTOCOL_LIMIT,
    PROTOCOL_TOO_BIG,
    PROTOCOL_UNAVAILABLE,
};

/* Read one frame. When it is not PROTOCOL_OK, `why` names what is wrong, and
 * only `id` and, if it could be read, `type` are of use. The text must live as
 * long as the request; end with protocol_done() either way. */
enum protocol_code protocol_read(struct span text, struct protocol_request *r, const char **why);
void protocol_done(struct protocol_request *r);

/* 1 to 64 of [A-Za-z0-9_.:-]. */
bool protocol_is_channel(struct span name);

/* 1 to 64 bytes of UTF-8 without control characters: users and cids. */
bool protocol_is_user(struct span name);

/* One entry of resume.pos. */
struct protocol_position {
    struct span ch; /* any text */
    bool is_good;   /* a channel name, and [ep, seq] */
    struct span ep;
    uint64_t seq;
};

/* The next one; `*at` is NULL at first. False at the end. */
bool protocol_position(const struct protocol_request *r, void **at, struct protocol_position *out);

/* At most so many bytes has the msg frame that carries this publish. */
size_t protocol_message_size(const struct protocol_request *pub, struct span user);

/* --- the server's frames: added to a buffer that has room -------------------- */

struct protocol_hello {
    const char *node, *conn;
    uint32_t ping_ms, max_message;
    uint64_t ts;
};
void protocol_write_hello(struct buf *to, const struct protocol_hello *hello);

/* welcome: begin, any number of outcomes, end. */
void protocol_begin_welcome(struct buf *to, uint64_t id, struct span user, const char *sess);
void protocol_welcome_ok(struct buf *to, struct span ch, const char *ep, uint64_t from,
                         uint64_t end);
/* `ep` is NULL when there is nothing to say of what is kept. */
void protocol_welcome_lost(struct buf *to, struct span ch, const char *why, const char *ep,
                           uint64_t have_lo, uint64_t have_hi);
void protocol_end_welcome(struct buf *to);

void protocol_write_joined(struct buf *to, uint64_t id, const char *ch, const char *ep,
                           uint64_t from, uint64_t seq);
void protocol_write_left(struct buf *to, uint64_t id, struct span ch);

struct protocol_ack {
    uint64_t id, seq;
    const char *ch, *ep, *mid, *durability;
    bool is_duplicate;
};
void protocol_write_ack(struct buf *to, const struct protocol_ack *ack);

/* hist: begin, whole msg frames with commas between, end. */
void protocol_begin_hist(struct buf *to, uint64_t id, const char *ch, const char *ep);
void protocol_end_hist(struct buf *to, bool more);

/* `retry_ms` is 0 for a request that will not succeed. */
void protocol_write_err(struct buf *to, uint64_t id, enum protocol_code code, uint32_t retry_ms,
                        const char *msg);
void protocol_write_ping(struct buf *to, uint64_t ts);
void protocol_write_pong(struct buf *to, int64_t ts);
void protocol_write_drain(struct buf *to, uint32_t after_ms, uint32_t by_ms);

/* A presence text of the hub with another `rev`: the hub's rises by more than
 * one at times, a connection's must not. */
void protocol_write_presence(struct buf *to, struct span text, uint64_t rev);

/* --- bare text mode ----------------------------------------------------------- */

/* A text as the data of a message: {"text":"..."} */
void protocol_write_text_data(struct buf *to, struct span text);

/* A msg frame of the hub as "name: text". */
void protocol_write_bare(struct buf *to, struct span msg);

#endif
