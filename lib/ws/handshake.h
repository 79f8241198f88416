/*
 * handshake.h -- the opening handshake, both sides (RFC 6455 4), and what is
 * wrong with one that fails.
 *
 * Every refusal is one of a closed list, and has a name for logs and metrics, a
 * status to answer with, and a cause and a cure in one sentence each: whoever
 * sees a WebSocket that does not open should not have to guess.
 */
#ifndef WS_HANDSHAKE_H
#define WS_HANDSHAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

struct buf;
struct http_message;

enum ws_refusal {
    WS_OK,
    /* requests */
    WS_NOT_UPGRADE,
    WS_STRIPPED, /* somebody on the way took every Sec-WebSocket-* field off */
    WS_NOT_GET,
    WS_BAD_HTTP_VERSION,
    WS_NO_CONNECTION_TOKEN,
    WS_BODY_ON_UPGRADE,
    WS_MISSING_VERSION,
    WS_BAD_VERSION,
    WS_MISSING_KEY,
    WS_BAD_KEY,
    /* responses */
    WS_STATUS_NOT_101,
    WS_NO_UPGRADE_FIELD,
    WS_NO_CONNECTION_FIELD,
    WS_BODY_ON_101,
    WS_ACCEPT_MISSING,
    WS_ACCEPT_MISMATCH,
    WS_PROTOCOL_NOT_OFFERED,
    WS_EXTENSION_NOT_OFFERED,
    WS_REFUSALS,
};

/* A stable word: "ok", "missing_key". */
const char *ws_refusal_name(enum ws_refusal refusal);

/* 400; 426 for the version (send Sec-WebSocket-Version: 13 with it); 502 for
 * what the other side answered; 101 for WS_OK. */
int ws_refusal_status(enum ws_refusal refusal);

/* What was seen, and what to do about it. Behind a CDN edge the cure for fields
 * that are missing is in the edge's configuration, and says which. */
const char *ws_refusal_cause(enum ws_refusal refusal);
const char *ws_refusal_cure(enum ws_refusal refusal, bool behind_edge);

/* Does it bear the marks of a CDN edge (Via or X-Amz-Cf-Id)? */
bool ws_behind_edge(const struct http_message *request);

/* Does it ask for a WebSocket at all: an Upgrade field that lists `websocket`?
 * Other upgrades (h2c) are none of ours: a balancer treats those as plain
 * requests. */
bool ws_request_wants(const struct http_message *request);

/* May this request be upgraded? For a request that wants it, or that came to a
 * place where nothing but a WebSocket is served. WS_STRIPPED: there is an
 * Upgrade field or the mark of an edge, and no Sec-WebSocket-* field. */
enum ws_refusal ws_request_check(const struct http_message *request);

enum { WS_ACCEPT_SIZE = 29 };

/* The Sec-WebSocket-Accept that belongs to a key: 28 characters and a NUL
 * (4.2.2). */
void ws_accept_value(struct span key, char out[WS_ACCEPT_SIZE]);

/* Is this response the 101 that was asked for? `offered_*` are what the request
 * offered: its fields' values joined by commas, empty for none. Extensions are
 * compared by name; their parameters are the endpoints' affair. */
enum ws_refusal ws_response_check(const struct http_message *response, struct span expected_accept,
                                  struct span offered_protocols, struct span offered_extensions);

/* Does the request offer the subprotocol `wanted`? Case counts (11.3.4). */
bool ws_pick_protocol(const struct http_message *request, struct span wanted);

/* The whole head of a 101. `protocol` may be empty; `extra_fields` is empty or
 * whole lines, each with its CRLF. False, and nothing written, when it does not
 * fit. */
bool ws_write_101(struct buf *to, struct span key, struct span protocol, struct span extra_fields);

#endif
