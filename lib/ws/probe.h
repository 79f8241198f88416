/*
 * probe.h -- the client's side of the shortest WebSocket: opened, pinged, closed.
 *
 * For checks of whether a server really speaks it. Pure: the caller moves the bytes.
 *
 *     fields out -> 101 in -> ping out -> pong in -> Close out -> Close in
 *
 * A server may greet with frames of its own before it answers the ping: they are skipped, up
 * to WS_PROBE_MOST bytes of them.
 */
#ifndef WS_PROBE_H
#define WS_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "ws/frame.h"
#include "ws/handshake.h"

struct buf;
struct http_message;

enum { WS_PROBE_RANDOM = 28, WS_PROBE_PING = 8, WS_PROBE_MOST = 64 * 1024 };

struct ws_probe {
    char key[25]; /* with a NUL */
    uint8_t ping[WS_PROBE_PING], mask[4];
    uint64_t skip;  /* bytes left of the payload of a data frame */
    uint32_t taken; /* since the 101 */
    bool has_pong;
};

enum ws_probe_step {
    WS_PROBE_MORE,   /* more bytes are needed */
    WS_PROBE_PONG,   /* the pong came: send the Close, and read on */
    WS_PROBE_CLOSED, /* after the pong: the server's Close */
    WS_PROBE_BAD,    /* `why` says what is wrong */
};

/* Begin, with that many unpredictable bytes. */
void ws_probe_init(struct ws_probe *p, const uint8_t random[WS_PROBE_RANDOM]);

/* The fields of the request that ask for it, as whole lines. False when there is no room. */
bool ws_probe_put_fields(const struct ws_probe *p, struct buf *to);

/* Is this the 101? Nothing else has WS_OK. */
enum ws_refusal ws_probe_answer(const struct ws_probe *p, const struct http_message *response);

/* Whole masked frames; return their length. The Close has code 1000. */
size_t ws_probe_ping(const struct ws_probe *p, uint8_t out[WS_HEADER_MAX + WS_CONTROL_MAX]);
size_t ws_probe_close(const struct ws_probe *p, uint8_t out[WS_HEADER_MAX + WS_CONTROL_MAX]);

/* Take what can be used off the front of `in`. */
enum ws_probe_step ws_probe_read(struct ws_probe *p, struct span *in, const char **why);

#endif
