/* frame.c -- frame headers: reading, writing, masking. */
#include "ws/frame.h"

#include "base/bug.h"

enum { FIN = 0x80, RSV1 = 0x40, RSV23 = 0x30, MASKED = 0x80, LENGTH_16 = 126, LENGTH_64 = 127 };

const char *ws_parse_why(enum ws_parse parse)
{
    static const char *const whys[] = {
        [WS_PARSE_DONE] = "",
        [WS_PARSE_PARTIAL] = "",
        [WS_PARSE_RSV] = "a reserved bit is set without an extension",
        [WS_PARSE_OPCODE] = "the opcode is reserved",
        [WS_PARSE_CONTROL_FRAGMENTED] = "a control frame is fragmented",
        [WS_PARSE_CONTROL_LONG] = "a control frame is over 125 bytes",
        [WS_PARSE_LENGTH_NOT_MINIMAL] = "a length is not in its shortest form",
        [WS_PARSE_LENGTH_TOP_BIT] = "a length is 2^63 or more",
    };
    return whys[parse];
}

static enum ws_parse check_first(uint8_t byte, bool allow_rsv1)
{
    uint8_t opcode = byte & 15;
    bool may_rsv1 = allow_rsv1 && (opcode == WS_OP_TEXT || opcode == WS_OP_BINARY);
    if ((byte & RSV23) != 0 || ((byte & RSV1) != 0 && !may_rsv1))
        return WS_PARSE_RSV;
    if (!ws_opcode_is_known(opcode))
        return WS_PARSE_OPCODE;
    if (ws_opcode_is_control(opcode) && (byte & FIN) == 0)
        return WS_PARSE_CONTROL_FRAGMENTED;
    return WS_PARSE_DONE;
}

/* Bytes of the length after its 7-bit form. */
static size_t length_bytes(uint8_t short_length)
{
    return short_length == LENGTH_64 ? 8 : short_length == LENGTH_16 ? 2 : 0;
}

/* The extended length from as many of its `n` bytes as there are: what is
 * missing is taken for the best that could come. */
static enum ws_parse read_length(struct span bytes, size_t n, uint64_t *length)
{
    size_t have = bytes.len < n ? bytes.len : n;
    uint64_t value = 0;
    for (size_t i = 0; i < n; i++)
        value = value << 8 | (i < have ? (uint8_t)bytes.ptr[i] : 0xFF);
    *length = value;
    if (n == 8 && have > 0 && value >> 63 != 0)
        return WS_PARSE_LENGTH_TOP_BIT;
    if (value <= (n == 8 ? 0xFFFF : WS_CONTROL_MAX))
        return WS_PARSE_LENGTH_NOT_MINIMAL;
    return have == n ? WS_PARSE_DONE : WS_PARSE_PARTIAL;
}

enum ws_parse ws_header_parse(struct span bytes, bool allow_rsv1, struct ws_header *out)
{
    const uint8_t *b = (const uint8_t *)bytes.ptr;
    if (bytes.len == 0)
        return WS_PARSE_PARTIAL;
    enum ws_parse parse = check_first(b[0], allow_rsv1);
    if (parse != WS_PARSE_DONE || bytes.len == 1)
        return parse == WS_PARSE_DONE ? WS_PARSE_PARTIAL : parse;

    uint64_t length = b[1] & 0x7F;
    size_t extended = length_bytes((uint8_t)length);
    if (extended > 0 && ws_opcode_is_control(b[0] & 15))
        return WS_PARSE_CONTROL_LONG;
    if (extended > 0)
        parse = read_length(span_after(bytes, 2), extended, &length);
    bool masked = (b[1] & MASKED) != 0;
    size_t header_len = 2 + extended + (masked ? 4 : 0);
    if (parse == WS_PARSE_DONE && bytes.len < header_len)
        parse = WS_PARSE_PARTIAL;
    if (parse != WS_PARSE_DONE)
        return parse;

    *out = (struct ws_header){ .fin = (b[0] & FIN) != 0,
                               .rsv1 = (b[0] & RSV1) != 0,
                               .masked = masked,
                               .opcode = b[0] & 15,
                               .payload_len = length,
                               .header_len = header_len };
    if (masked)
        memcpy(out->mask, b + 2 + extended, 4);
    return WS_PARSE_DONE;
}

size_t ws_header_write(uint8_t out[WS_HEADER_MAX], const struct ws_header *h)
{
    uint8_t short_length = h->payload_len > 0xFFFF           ? LENGTH_64
                           : h->payload_len > WS_CONTROL_MAX ? LENGTH_16
                                                             : (uint8_t)h->payload_len;
    out[0] = (uint8_t)((h->fin ? FIN : 0) | (h->rsv1 ? RSV1 : 0) | h->opcode);
    out[1] = (uint8_t)((h->masked ? MASKED : 0) | short_length);
    size_t at = 2;
    for (size_t left = length_bytes(short_length); left > 0; left--)
        out[at++] = (uint8_t)(h->payload_len >> (8 * (left - 1)));
    if (h->masked) {
        memcpy(out + at, h->mask, 4);
        at += 4;
    }
    return at;
}

void ws_mask(void *bytes, size_t n, const uint8_t mask[4], uint64_t offset)
{
    uint8_t *at = bytes;
    uint8_t turned[8]; /* the mask twice, from the byte that `offset` asks for */
    for (size_t i = 0; i < 8; i++)
        turned[i] = mask[(offset + i) & 3];
    uint64_t wide;
    memcpy(&wide, turned, 8);
    for (; n >= 8; n -= 8, at += 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        word ^= wide;
        memcpy(at, &word, 8);
    }
    for (size_t i = 0; i < n; i++)
        at[i] ^= turned[i];
}

size_t ws_control_write(uint8_t out[WS_HEADER_MAX + WS_CONTROL_MAX], uint8_t opcode,
                        struct span payload, const uint8_t *mask)
{
    if (payload.len > WS_CONTROL_MAX)
        bug("the payload of a control frame is over 125 bytes");
    struct ws_header h = { .fin = true, .opcode = opcode, .payload_len = payload.len };
    if (mask != NULL) {
        h.masked = true;
        memcpy(h.mask, mask, 4);
    }
    size_t n = ws_header_write(out, &h);
    if (payload.len > 0)
        memcpy(out + n, payload.ptr, payload.len);
    ws_mask(out + n, payload.len, h.mask, 0);
    return n + payload.len;
}
