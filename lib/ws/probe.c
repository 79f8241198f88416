/* probe.c -- see probe.h. */
#include "ws/probe.h"

#include <string.h>

#include "base/buf.h"
#include "base/text.h"
#include "ws/close.h"

enum { KEY_BYTES = 16 };

void ws_probe_init(struct ws_probe *p, const uint8_t random[WS_PROBE_RANDOM])
{
    *p = (struct ws_probe){ .skip = 0 };
    text_base64(random, KEY_BYTES, p->key);
    memcpy(p->ping, random + KEY_BYTES, sizeof(p->ping));
    memcpy(p->mask, random + KEY_BYTES + sizeof(p->ping), sizeof(p->mask));
}

bool ws_probe_put_fields(const struct ws_probe *p, struct buf *to)
{
    return buf_print(to,
                     "Connection: Upgrade\r\nUpgrade: websocket\r\n"
                     "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n",
                     p->key);
}

enum ws_refusal ws_probe_answer(const struct ws_probe *p, const struct http_message *response)
{
    char accept[WS_ACCEPT_SIZE];

    ws_accept_value(span_text(p->key), accept);
    return ws_response_check(response, span_text(accept), SPAN(""), SPAN(""));
}

size_t ws_probe_ping(const struct ws_probe *p, uint8_t out[WS_HEADER_MAX + WS_CONTROL_MAX])
{
    return ws_control_write(out, WS_OP_PING, span_of((const char *)p->ping, sizeof(p->ping)),
                            p->mask);
}

size_t ws_probe_close(const struct ws_probe *p, uint8_t out[WS_HEADER_MAX + WS_CONTROL_MAX])
{
    uint8_t payload[WS_CONTROL_MAX];
    const size_t n = ws_close_write(payload, WS_CLOSE_NORMAL, SPAN(""));

    return ws_control_write(out, WS_OP_CLOSE, span_of((const char *)payload, n), p->mask);
}

static void take(struct ws_probe *p, struct span *in, uint64_t n)
{
    const size_t most = n < in->len ? (size_t)n : in->len;

    p->taken += (uint32_t)most;
    *in = span_after(*in, most);
}

static bool is_our_pong(const struct ws_probe *p, const struct ws_header *h, struct span payload)
{
    return h->opcode == WS_OP_PONG && payload.len == sizeof(p->ping) &&
           memcmp(payload.ptr, p->ping, sizeof(p->ping)) == 0;
}

/* One whole control frame. */
static enum ws_probe_step control(struct ws_probe *p, const struct ws_header *h,
                                  struct span payload, const char **why)
{
    if (h->opcode == WS_OP_CLOSE && !p->has_pong) {
        *why = "the target sent a Close in place of a pong";
        return WS_PROBE_BAD;
    }
    if (h->opcode == WS_OP_CLOSE)
        return WS_PROBE_CLOSED;
    if (p->has_pong || !is_our_pong(p, h, payload))
        return WS_PROBE_MORE;
    p->has_pong = true;
    return WS_PROBE_PONG;
}

/* False when the next frame has not come so far as it is needed. */
static bool next(struct ws_probe *p, struct span *in, enum ws_probe_step *step, const char **why)
{
    struct ws_header h;
    const enum ws_parse parsed = ws_header_parse(*in, false, &h);

    *step = WS_PROBE_MORE;
    if (parsed == WS_PARSE_PARTIAL)
        return false;
    if (parsed != WS_PARSE_DONE || h.masked) {
        *why = parsed != WS_PARSE_DONE ? ws_parse_why(parsed) : "a frame of the target is masked";
        *step = WS_PROBE_BAD;
        return true;
    }
    if (!ws_opcode_is_control(h.opcode)) {
        take(p, in, h.header_len);
        p->skip = h.payload_len;
        return true;
    }
    const size_t whole = h.header_len + (size_t)h.payload_len;
    if (in->len < whole)
        return false;
    *step = control(p, &h, span_of(in->ptr + h.header_len, (size_t)h.payload_len), why);
    take(p, in, whole);
    return true;
}

enum ws_probe_step ws_probe_read(struct ws_probe *p, struct span *in, const char **why)
{
    enum ws_probe_step step = WS_PROBE_MORE;
    bool goes_on = true;

    while (goes_on && step == WS_PROBE_MORE) {
        const size_t before = in->len;
        take(p, in, p->skip);
        p->skip -= before - in->len;
        goes_on = p->skip == 0 && next(p, in, &step, why);
        if (step == WS_PROBE_MORE && p->taken > WS_PROBE_MOST) {
            *why = "the target sent over 64 KB before the pong";
            return WS_PROBE_BAD;
        }
    }
    return step;
}
