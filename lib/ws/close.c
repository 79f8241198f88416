/* close.c -- the table of close codes; Close payloads. */
#include "ws/close.h"

#include "ws/utf8.h"

static const struct row {
    uint16_t from, to;
    bool on_wire;
    const char *name;
} rows[] = {
    { WS_CLOSE_NORMAL, WS_CLOSE_NORMAL, true, "normal" },
    { WS_CLOSE_GOING_AWAY, WS_CLOSE_GOING_AWAY, true, "going_away" },
    { WS_CLOSE_PROTOCOL_ERROR, WS_CLOSE_PROTOCOL_ERROR, true, "protocol_error" },
    { WS_CLOSE_UNSUPPORTED_DATA, WS_CLOSE_UNSUPPORTED_DATA, true, "unsupported_data" },
    { 1004, 1004, false, "reserved" },
    { WS_CLOSE_NO_STATUS, WS_CLOSE_NO_STATUS, false, "no_status" },
    { WS_CLOSE_ABNORMAL, WS_CLOSE_ABNORMAL, false, "abnormal" },
    { WS_CLOSE_INVALID_DATA, WS_CLOSE_INVALID_DATA, true, "invalid_data" },
    { WS_CLOSE_POLICY, WS_CLOSE_POLICY, true, "policy_violation" },
    { WS_CLOSE_TOO_BIG, WS_CLOSE_TOO_BIG, true, "too_big" },
    { WS_CLOSE_EXTENSION_NEEDED, WS_CLOSE_EXTENSION_NEEDED, true, "extension_needed" },
    { WS_CLOSE_INTERNAL_ERROR, WS_CLOSE_INTERNAL_ERROR, true, "internal_error" },
    { WS_CLOSE_RESTART, WS_CLOSE_RESTART, true, "service_restart" },
    { WS_CLOSE_TRY_LATER, WS_CLOSE_TRY_LATER, true, "try_again_later" },
    { WS_CLOSE_BAD_GATEWAY, WS_CLOSE_BAD_GATEWAY, true, "bad_gateway" },
    { WS_CLOSE_TLS_FAILED, WS_CLOSE_TLS_FAILED, false, "tls_failed" },
    { 3000, 3999, true, "library" },
    { 4000, 4999, true, "application" },
    { 0, UINT16_MAX, false, "unknown" },
};

/* The last row takes every code. */
static const struct row *find(uint16_t code)
{
    const struct row *row = rows;
    while (code < row->from || code > row->to)
        row++;
    return row;
}

const char *ws_close_name(uint16_t code)
{
    return find(code)->name;
}

bool ws_close_is_valid(uint16_t code)
{
    return find(code)->on_wire;
}

bool ws_close_parse(struct span payload, uint16_t *code, struct span *reason)
{
    *reason = span_after(payload, 2);
    if (payload.len == 0) {
        *code = WS_CLOSE_NO_STATUS;
        return true;
    }
    if (payload.len == 1) {
        *code = WS_CLOSE_PROTOCOL_ERROR;
        return false;
    }
    *code = (uint16_t)((uint8_t)payload.ptr[0] << 8 | (uint8_t)payload.ptr[1]);
    bool code_is_valid = ws_close_is_valid(*code);
    if (code_is_valid && ws_utf8_valid(*reason))
        return true;
    *code = code_is_valid ? WS_CLOSE_INVALID_DATA : WS_CLOSE_PROTOCOL_ERROR;
    *reason = SPAN("");
    return false;
}

size_t ws_close_write(uint8_t out[WS_CONTROL_MAX], uint16_t code, struct span reason)
{
    if (code == WS_CLOSE_NO_STATUS)
        return 0;
    size_t n = reason.len;
    if (n > WS_CONTROL_MAX - 2) {
        n = WS_CONTROL_MAX - 2;
        while (n > 0 && ((uint8_t)reason.ptr[n] & 0xC0) == 0x80)
            n--;
    }
    out[0] = (uint8_t)(code >> 8);
    out[1] = (uint8_t)code;
    if (n > 0)
        memcpy(out + 2, reason.ptr, n);
    return n + 2;
}
