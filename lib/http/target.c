/* target.c -- the request target (RFC 9112 3.2) and the host it is for. */
#include "http/chars.h"
#include "http/path.h"
#include "http/rewrite.h"
#include "http/scan.h"

/* Into the message's scratch, odd bytes as %XX. The line that it is written in
 * again is to be as short as one that is read. */
static bool encode(struct http_message *m, struct span raw)
{
    static const char hex[] = "0123456789ABCDEF";
    const size_t max = HTTP_LINE_MAX - m->method.len - (sizeof("  HTTP/1.1") - 1);
    char *out = m->scratch + m->scratch_used;
    size_t n = 0;

    for (size_t i = 0; i < raw.len; i++) {
        uint8_t c = (uint8_t)raw.ptr[i];
        if (n + 3 > max)
            return http_refuse(m, 414, "the URI is too long when it is written as it must be");
        if (http_chars[c] & HTTP_C_URI) {
            out[n++] = (char)c;
            continue;
        }
        if (c == '\0' || c == '\r' || c == '#' || c == '\\')
            return http_refuse_for(m, HTTP_R_BAD_URI);
        http_note(m, c == ' ' || c >= 0x80 ? HTTP_R_SPACE_IN_URI : HTTP_R_AMBIGUOUS_URI);
        out[n++] = '%';
        out[n++] = hex[c >> 4];
        out[n++] = hex[c & 15];
    }
    m->target = span_of(out, n);
    m->scratch_used += n;
    return true;
}

static void split_path(struct http_message *m, struct span text)
{
    const char *mark = text.len == 0 ? NULL : memchr(text.ptr, '?', text.len);

    m->path = text;
    if (mark == NULL)
        return;
    m->has_query = true;
    m->path.len = (size_t)(mark - text.ptr);
    m->query = span_after(text, m->path.len + 1);
}

static bool read_absolute(struct http_message *m, struct span after_scheme)
{
    size_t n = 0;

    while (n < after_scheme.len && after_scheme.ptr[n] != '/' && after_scheme.ptr[n] != '?')
        n++;
    m->authority = span_of(after_scheme.ptr, n);
    if (!http_is_host(m->authority))
        return http_refuse_for(m, HTTP_R_BAD_URI);
    split_path(m, span_after(after_scheme, n));
    if (m->path.len == 0) /* RFC 9112 3.2.4 for OPTIONS */
        m->path = m->method_id == HTTP_OPTIONS && !m->has_query ? SPAN("*") : SPAN("/");
    return true;
}

static bool starts_with_scheme(struct span text, struct span scheme)
{
    return text.len >= scheme.len && span_equal_nocase(span_of(text.ptr, scheme.len), scheme);
}

bool http_read_target(struct http_message *m, struct span raw, bool strictest)
{
    m->target = raw;
    if (!http_all(raw, HTTP_C_URI) && !encode(m, raw))
        return false;
    if (m->target.ptr[0] == '/')
        split_path(m, m->target);
    else if (span_equal(m->target, SPAN("*")) && m->method_id == HTTP_OPTIONS)
        m->path = m->target;
    else if (starts_with_scheme(m->target, SPAN("http://"))) {
        if (!read_absolute(m, span_after(m->target, 7)))
            return false;
    } else if (starts_with_scheme(m->target, SPAN("https://"))) {
        if (!read_absolute(m, span_after(m->target, 8)))
            return false;
    } else {
        return http_refuse_for(m, HTTP_R_BAD_URI);
    }
    if (strictest && http_path_is_devious(m->path))
        return http_refuse(m, 400, "the path has a .. segment or a NUL");
    return true;
}

static bool is_port(struct span text)
{
    unsigned port = 0;

    if (text.len > 5)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
        port = port * 10 + (unsigned)(text.ptr[i] - '0');
    }
    return port <= 65535;
}

static bool is_ip_literal_text(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        const char c = text.ptr[i], letter = (char)(c | 0x20);
        if (!(c >= '0' && c <= '9') && !(letter >= 'a' && letter <= 'f') && c != ':' && c != '.')
            return false;
    }
    return text.len > 0;
}

bool http_is_host(struct span text)
{
    if (text.len > 0 && text.ptr[0] == '[') {
        const char *end = memchr(text.ptr, ']', text.len);
        size_t n = end == NULL ? 0 : (size_t)(end - text.ptr) + 1;
        struct span after = span_after(text, n);
        return n > 2 && is_ip_literal_text(span_of(text.ptr + 1, n - 2)) &&
               (after.len == 0 || (after.ptr[0] == ':' && is_port(span_after(after, 1))));
    }
    const char *colon = text.len == 0 ? NULL : memchr(text.ptr, ':', text.len);
    size_t n = colon == NULL ? text.len : (size_t)(colon - text.ptr);
    return n > 0 && http_all(span_of(text.ptr, n), HTTP_C_HOST) && is_port(span_after(text, n + 1));
}

bool http_rewrite_uri(struct http_message *m, struct span uri, bool strictest)
{
    const size_t max = HTTP_LINE_MAX - m->method.len - (sizeof("  HTTP/1.1") - 1);

    if (uri.len == 0 || uri.len > max || uri.ptr[0] != '/' || !http_all(uri, HTTP_C_URI))
        return false;
    const char *mark = memchr(uri.ptr, '?', uri.len);
    if (strictest &&
        http_path_is_devious(span_of(uri.ptr, mark == NULL ? uri.len : (size_t)(mark - uri.ptr))))
        return false;
    m->has_query = false;
    m->query = SPAN("");
    split_path(m, uri);
    return true;
}

bool http_rewrite_host(struct http_message *m, struct span host)
{
    if (!http_is_host(host))
        return false;
    m->host = host;
    return true;
}
