/*
 * request.c -- the strict scan of a request head.
 *
 * The order: find the end of the head; the request line (request_line.c); each
 * field line (request_fields.c); then what the fields say together (length,
 * host, connection); then the verdict of the mode. What a class lets through is
 * put right on the way (design.md 4), so after this there is nothing left that
 * could be read in two ways.
 */
#include "http/parse.h"
#include "http/request_private.h"

enum { EMPTY_LINES_MAX = 8 }; /* before the request line */

/* --- what the fields say together ------------------------------------------- */

static void note_lengths(struct http_scan *s, bool has_no_body)
{
    struct http_message *m = s->m;
    const bool codings = s->lengths.codings > 0;
    const bool lengths = s->lengths.lengths > 0;

    if (codings && lengths)
        http_note(m, HTTP_R_BOTH_TE_CL_PRESENT);
    if (codings && (has_no_body || s->is_old || m->minor == 0))
        http_note(m, HTTP_R_UNDEFINED_TRANSFER_ENCODING_SEMANTICS);
    if (lengths && (s->is_old || (has_no_body && s->lengths.length > 0)))
        http_note(m, HTTP_R_UNDEFINED_CONTENT_LENGTH_SEMANTICS);
    else if (lengths && has_no_body)
        http_note(m, HTTP_R_GET_HEAD_ZERO_CONTENT_LENGTH);
}

static void read_framing(struct http_scan *s)
{
    struct http_message *m = s->m;
    const struct http_lengths *l = &s->lengths;
    const bool has_no_body = m->method_id == HTTP_GET || m->method_id == HTTP_HEAD;

    note_lengths(s, has_no_body);
    if (l->codings > 0 && !l->chunked && (!l->identity || s->strictest))
        http_refuse(m, 501, "only the transfer coding chunked is done here");
    if (l->chunked) {
        m->framing = HTTP_BODY_CHUNKED;
    } else if (l->lengths > 0 && !(has_no_body && l->length == 0)) {
        m->framing = HTTP_BODY_LENGTH;
        m->has_length = true;
        m->content_length = l->length;
    }
}

/* load-balancers.md 4b 10: many servers take no body with these. */
static void check_unlikely_body(struct http_scan *s)
{
    struct http_message *m = s->m;
    const bool has_body = m->framing == HTTP_BODY_CHUNKED || m->content_length > 0;

    if (!has_body || (m->method_id != HTTP_DELETE && m->method_id != HTTP_OPTIONS))
        return;
    m->must_not_reuse = true;
    if (s->strictest)
        http_refuse(m, 400, "DELETE or OPTIONS with a body");
}

static void read_host(struct http_scan *s)
{
    struct http_message *m = s->m;
    const struct http_field *first = http_find(m, HTTP_N_HOST);

    for (const struct http_field *f = first; f != NULL; f = http_find_next(m, f)) {
        if (!http_is_host(f->value))
            http_refuse(m, 400, "Host is malformed");
        if (f != first && s->strictest)
            http_refuse(m, 400, "Host comes twice");
    }
    if (first == NULL && m->minor == 1)
        http_refuse(m, 400, "HTTP/1.1 needs a Host");
    m->host = m->authority.len > 0 || first == NULL ? m->authority : first->value;
    if (s->strictest && m->authority.len > 0 && first != NULL &&
        !span_equal_nocase(m->authority, first->value))
        http_refuse(m, 400, "Host is not the host of the URI");
}

static void read_expect(struct http_message *m)
{
    for (const struct http_field *f = http_find(m, HTTP_N_EXPECT); f != NULL;
         f = http_find_next(m, f)) {
        if (!span_equal_nocase(f->value, SPAN("100-continue")))
            http_refuse(m, 417, "only 100-continue can be expected");
        m->expect_continue = m->minor == 1;
    }
}

static void read_meaning(struct http_scan *s)
{
    struct http_message *m = s->m;

    read_framing(s);
    check_unlikely_body(s);
    read_host(s);
    read_expect(m);
    http_read_connection(m);
    m->is_websocket = m->wants_upgrade && m->method_id == HTTP_GET &&
                      http_field_lists(m, HTTP_N_UPGRADE, SPAN("websocket"));
    if (s->strictest && m->class_ != HTTP_COMPLIANT)
        http_refuse_for(m, m->reason);
    if (s->strictest && s->fields > HTTP_STRICT_FIELDS_MAX)
        http_refuse(m, 431, "too many fields");
}

static void read_head(struct http_scan *s, struct span head)
{
    struct span rest = head;
    bool bare = false;

    http_read_request_line(s, http_next_line(&rest, &bare));
    for (;;) {
        struct span line = http_next_line(&rest, &bare);
        if (line.len == 0)
            break;
        http_read_field_line(s, line);
    }
    if (bare)
        http_note(s->m, HTTP_R_NON_CRLF_LINE_TERMINATION);
    read_meaning(s);
}

/* Lines before the request line that hold nothing (RFC 9112 2.2). Returns how
 * many; `*len` is their bytes. A CR alone may yet become one. */
static int count_empty_lines(struct span bytes, size_t *len, bool *bare)
{
    int count = 0;

    *len = 0;
    while (count <= EMPTY_LINES_MAX) {
        size_t at = *len;
        if (at < bytes.len && bytes.ptr[at] == '\r')
            at++;
        if (at >= bytes.len || bytes.ptr[at] != '\n')
            break;
        *bare = *bare || at == *len;
        *len = at + 1;
        count++;
    }
    return count;
}

/* A line that is too long by itself is told of first: how much of the head came at once makes no
 * difference. */
static void check_size(struct http_scan *s, size_t len, struct span bytes)
{
    if (len > (s->strictest ? (size_t)HTTP_STRICT_HEAD_MAX : (size_t)HTTP_HEAD_MAX)) {
        http_check_line_length(s, bytes);
        http_refuse(s->m, s->strictest ? 431 : 400, "the request head is too long");
    }
}

/* The head at `before`, behind empty lines. True when it is whole, and read. */
static bool scan(struct http_scan *s, struct span bytes, size_t before, size_t *scanned)
{
    const size_t len = http_head_end(bytes, before, scanned);

    s->m->head_len = len == 0 ? bytes.len : before + len;
    check_size(s, s->m->head_len, span_after(bytes, before));
    if (s->m->refuse_why != NULL)
        return true;
    if (len == 0) {
        http_check_begun_line(s, span_after(bytes, before));
        return s->m->refuse_why != NULL;
    }
    read_head(s, span_of(bytes.ptr + before, len));
    return true;
}

enum http_parse http_request_parse(struct span bytes, enum http_desync_mode mode,
                                   struct http_message *m, size_t *scanned)
{
    struct http_scan s = { .m = m, .strictest = mode == HTTP_STRICTEST };
    bool bare = false;
    size_t before = 0;

    http_message_reset(m);
    int empty = count_empty_lines(bytes, &before, &bare);
    if (empty > 1)
        http_note(m, HTTP_R_EMPTY_HEADER);
    if (bare)
        http_note(m, HTTP_R_NON_CRLF_LINE_TERMINATION);
    if (empty > EMPTY_LINES_MAX) {
        m->head_len = bytes.len;
        http_refuse_for(m, HTTP_R_EMPTY_HEADER);
        return HTTP_REFUSED;
    }
    if (!scan(&s, bytes, before, scanned))
        return HTTP_PARTIAL;
    m->must_close = m->class_ == HTTP_AMBIGUOUS && mode != HTTP_MONITOR;
    return m->refuse_why == NULL ? HTTP_PARSED : HTTP_REFUSED;
}

bool http_request_cut_off(struct span bytes, struct http_message *m)
{
    bool bare = false;
    size_t empty = 0;

    http_message_reset(m);
    count_empty_lines(bytes, &empty, &bare);
    if (empty == bytes.len || (bytes.len == empty + 1 && bytes.ptr[empty] == '\r'))
        return false;
    m->head_len = bytes.len;
    http_refuse_for(m, bytes.ptr[bytes.len - 1] == '\n' ? HTTP_R_MISSING_LAST_EMPTY_LINE
                                                        : HTTP_R_PARTIAL_HEADER_LINE);
    return true;
}
