/*
 * request.c -- the strict scan of a request head.
 *
 * The order: find the end of the head; the request line; each field line; then
 * what the fields say together (length, host, connection); then the verdict of
 * the mode. What a class lets through is put right on the way (design.md 4),
 * so after this there is nothing left that could be read in two ways.
 */
#include "http/chars.h"
#include "http/parse.h"
#include "http/scan.h"

enum {
    EMPTY_LINES_MAX = 8, /* before the request line */
    STRICT_HEAD_MAX = 16384,
    STRICT_LINE_MAX = 8192,
    STRICT_FIELDS_MAX = 100,
    STRICT_NAME_MAX = 128,
    STRICT_VALUE_MAX = 8192,
};

/* What a folded line would continue. */
enum before { NOTHING, A_FIELD, LEFT_OUT, MUST_NOT_FOLD };

struct scan {
    struct http_message *m;
    bool strictest;
    enum before before;
    struct http_lengths lengths;
};

/* --- the request line ----------------------------------------------------- */

static struct span take_word(struct span *rest)
{
    const char *blank = rest->len == 0 ? NULL : memchr(rest->ptr, ' ', rest->len);
    size_t n = blank == NULL ? rest->len : (size_t)(blank - rest->ptr);
    struct span word = span_of(rest->ptr, n);

    *rest = span_after(*rest, n);
    return word;
}

/* Take the one blank that belongs there; more are noted, and taken too. */
static void take_blanks(struct http_message *m, struct span *rest)
{
    size_t n = 0;

    while (n < rest->len && rest->ptr[n] == ' ')
        n++;
    if (n > 1)
        http_note(m, HTTP_R_NON_COMPLIANT_VERSION);
    *rest = span_after(*rest, n);
}

/* Cut the last word off, with the blanks before it. */
static struct span cut_last_word(struct http_message *m, struct span *text)
{
    size_t end = text->len;
    while (end > 0 && text->ptr[end - 1] == ' ')
        end--;
    size_t start = end;
    while (start > 0 && text->ptr[start - 1] != ' ')
        start--;
    struct span word = span_of(text->ptr + start, end - start);
    size_t left = start;
    while (left > 0 && text->ptr[left - 1] == ' ')
        left--;
    if (end != text->len || start - left > 1)
        http_note(m, HTTP_R_NON_COMPLIANT_VERSION);
    text->len = left;
    return word;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool read_version(struct http_message *m, struct span text)
{
    if (text.len != 8 || !span_starts_with(text, SPAN("HTTP/")) || !is_digit(text.ptr[5]) ||
        text.ptr[6] != '.' || !is_digit(text.ptr[7]))
        return http_refuse_for(m, HTTP_R_BAD_VERSION);
    if (text.ptr[5] == '0') {
        http_note(m, HTTP_R_NON_COMPLIANT_VERSION);
        return http_refuse(m, 400, "HTTP/0.9 is not spoken here");
    }
    if (text.ptr[5] != '1') {
        http_note(m, HTTP_R_BAD_VERSION);
        return http_refuse(m, 505, "HTTP/1.0 and HTTP/1.1 are spoken here");
    }
    if (text.ptr[7] > '1')
        http_note(m, HTTP_R_NON_COMPLIANT_VERSION);
    m->minor = text.ptr[7] == '0' ? 0 : 1;
    return true;
}

static bool read_method(struct scan *s, struct span word)
{
    struct http_message *m = s->m;

    if (!http_is_token(word))
        return http_refuse_for(m, HTTP_R_BAD_METHOD);
    m->method = word;
    m->method_id = http_method_of(word);
    if (m->method_id == HTTP_CONNECT || m->method_id == HTTP_TRACE)
        return http_refuse(m, 405, "CONNECT and TRACE are not allowed");
    if (s->strictest && m->method_id == HTTP_METHOD_OTHER)
        return http_refuse(m, 501, "the method is not known");
    return true;
}

/* A line of two words lacks the version or the URI. */
static bool refuse_short_line(struct http_message *m, struct span second)
{
    if (second.len == 0 || span_starts_with(second, SPAN("HTTP/")))
        return http_refuse_for(m, HTTP_R_MISSING_URI);
    http_note(m, HTTP_R_NON_COMPLIANT_VERSION);
    return http_refuse(m, 400, "the request line has no HTTP version");
}

static bool read_request_line(struct scan *s, struct span line)
{
    struct http_message *m = s->m;

    if (line.len > HTTP_LINE_MAX || (s->strictest && line.len > STRICT_LINE_MAX))
        return http_refuse(m, 414, "the request line is too long");
    struct span rest = line;
    if (!read_method(s, take_word(&rest)))
        return false;
    take_blanks(m, &rest);
    struct span version = cut_last_word(m, &rest);
    if (rest.len == 0)
        return refuse_short_line(m, version);
    return read_version(m, version) && http_read_target(m, rest, s->strictest);
}

/* --- field lines ---------------------------------------------------------- */

static bool has_stray_cr_or_nul(struct span text)
{
    return !http_is_clean(text) &&
           (memchr(text.ptr, '\0', text.len) != NULL || memchr(text.ptr, '\r', text.len) != NULL);
}

static bool leave_out(struct scan *s, enum http_reason why)
{
    if (why != HTTP_R_NONE)
        http_note(s->m, why);
    s->m->dropped_fields++;
    s->before = LEFT_OUT;
    return true;
}

/* A name that is no token, or that stands for another one. True: left out. */
static bool is_bad_name(const struct scan *s, struct span name, enum http_reason *why)
{
    enum http_name disguised = http_name_disguised(name);

    *why = HTTP_R_NONE;
    if (disguised == HTTP_N_CONTENT_LENGTH || disguised == HTTP_N_TRANSFER_ENCODING)
        *why = HTTP_R_SUSPICIOUS_HEADER;
    else if (!http_is_token(name))
        *why = HTTP_R_NON_COMPLIANT_HEADER;
    else if (disguised == HTTP_N_OTHER)
        return s->strictest &&
               (memchr(name.ptr, '_', name.len) != NULL || memchr(name.ptr, '.', name.len) != NULL);
    return true;
}

static bool see_length(struct scan *s, struct span value)
{
    enum http_reason r = http_see_length(&s->lengths, value);

    s->before = MUST_NOT_FOLD;
    if (http_reason_class(r) == HTTP_SEVERE)
        return http_refuse_for(s->m, r);
    http_note(s->m, r);
    return true;
}

static bool see_coding(struct scan *s, struct span value)
{
    enum http_reason r = http_see_coding(&s->lengths, value);

    s->before = MUST_NOT_FOLD;
    if (r == HTTP_R_NONE)
        return true;
    http_refuse_for(s->m, r);
    if (r == HTTP_R_BAD_TRANSFER_ENCODING && http_is_known_coding(value))
        http_refuse(s->m, 501, "only the transfer coding chunked is done here");
    return false;
}

static bool too_many_fields(struct scan *s)
{
    return http_refuse(s->m, s->strictest ? 431 : 400, "too many fields");
}

static bool keep_field(struct scan *s, struct span name, struct span value, enum http_name id)
{
    if (!http_is_clean(value) && !http_all(value, HTTP_C_TEXT)) {
        if (id == HTTP_N_HOST)
            return http_refuse(s->m, 400, "Host is malformed");
        if (!http_is_value(value))
            return leave_out(s, HTTP_R_NON_COMPLIANT_HEADER);
        http_note(s->m, HTTP_R_NON_COMPLIANT_HEADER); /* high bytes */
    }
    if (s->strictest && (name.len > STRICT_NAME_MAX || value.len > STRICT_VALUE_MAX))
        return http_refuse(s->m, 431, "a field is too long");
    s->before = id == HTTP_N_HOST || id == HTTP_N_CONNECTION || id == HTTP_N_UPGRADE ? MUST_NOT_FOLD
                                                                                     : A_FIELD;
    return http_add_field(s->m, name, value, id) || too_many_fields(s);
}

static bool read_field(struct scan *s, struct span line)
{
    const char *colon = memchr(line.ptr, ':', line.len);
    if (has_stray_cr_or_nul(line))
        return http_refuse_for(s->m, HTTP_R_BAD_HEADER);
    if (colon == NULL)
        return leave_out(s, HTTP_R_MISSING_HEADER_COLON);

    struct span name = span_of(line.ptr, (size_t)(colon - line.ptr));
    struct span value = span_after(line, name.len + 1);
    enum http_reason why;
    if (name.len == 0)
        return leave_out(s, HTTP_R_EMPTY_HEADER);
    if (is_bad_name(s, name, &why))
        return leave_out(s, why);

    enum http_name id = http_name_of(name);
    if (id == HTTP_N_CONTENT_LENGTH)
        return see_length(s, value);
    if (id == HTTP_N_TRANSFER_ENCODING)
        return see_coding(s, value);
    return keep_field(s, name, span_trim(value), id);
}

/* Join a folded line to the field before it with one SP. That field's value is
 * the last thing in the scratch, or is copied there now. */
static bool unfold(struct scan *s, struct span more)
{
    struct http_message *m = s->m;
    struct http_field *f = &m->fields[m->field_count - 1];
    char *end = m->scratch + m->scratch_used;

    if (f->name.len + f->value.len + 1 + more.len > HTTP_LINE_MAX)
        return http_refuse(m, 400, "a field is too long");
    if (f->value.len == 0 || f->value.ptr + f->value.len != end) {
        memcpy(end, f->value.ptr, f->value.len);
        f->value.ptr = end;
        m->scratch_used += f->value.len;
        end += f->value.len;
    }
    size_t blank = f->value.len > 0 ? 1 : 0;
    if (blank)
        end[0] = ' ';
    memcpy(end + blank, more.ptr, more.len);
    f->value.len += blank + more.len;
    m->scratch_used += blank + more.len;
    return true;
}

static bool read_fold(struct scan *s, struct span line)
{
    struct span more = span_trim(line);

    if (has_stray_cr_or_nul(line))
        return http_refuse_for(s->m, HTTP_R_BAD_HEADER);
    http_note(s->m, HTTP_R_MULTILINE_HEADER);
    switch (s->before) {
    case NOTHING:
        return read_field(s, line);
    case LEFT_OUT:
        return true;
    case MUST_NOT_FOLD:
        return http_refuse(s->m, 400, "a field that must not go over several lines does");
    case A_FIELD:
        break;
    }
    if (http_is_value(more)) {
        if (!http_all(more, HTTP_C_TEXT))
            http_note(s->m, HTTP_R_NON_COMPLIANT_HEADER);
        return unfold(s, more);
    }
    s->m->field_count--;
    return leave_out(s, HTTP_R_NON_COMPLIANT_HEADER);
}

static bool read_line(struct scan *s, struct span line)
{
    if (line.len > HTTP_LINE_MAX)
        return http_refuse(s->m, s->strictest ? 431 : 400, "a field is too long");
    if (line.ptr[0] != ' ' && line.ptr[0] != '\t')
        return read_field(s, line);
    if (span_trim(line).len > 0)
        return read_fold(s, line);
    http_note(s->m, HTTP_R_EMPTY_HEADER);
    return true;
}

/* --- what the fields say together ------------------------------------------- */

static void read_framing(struct scan *s)
{
    struct http_message *m = s->m;
    const struct http_lengths *l = &s->lengths;
    bool no_body = m->method_id == HTTP_GET || m->method_id == HTTP_HEAD;

    if (l->codings > 0 && l->lengths > 0)
        http_note(m, HTTP_R_BOTH_TE_CL_PRESENT);
    if (l->codings > 0 && (no_body || m->minor == 0))
        http_note(m, HTTP_R_UNDEFINED_TRANSFER_ENCODING_SEMANTICS);
    if (l->chunked) {
        m->framing = HTTP_BODY_CHUNKED;
        return;
    }
    if (l->lengths == 0)
        return;
    if (no_body) {
        http_note(m, l->length > 0 ? HTTP_R_UNDEFINED_CONTENT_LENGTH_SEMANTICS
                                   : HTTP_R_GET_HEAD_ZERO_CONTENT_LENGTH);
        if (l->length == 0)
            return;
    }
    m->framing = HTTP_BODY_LENGTH;
    m->has_length = true;
    m->content_length = l->length;
}

static bool read_host(struct scan *s)
{
    struct http_message *m = s->m;
    const struct http_field *first = http_find(m, HTTP_N_HOST);

    for (const struct http_field *f = first; f != NULL; f = http_find_next(m, f)) {
        if (!http_is_host(f->value))
            return http_refuse(m, 400, "Host is malformed");
        if (f != first && s->strictest)
            return http_refuse(m, 400, "Host comes twice");
    }
    if (first == NULL && m->minor == 1)
        return http_refuse(m, 400, "HTTP/1.1 needs a Host");
    m->host = m->authority.len > 0 || first == NULL ? m->authority : first->value;
    if (s->strictest && m->authority.len > 0 && first != NULL &&
        !span_equal_nocase(m->authority, first->value))
        return http_refuse(m, 400, "Host is not the host of the URI");
    return true;
}

static bool read_expect(struct http_message *m)
{
    for (const struct http_field *f = http_find(m, HTTP_N_EXPECT); f != NULL;
         f = http_find_next(m, f)) {
        if (!span_equal_nocase(f->value, SPAN("100-continue")))
            return http_refuse(m, 417, "only 100-continue can be expected");
        m->expect_continue = m->minor == 1;
    }
    return true;
}

static bool read_meaning(struct scan *s)
{
    struct http_message *m = s->m;

    read_framing(s);
    if (!read_host(s) || !read_expect(m))
        return false;
    http_read_connection(m);
    m->is_websocket = m->wants_upgrade && m->method_id == HTTP_GET &&
                      http_field_lists(m, HTTP_N_UPGRADE, SPAN("websocket"));
    if (s->strictest && m->class_ != HTTP_COMPLIANT)
        return http_refuse_for(m, m->reason);
    if (s->strictest && m->field_count > STRICT_FIELDS_MAX)
        return too_many_fields(s);
    return true;
}

static bool read_head(struct scan *s, struct span head)
{
    struct span rest = head;
    bool bare = false;

    if (!read_request_line(s, http_next_line(&rest, &bare)))
        return false;
    for (;;) {
        struct span line = http_next_line(&rest, &bare);
        if (line.len == 0)
            break;
        if (!read_line(s, line))
            return false;
    }
    if (bare)
        http_note(s->m, HTTP_R_NON_CRLF_LINE_TERMINATION);
    return read_meaning(s);
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

/* No end of the head yet: can there be one? */
static bool may_still_end(struct scan *s, struct span bytes)
{
    size_t line_max = s->strictest ? STRICT_LINE_MAX : HTTP_LINE_MAX;

    if (bytes.len > line_max + 2 && memchr(bytes.ptr, '\n', line_max + 2) == NULL)
        return http_refuse(s->m, 414, "the request line is too long");
    return true;
}

static bool head_fits(struct scan *s, size_t len)
{
    if (s->strictest && len > STRICT_HEAD_MAX)
        return http_refuse(s->m, 431, "the request head is too long");
    return len <= HTTP_HEAD_MAX || http_refuse(s->m, 400, "the request head is too long");
}

enum http_parse http_request_parse(struct span bytes, enum http_desync_mode mode,
                                   struct http_message *m, size_t *scanned)
{
    struct scan s = { .m = m, .strictest = mode == HTTP_STRICTEST };
    bool bare = false;
    size_t before = 0;

    http_message_reset(m);
    int empty = count_empty_lines(bytes, &before, &bare);
    if (empty > EMPTY_LINES_MAX) {
        http_refuse_for(m, HTTP_R_EMPTY_HEADER);
        return HTTP_REFUSED;
    }
    size_t len = http_head_end(bytes, before, scanned);
    if (!head_fits(&s, len == 0 ? bytes.len : before + len))
        return HTTP_REFUSED;
    if (len == 0)
        return may_still_end(&s, span_after(bytes, before)) ? HTTP_PARTIAL : HTTP_REFUSED;

    if (empty > 1)
        http_note(m, HTTP_R_EMPTY_HEADER);
    if (bare)
        http_note(m, HTTP_R_NON_CRLF_LINE_TERMINATION);
    m->head_len = before + len;
    return read_head(&s, span_of(bytes.ptr + before, len)) ? HTTP_PARSED : HTTP_REFUSED;
}

enum http_reason http_partial_reason(struct span bytes)
{
    if (bytes.len == 0)
        return HTTP_R_NONE;
    return bytes.ptr[bytes.len - 1] == '\n' ? HTTP_R_MISSING_LAST_EMPTY_LINE
                                            : HTTP_R_PARTIAL_HEADER_LINE;
}
