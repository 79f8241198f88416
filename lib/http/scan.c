/* scan.c -- heads and lines: what requests and responses have in common. */
#include "http/scan.h"

void http_message_reset(struct http_message *m)
{
    memset(m, 0, offsetof(struct http_message, fields));
}

size_t http_head_end(struct span bytes, size_t from, size_t *scanned)
{
    size_t at = *scanned > from ? *scanned : from;

    for (;;) {
        struct span rest = span_after(bytes, at);
        const char *lf = rest.len == 0 ? NULL : memchr(rest.ptr, '\n', rest.len);
        if (lf == NULL) {
            *scanned = bytes.len;
            return 0;
        }
        at = (size_t)(lf - bytes.ptr);
        size_t next = at + 1;
        if (next < bytes.len && bytes.ptr[next] == '\r')
            next++;
        if (next == bytes.len) {
            *scanned = at;
            return 0;
        }
        if (bytes.ptr[next] == '\n') {
            *scanned = 0;
            return next + 1 - from;
        }
        at++;
    }
}

struct span http_next_line(struct span *rest, bool *bare)
{
    const char *lf = rest->len == 0 ? NULL : memchr(rest->ptr, '\n', rest->len);
    size_t len = lf == NULL ? rest->len : (size_t)(lf - rest->ptr);
    struct span line = span_of(rest->ptr, len);

    *rest = span_after(*rest, len + 1);
    if (len > 0 && line.ptr[len - 1] == '\r')
        line.len--;
    else
        *bare = true;
    return line;
}

bool http_add_field(struct http_message *m, struct span name, struct span value, enum http_name id)
{
    if (m->field_count == HTTP_FIELDS_MAX)
        return false;
    m->fields[m->field_count++] = (struct http_field){ name, value, id };
    return true;
}

/* Blanks are SP only: a server that does not trim HTAB would read another
 * value than we do. */
static struct span trim_spaces(struct span s)
{
    while (s.len > 0 && s.ptr[0] == ' ')
        s = span_after(s, 1);
    while (s.len > 0 && s.ptr[s.len - 1] == ' ')
        s.len--;
    return s;
}

enum http_reason http_see_length(struct http_lengths *seen, struct span value)
{
    enum { DIGITS_MAX = 19 }; /* cannot overflow */
    struct span text = trim_spaces(value);
    uint64_t length = 0;

    if (text.len == 0 || text.len > DIGITS_MAX)
        return HTTP_R_BAD_CONTENT_LENGTH;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return HTTP_R_BAD_CONTENT_LENGTH;
        length = length * 10 + (uint64_t)(text.ptr[i] - '0');
    }
    if (seen->lengths++ == 0) {
        seen->length = length;
        return HTTP_R_NONE;
    }
    return seen->length == length ? HTTP_R_DUPLICATE_CONTENT_LENGTH
                                  : HTTP_R_MULTIPLE_CONTENT_LENGTH;
}

static bool is_known_coding(struct span name)
{
    static const struct span known[] = {
        SPAN_INIT("chunked"),  SPAN_INIT("identity"),   SPAN_INIT("gzip"),    SPAN_INIT("x-gzip"),
        SPAN_INIT("compress"), SPAN_INIT("x-compress"), SPAN_INIT("deflate"),
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (span_equal_nocase(name, known[i]))
            return true;
    return false;
}

enum http_reason http_see_coding(struct http_lengths *seen, struct span value)
{
    const struct span text = trim_spaces(value);
    const bool is_first = seen->codings++ == 0;
    struct span rest = text, coding;

    seen->chunked = is_first && span_equal_nocase(text, SPAN("chunked"));
    seen->identity = is_first && span_equal_nocase(text, SPAN("identity"));
    if (text.len == 0 || memchr(text.ptr, '\t', text.len) != NULL)
        return HTTP_R_BAD_TRANSFER_ENCODING;
    while (span_next(&rest, ',', &coding)) {
        if (!is_known_coding(coding))
            return HTTP_R_BAD_TRANSFER_ENCODING;
        const bool is_chunked = span_equal_nocase(coding, SPAN("chunked"));
        if (is_chunked && seen->has_chunked)
            return HTTP_R_MULTIPLE_TRANSFER_ENCODING_CHUNKED;
        seen->has_chunked |= is_chunked;
    }
    return HTTP_R_NONE;
}

void http_read_connection(struct http_message *m)
{
    bool close = false;
    bool keep_alive = false;
    bool upgrade = false;

    for (const struct http_field *f = http_find(m, HTTP_N_CONNECTION); f != NULL;
         f = http_find_next(m, f)) {
        struct span rest = f->value;
        struct span token;
        while (span_next(&rest, ',', &token)) {
            if (span_equal_nocase(token, SPAN("close")))
                close = true;
            else if (span_equal_nocase(token, SPAN("keep-alive")))
                keep_alive = true;
            else if (span_equal_nocase(token, SPAN("upgrade")))
                upgrade = true;
            else if (token.len > 0)
                m->names_fields = true;
        }
    }
    m->keep_alive = !close && (keep_alive || m->minor == 1);
    m->upgrade = http_value(m, HTTP_N_UPGRADE);
    /* RFC 9110 7.8: Upgrade in HTTP/1.0 is to be ignored. */
    m->wants_upgrade = upgrade && m->minor == 1 && m->upgrade.len > 0;
    http_find_listed(m);
}
