/*
 * response.c -- the strict scan of a target's response head.
 *
 * A target is ours to mend, so nothing is put right here: whatever is not
 * exactly well formed is a 502, except a name in the disguise of a field that
 * matters, which is left out as in a request.
 */
#include "http/chars.h"
#include "http/parse.h"
#include "http/scan.h"

static const struct span protocol = SPAN_INIT("HTTP/1.");

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* HTTP/1.x SP three digits [SP reason] (RFC 9112 4). The blank may be missing
 * when there is no reason: many servers do that, and it cannot be misread. */
static bool read_status_line(struct http_message *m, struct span line)
{
    if (line.len < 12 || !span_starts_with(line, protocol) ||
        (line.ptr[7] != '0' && line.ptr[7] != '1') || line.ptr[8] != ' ')
        return http_refuse(m, 502, "the status line is malformed");
    m->minor = line.ptr[7] - '0';
    for (size_t i = 9; i < 12; i++) {
        if (!is_digit(line.ptr[i]))
            return http_refuse(m, 502, "the status is not three digits");
        m->status = m->status * 10 + (line.ptr[i] - '0');
    }
    if (m->status < 100 || (line.len > 12 && line.ptr[12] != ' '))
        return http_refuse(m, 502, "the status is not three digits");
    m->reason_phrase = span_after(line, 13);
    return http_is_value(m->reason_phrase) ||
           http_refuse(m, 502, "the reason phrase has control characters");
}

/* http-parser takes such a name for Transfer-Encoding. It reads the head as it
 * came, so leaving the field out would not make the two agree. */
static bool goes_on_after_coding(struct span name)
{
    const struct span coding = http_name_text(HTTP_N_TRANSFER_ENCODING);

    return name.len > coding.len && span_equal_nocase(span_of(name.ptr, coding.len), coding);
}

static bool read_field(struct http_message *m, struct span line, struct http_lengths *lengths)
{
    const char *colon = memchr(line.ptr, ':', line.len);
    struct span name = span_of(line.ptr, colon == NULL ? 0 : (size_t)(colon - line.ptr));
    const enum http_name id = http_name_of(name); /* one that we know is proper, and itself */
    if (id == HTTP_N_OTHER && !http_is_token(name))
        return http_refuse(m, 502, "a response field has no proper name");

    struct span value = span_after(line, name.len + 1);
    if (!http_is_value(value))
        return http_refuse(m, 502, "a response field has control characters");
    if (id == HTTP_N_CONTENT_LENGTH)
        return http_see_length(lengths, value) == HTTP_R_NONE ||
               http_refuse(m, 502, "the response's Content-Length is malformed or repeated");
    if (id == HTTP_N_TRANSFER_ENCODING)
        return (http_see_coding(lengths, value) == HTTP_R_NONE && lengths->chunked) ||
               http_refuse(m, 502, "the response's Transfer-Encoding is not chunked");
    if (id == HTTP_N_OTHER && goes_on_after_coding(name))
        return http_refuse(m, 502, "a response field's name goes on after Transfer-Encoding");
    if (id == HTTP_N_OTHER && http_name_disguised(name) != HTTP_N_OTHER) {
        m->dropped_fields++;
        return true;
    }
    return http_add_field(m, name, span_trim(value), id) ||
           http_refuse(m, 502, "the response has too many fields");
}

/* RFC 9112 6.3, with whatever it leaves to choice refused. */
static bool read_framing(struct http_message *m, const struct http_lengths *l,
                         enum http_method of_request)
{
    if (l->codings > 0 && l->lengths > 0)
        return http_refuse(m, 502, "the response has Content-Length and Transfer-Encoding");
    if (l->codings > 0 && m->minor == 0)
        return http_refuse(m, 502, "the response is HTTP/1.0 with Transfer-Encoding");
    if (m->status == 101 && (l->codings > 0 || l->lengths > 0))
        return http_refuse(m, 502, HTTP_WHY_101_LENGTH);
    if (m->status < 200 || m->status == 204)
        return true;
    m->has_length = l->lengths > 0;
    m->content_length = l->length;
    if (of_request == HTTP_HEAD || m->status == 304)
        return true;
    if (l->codings > 0)
        m->framing = HTTP_BODY_CHUNKED;
    else
        m->framing = l->lengths > 0 ? HTTP_BODY_LENGTH : HTTP_BODY_UNTIL_CLOSE;
    return true;
}

static bool read_head(struct http_message *m, struct span head, enum http_method of_request)
{
    struct http_lengths lengths = { 0 };
    struct span rest = head;
    bool bare = false;

    if (!read_status_line(m, http_next_line(&rest, &bare)))
        return false;
    for (;;) {
        struct span line = http_next_line(&rest, &bare);
        if (line.len == 0)
            break;
        if (!read_field(m, line, &lengths))
            return false;
    }
    if (bare)
        return http_refuse(m, 502, "a line of the response head ends in LF without CR");
    if (!read_framing(m, &lengths, of_request))
        return false;
    http_read_connection(m);
    if (m->framing == HTTP_BODY_UNTIL_CLOSE)
        m->keep_alive = false;
    return true;
}

/* What is no response from its first bytes on will not become one: a server of another
 * protocol says its line and waits. */
static bool may_become_head(struct span bytes)
{
    size_t n = bytes.len < protocol.len ? bytes.len : protocol.len;

    return span_starts_with(protocol, span_of(bytes.ptr, n));
}

enum http_parse http_response_parse(struct span bytes, enum http_method of_request,
                                    struct http_message *m, size_t *scanned)
{
    http_message_reset(m);
    if (!may_become_head(bytes)) {
        http_refuse(m, 502, "the status line is malformed");
        return HTTP_REFUSED;
    }
    size_t len = http_head_end(bytes, 0, scanned);
    if ((len == 0 ? bytes.len : len) > HTTP_RESPONSE_HEAD_MAX) {
        http_refuse(m, 502, "the response head is too long");
        return HTTP_REFUSED;
    }
    if (len == 0)
        return HTTP_PARTIAL;
    m->head_len = len;
    return read_head(m, span_of(bytes.ptr, len), of_request) ? HTTP_PARSED : HTTP_REFUSED;
}
