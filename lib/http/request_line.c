/* request_line.c -- METHOD SP request-target SP HTTP-version (RFC 9112 3). */
#include "http/chars.h"
#include "http/request_private.h"

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

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Cut the last word off, with the blanks before it. */
static struct span cut_last_word(struct http_message *m, struct span *text)
{
    size_t end = text->len;
    while (end > 0 && is_blank(text->ptr[end - 1]))
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

static void refuse_old(struct http_scan *s, const char *why)
{
    s->is_old = true;
    http_note(s->m, HTTP_R_NON_COMPLIANT_VERSION);
    http_refuse(s->m, 400, why);
}

static void read_version(struct http_scan *s, struct span text)
{
    struct http_message *m = s->m;
    const bool is_version = text.len == 8 && span_starts_with(text, SPAN("HTTP/")) &&
                            is_digit(text.ptr[5]) && text.ptr[6] == '.' && is_digit(text.ptr[7]);

    if (is_version && text.ptr[5] > '1') {
        http_note(m, HTTP_R_BAD_VERSION);
        http_refuse(m, 505, "HTTP/1.0 and HTTP/1.1 are spoken here");
    } else if (is_version && text.ptr[5] == '0' && text.ptr[7] == '9') {
        refuse_old(s, "HTTP/0.9 is not spoken here");
    } else if (!is_version || text.ptr[5] == '0') {
        http_refuse_for(m, HTTP_R_BAD_VERSION);
    } else {
        if (text.ptr[7] > '1')
            http_note(m, HTTP_R_NON_COMPLIANT_VERSION);
        m->minor_said = text.ptr[7] - '0';
        m->minor = m->minor_said == 0 ? 0 : 1;
    }
}

static void read_method(struct http_message *m, struct span word)
{
    m->method = word;
    m->method_id = http_method_of(word);
    if (!http_is_token(word))
        http_refuse_for(m, HTTP_R_BAD_METHOD);
}

static void check_method(struct http_scan *s)
{
    const enum http_method method = s->m->method_id;

    if (method == HTTP_CONNECT || method == HTTP_TRACE)
        http_refuse(s->m, 405, "CONNECT and TRACE are not allowed");
    else if (s->strictest && method == HTTP_METHOD_OTHER)
        http_refuse(s->m, 501, "the method is not known");
}

/* A line of two words lacks the version or the URI. */
static void refuse_short_line(struct http_scan *s, struct span second)
{
    if (second.len == 0 || span_starts_with(second, SPAN("HTTP/"))) {
        http_refuse_for(s->m, HTTP_R_MISSING_URI);
        return;
    }
    refuse_old(s, "the request line has no HTTP version");
    http_read_target(s->m, second, s->strictest);
}

void http_read_request_line(struct http_scan *s, struct span line)
{
    struct http_message *m = s->m;
    struct span rest = line;

    if (line.len > HTTP_LINE_MAX || (s->strictest && line.len > HTTP_STRICT_LINE_MAX)) {
        http_refuse(m, 414, "the request line is too long");
        return;
    }
    read_method(m, take_word(&rest));
    take_blanks(m, &rest);
    struct span version = cut_last_word(m, &rest);
    if (rest.len == 0) {
        refuse_short_line(s, version);
        return;
    }
    read_version(s, version);
    check_method(s);
    if (m->method_id != HTTP_CONNECT) /* which asks for an authority */
        http_read_target(m, rest, s->strictest);
}

void http_check_line_length(struct http_scan *s, struct span bytes)
{
    const size_t max = (s->strictest ? HTTP_STRICT_LINE_MAX : HTTP_LINE_MAX) + 2;

    if (bytes.len > max && memchr(bytes.ptr, '\n', max) == NULL)
        http_refuse(s->m, 414, "the request line is too long");
}

void http_check_begun_line(struct http_scan *s, struct span bytes)
{
    struct span rest = bytes;

    http_check_line_length(s, bytes);
    if (bytes.len == 0 || memchr(bytes.ptr, '\n', bytes.len) != NULL)
        return;
    /* No method at all? A TLS hello, say, need never have a line's end. */
    if (bytes.ptr[bytes.len - 1] == '\r')
        rest.len--;
    if (rest.len > 0 && !http_is_token(take_word(&rest)))
        http_refuse_for(s->m, HTTP_R_BAD_METHOD);
}
