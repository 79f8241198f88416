/* close.h -- close codes and the payload of Close frames (RFC 6455 5.5.1, 7.4). */
#ifndef WS_CLOSE_H
#define WS_CLOSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "ws/frame.h"

/* The codes of IANA's registry. */
enum ws_close {
    WS_CLOSE_NORMAL = 1000,
    WS_CLOSE_GOING_AWAY = 1001,
    WS_CLOSE_PROTOCOL_ERROR = 1002,
    WS_CLOSE_UNSUPPORTED_DATA = 1003,
    WS_CLOSE_NO_STATUS = 1005, /* never on the wire: a Close without a code */
    WS_CLOSE_ABNORMAL = 1006,  /* never on the wire: ended without a Close */
    WS_CLOSE_INVALID_DATA = 1007,
    WS_CLOSE_POLICY = 1008,
    WS_CLOSE_TOO_BIG = 1009,
    WS_CLOSE_EXTENSION_NEEDED = 1010,
    WS_CLOSE_INTERNAL_ERROR = 1011,
    WS_CLOSE_RESTART = 1012,
    WS_CLOSE_TRY_LATER = 1013,
    WS_CLOSE_BAD_GATEWAY = 1014,
    WS_CLOSE_TLS_FAILED = 1015, /* never on the wire */
};

/* A stable name for logs and metrics: "going_away"; "library" for 3000-3999,
 * "application" for 4000-4999, "unknown" for the rest. */
const char *ws_close_name(uint16_t code);

/* May it stand in a Close frame? 1000-1003, 1007-1014, 3000-4999. */
bool ws_close_is_valid(uint16_t code);

/* Read the payload of a Close frame. An empty one gives WS_CLOSE_NO_STATUS.
 * `reason` points into the payload. False when the payload is no good; *code
 * is then what to close with: WS_CLOSE_PROTOCOL_ERROR (one byte, or a code that
 * may not be sent) or WS_CLOSE_INVALID_DATA (the reason is no UTF-8), and the
 * reason is empty. */
bool ws_close_parse(struct span payload, uint16_t *code, struct span *reason);

/* Write the payload of a Close frame and return its length. WS_CLOSE_NO_STATUS
 * writes none. A reason over 123 bytes is cut, between characters. */
size_t ws_close_write(uint8_t out[WS_CONTROL_MAX], uint16_t code, struct span reason);

#endif
