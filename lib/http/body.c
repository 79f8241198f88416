/*
 * body.c -- see body.h.
 *
 *   SIZE --;--> EXTENSION --CR--> SIZE_LF --> DATA --> DATA_CR --> DATA_LF --+
 *    ^  \_________CR______________/   \                                      |
 *    +--------------------------------|--------------------------------------+
 *                        (size 0)     v
 *                                TRAILER --CR--> LAST_LF --> ENDED
 *                                 ^    \--> NAME --:--> VALUE --CR--> LINE_LF
 *                                 +--------------------------------------+
 */
#include "http/body.h"
#include "http/chars.h"

enum { SIZE_DIGITS_MAX = 16, EXTENSION_MAX = 256, TRAILERS_MAX = 16384 };

enum state {
    SIZE,
    EXTENSION,
    SIZE_LF,
    DATA,
    DATA_CR,
    DATA_LF,
    TRAILER,
    NAME,
    VALUE,
    LINE_LF,
    LAST_LF,
    PLAIN, /* a body without chunks */
    ENDED,
    BROKEN,
};

void http_body_init(struct http_body *b, enum http_framing framing, uint64_t length)
{
    *b = (struct http_body){ .framing = (uint8_t)framing };
    switch (framing) {
    case HTTP_BODY_NONE:
        b->state = ENDED;
        return;
    case HTTP_BODY_LENGTH:
        b->left = length;
        b->state = length == 0 ? ENDED : PLAIN;
        return;
    case HTTP_BODY_CHUNKED:
        b->state = SIZE;
        return;
    case HTTP_BODY_UNTIL_CLOSE:
        b->left = UINT64_MAX;
        b->state = PLAIN;
        return;
    }
}

static enum state expect(char got, char want, enum state next)
{
    return got == want ? next : BROKEN;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static enum state at_size(struct http_body *b, char c)
{
    int digit = hex_digit(c);

    if (digit < 0 && b->digits == 0)
        return BROKEN;
    if (c == '\r')
        return SIZE_LF;
    if (c == ';')
        return EXTENSION;
    if (digit < 0 || b->digits++ == SIZE_DIGITS_MAX)
        return BROKEN;
    b->left = b->left << 4 | (uint64_t)digit;
    return SIZE;
}

static enum state at_extension(struct http_body *b, char c)
{
    if (c == '\r')
        return SIZE_LF;
    return c > ' ' && c < 0x7f && b->line++ < EXTENSION_MAX ? EXTENSION : BROKEN;
}

static enum state after_size(struct http_body *b, char c)
{
    b->digits = 0;
    b->line = 0;
    return expect(c, '\n', b->left == 0 ? TRAILER : DATA);
}

/* A trailer has to look like a field, and is forgotten. */
static enum state at_trailer(struct http_body *b, char c)
{
    unsigned bits = http_chars[(uint8_t)c];

    if (b->line++ == TRAILERS_MAX)
        return BROKEN;
    if (b->state == TRAILER && c == '\r')
        return LAST_LF;
    if (b->state == VALUE) {
        if (c == '\r')
            return LINE_LF;
        return bits & (HTTP_C_TEXT | HTTP_C_HIGH) ? VALUE : BROKEN;
    }
    if (b->state == NAME && c == ':')
        return VALUE;
    return bits & HTTP_C_TOKEN ? NAME : BROKEN;
}

static enum state next_state(struct http_body *b, char c)
{
    switch ((enum state)b->state) {
    case SIZE:
        return at_size(b, c);
    case EXTENSION:
        return at_extension(b, c);
    case SIZE_LF:
        return after_size(b, c);
    case DATA_CR:
        return expect(c, '\r', DATA_LF);
    case DATA_LF:
        return expect(c, '\n', SIZE);
    case TRAILER:
    case NAME:
    case VALUE:
        return at_trailer(b, c);
    case LINE_LF:
        return expect(c, '\n', TRAILER);
    case LAST_LF:
        return expect(c, '\n', ENDED);
    case DATA:
    case PLAIN:
    case ENDED:
    case BROKEN:
        break;
    }
    return BROKEN;
}

static enum http_body_step take_payload(struct http_body *b, struct span *in, struct span *payload)
{
    size_t n = b->left < in->len ? (size_t)b->left : in->len;

    *payload = span_of(in->ptr, n);
    *in = span_after(*in, n);
    if (b->framing == HTTP_BODY_UNTIL_CLOSE)
        return HTTP_BODY_DATA;
    b->left -= n;
    if (b->left == 0)
        b->state = b->state == PLAIN ? ENDED : DATA_CR;
    return HTTP_BODY_DATA;
}

enum http_body_step http_body_take(struct http_body *b, struct span *in, struct span *payload)
{
    for (;;) {
        if (b->state == ENDED)
            return HTTP_BODY_DONE;
        if (b->state == BROKEN)
            return HTTP_BODY_BAD;
        if (in->len == 0)
            return HTTP_BODY_MORE;
        if (b->state == DATA || b->state == PLAIN)
            return take_payload(b, in, payload);
        b->state = (uint8_t)next_state(b, in->ptr[0]);
        *in = span_after(*in, 1);
    }
}

bool http_body_is_done(const struct http_body *b)
{
    return b->state == ENDED;
}

bool http_body_ends_at_eof(const struct http_body *b)
{
    return b->state == ENDED || b->framing == HTTP_BODY_UNTIL_CLOSE;
}

bool http_chunk_begin(struct buf *to, size_t len)
{
    char text[SIZE_DIGITS_MAX + 2];
    size_t at = sizeof(text);

    text[--at] = '\n';
    text[--at] = '\r';
    do {
        text[--at] = "0123456789abcdef"[len & 15];
        len >>= 4;
    } while (len > 0);
    return buf_put(to, span_of(text + at, sizeof(text) - at));
}

bool http_chunk_end(struct buf *to)
{
    return buf_put(to, SPAN("\r\n"));
}

bool http_chunk_last(struct buf *to)
{
    return buf_put(to, SPAN("0\r\n\r\n"));
}
