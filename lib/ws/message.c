/*
 * message.c -- a reader goes from header to payload and back.
 *
 * What came in one piece is handed out where it lies. `kept` exists only while
 * something has to be remembered from one call to the next: the message so far,
 * and the control frame so far, which may come between its fragments.
 */
#include "ws/message.h"

#include "base/mem.h"
#include "ws/close.h"

enum { IN_HEADER, IN_PAYLOAD, ENDED };

struct ws_kept {
    uint32_t len, size; /* of the message */
    uint8_t control_len;
    char control[WS_CONTROL_MAX];
    char message[];
};

void ws_reader_init(struct ws_reader *r, enum ws_role role, size_t max_message)
{
    *r = (struct ws_reader){ .role = (uint8_t)role, .max_message = (uint32_t)max_message };
}

void ws_reader_done(struct ws_reader *r)
{
    mem_free(r->kept);
}

static void end(struct ws_reader *r)
{
    r->state = ENDED;
    r->message_opcode = 0;
}

static enum ws_event fail(struct ws_reader *r, struct ws_message *out, uint16_t code,
                          const char *why)
{
    end(r);
    out->code = code;
    out->why = why;
    return WS_EV_ERROR;
}

static uint32_t kept_len(const struct ws_reader *r)
{
    return r->kept == NULL ? 0 : r->kept->len;
}

static void keep_message(struct ws_reader *r, struct span piece)
{
    uint32_t need = kept_len(r) + (uint32_t)piece.len;
    uint32_t size = r->kept == NULL ? 0 : r->kept->size;
    if (piece.len == 0)
        return;
    if (need > size) {
        bool is_new = r->kept == NULL;
        size = need > 2 * size ? need : 2 * size;
        r->kept = mem_resize(r->kept, sizeof *r->kept + size);
        if (is_new)
            *r->kept = (struct ws_kept){ 0 };
        r->kept->size = size;
    }
    memcpy(r->kept->message + r->kept->len, piece.ptr, piece.len);
    r->kept->len = need;
}

static struct span keep_control(struct ws_reader *r, struct span piece)
{
    if (r->kept == NULL)
        r->kept = mem_new(struct ws_kept);
    struct ws_kept *kept = r->kept;
    if (piece.len > 0)
        memcpy(kept->control + kept->control_len, piece.ptr, piece.len);
    kept->control_len = (uint8_t)(kept->control_len + piece.len);
    return span_of(kept->control, kept->control_len);
}

/* May a frame with this header come now? NULL, or why not. */
static const char *check_order(const struct ws_reader *r, const struct ws_header *h)
{
    if (h->masked != (r->role == WS_SERVER))
        return h->masked ? "a server's frame is masked" : "a client's frame is not masked";
    if (ws_opcode_is_control(h->opcode))
        return NULL;
    if (h->opcode == WS_OP_CONTINUATION && r->message_opcode == 0)
        return "a continuation without a message to continue";
    if (h->opcode != WS_OP_CONTINUATION && r->message_opcode != 0)
        return "a new message before the last fragment of another";
    return NULL;
}

static enum ws_event begin_frame(struct ws_reader *r, const struct ws_header *h,
                                 struct ws_message *out)
{
    const char *why = check_order(r, h);
    if (why != NULL)
        return fail(r, out, WS_CLOSE_PROTOCOL_ERROR, why);
    if (ws_opcode_is_control(h->opcode)) {
        if (r->kept != NULL)
            r->kept->control_len = 0;
    } else if (h->payload_len > r->max_message - kept_len(r)) {
        return fail(r, out, WS_CLOSE_TOO_BIG, "the message is too big");
    } else if (h->opcode != WS_OP_CONTINUATION) {
        r->message_opcode = h->opcode;
        r->utf8 = (struct ws_utf8){ 0 };
    }
    r->left = (uint32_t)h->payload_len;
    r->state = IN_PAYLOAD;
    return WS_EV_NONE;
}

static struct span take(char **bytes, size_t *len, size_t n)
{
    struct span taken = span_of(*bytes, n);
    *bytes += n;
    *len -= n;
    return taken;
}

static enum ws_event take_header(struct ws_reader *r, char **bytes, size_t *len,
                                 struct ws_message *out)
{
    size_t had = r->have;
    size_t n = *len < WS_HEADER_MAX - had ? *len : WS_HEADER_MAX - had;
    memcpy(r->head + had, *bytes, n);
    struct ws_header h;
    enum ws_parse parse = ws_header_parse(span_of(r->head, had + n), false, &h);
    if (parse == WS_PARSE_PARTIAL) {
        take(bytes, len, n);
        r->have = (uint8_t)(had + n);
        return WS_EV_NONE;
    }
    if (parse != WS_PARSE_DONE)
        return fail(r, out, WS_CLOSE_PROTOCOL_ERROR, ws_parse_why(parse));
    take(bytes, len, h.header_len - had);
    r->have = 0;
    return begin_frame(r, &h, out);
}

static enum ws_event take_control(struct ws_reader *r, const struct ws_header *h, struct span piece,
                                  struct ws_message *out)
{
    if (piece.len < h->payload_len)
        piece = keep_control(r, piece);
    if (r->left > 0)
        return WS_EV_NONE;
    out->payload = piece;
    if (h->opcode == WS_OP_PING)
        return WS_EV_PING;
    if (h->opcode == WS_OP_PONG)
        return WS_EV_PONG;
    if (!ws_close_parse(piece, &out->code, &out->reason))
        return fail(r, out, out->code, "the payload of a Close frame is invalid");
    end(r);
    return WS_EV_CLOSE;
}

static enum ws_event take_data(struct ws_reader *r, const struct ws_header *h, struct span piece,
                               struct ws_message *out)
{
    bool is_text = r->message_opcode == WS_OP_TEXT;
    bool is_whole = h->fin && r->left == 0;
    if (is_text && !ws_utf8_feed(&r->utf8, piece))
        return fail(r, out, WS_CLOSE_INVALID_DATA, "the text is not UTF-8");
    if (is_text && is_whole && !ws_utf8_done(&r->utf8))
        return fail(r, out, WS_CLOSE_INVALID_DATA, "the text ends inside a character");
    if (!is_whole || kept_len(r) > 0)
        keep_message(r, piece);
    if (!is_whole)
        return WS_EV_NONE;
    out->payload = kept_len(r) > 0 ? span_of(r->kept->message, kept_len(r)) : piece;
    r->message_opcode = 0;
    return is_text ? WS_EV_TEXT : WS_EV_BINARY;
}

static enum ws_event take_payload(struct ws_reader *r, char **bytes, size_t *len,
                                  struct ws_message *out)
{
    if (*len == 0 && r->left > 0)
        return WS_EV_NONE;
    struct ws_header h;
    ws_header_parse(span_of(r->head, sizeof r->head), false, &h);
    size_t n = *len < r->left ? *len : r->left;
    if (h.masked)
        ws_mask(*bytes, n, h.mask, h.payload_len - r->left);
    struct span piece = take(bytes, len, n);
    r->left -= (uint32_t)n;
    if (r->left == 0)
        r->state = IN_HEADER;
    return ws_opcode_is_control(h.opcode) ? take_control(r, &h, piece, out)
                                          : take_data(r, &h, piece, out);
}

enum ws_event ws_reader_next(struct ws_reader *r, char **bytes, size_t *len, struct ws_message *out)
{
    *out = (struct ws_message){ .payload = SPAN(""), .reason = SPAN("") };
    if (r->state != IN_PAYLOAD && r->message_opcode == 0)
        mem_free(r->kept);
    enum ws_event event = WS_EV_NONE;
    while (event == WS_EV_NONE && *len > 0 && r->state != ENDED) {
        if (r->state == IN_HEADER)
            event = take_header(r, bytes, len, out);
        if (r->state == IN_PAYLOAD)
            event = take_payload(r, bytes, len, out);
    }
    if (event == WS_EV_NONE)
        take(bytes, len, *len); /* what follows the end is thrown away */
    return event;
}
