/* utf8.c -- the table of RFC 3629 section 4 as a state of three bytes. */
#include "ws/utf8.h"

/* Rows of "Syntax of UTF-8 Byte Sequences": first bytes, how many follow, and
 * the range of the second byte. Later ones are always 80-BF. */
static const struct lead {
    uint8_t from, to, left, low, high;
} leads[] = {
    { 0xC2, 0xDF, 1, 0x80, 0xBF }, { 0xE0, 0xE0, 2, 0xA0, 0xBF }, { 0xE1, 0xEC, 2, 0x80, 0xBF },
    { 0xED, 0xED, 2, 0x80, 0x9F }, { 0xEE, 0xEF, 2, 0x80, 0xBF }, { 0xF0, 0xF0, 3, 0x90, 0xBF },
    { 0xF1, 0xF3, 3, 0x80, 0xBF }, { 0xF4, 0xF4, 3, 0x80, 0x8F },
};

static bool start(struct ws_utf8 *state, uint8_t byte)
{
    for (size_t i = 0; i < sizeof leads / sizeof *leads; i++) {
        const struct lead *l = &leads[i];
        if (byte >= l->from && byte <= l->to) {
            *state = (struct ws_utf8){ l->left, l->low, l->high };
            return true;
        }
    }
    return false;
}

/* The first byte from `at` on that is not ASCII, or `end`. */
static const uint8_t *skip_ascii(const uint8_t *at, const uint8_t *end)
{
    uint64_t word;
    for (; end - at >= 8; at += 8) {
        memcpy(&word, at, 8);
        if ((word & 0x8080808080808080) != 0)
            break;
    }
    while (at < end && *at < 0x80)
        at++;
    return at;
}

bool ws_utf8_feed(struct ws_utf8 *state, struct span bytes)
{
    if (bytes.len == 0)
        return true;
    const uint8_t *at = (const uint8_t *)bytes.ptr;
    const uint8_t *end = at + bytes.len;
    while (at < end) {
        if (state->left == 0) {
            at = skip_ascii(at, end);
            if (at < end && !start(state, *at++))
                return false;
        } else {
            if (*at < state->low || *at > state->high)
                return false;
            *state = (struct ws_utf8){ (uint8_t)(state->left - 1), 0x80, 0xBF };
            at++;
        }
    }
    return true;
}

bool ws_utf8_valid(struct span text)
{
    struct ws_utf8 state = { 0 };
    return ws_utf8_feed(&state, text) && ws_utf8_done(&state);
}
