/* canonical.c -- see canonical.h. */
#include "http/canonical.h"

#include "http/chars.h"
#include "http/reply.h"

/* All pieces or none. */
static bool put_all(struct buf *to, const struct span *pieces, size_t count)
{
    size_t len = 0;
    for (size_t i = 0; i < count; i++)
        len += pieces[i].len;

    char *out = buf_space(to, len);
    if (out == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (pieces[i].len > 0) /* an empty one may have no address */
            memcpy(out, pieces[i].ptr, pieces[i].len);
        out += pieces[i].len;
    }
    buf_added(to, len);
    return true;
}

#define PUT(to, ...)                                                                               \
    put_all((to), (const struct span[]){ __VA_ARGS__ },                                            \
            sizeof((const struct span[]){ __VA_ARGS__ }) / sizeof(struct span))

bool http_write_request_line(struct buf *to, const struct http_message *m)
{
    if (!http_is_token(m->method) || m->path.len == 0 || !http_all(m->path, HTTP_C_URI) ||
        !http_all(m->query, HTTP_C_URI))
        return false;
    return PUT(to, m->method, SPAN(" "), m->path, m->has_query ? SPAN("?") : SPAN(""),
               m->has_query ? m->query : SPAN(""), SPAN(" HTTP/1.1\r\n"));
}

bool http_write_status_line(struct buf *to, int status, struct span reason)
{
    if (status < 100 || status > 999)
        return false;
    const char digits[3] = { (char)('0' + status / 100), (char)('0' + status / 10 % 10),
                             (char)('0' + status % 10) };
    if (reason.len == 0 || !http_is_value(reason))
        reason = span_text(http_status_text(status));
    return PUT(to, SPAN("HTTP/1.1 "), span_of(digits, 3), SPAN(" "), reason, SPAN("\r\n"));
}

bool http_write_field(struct buf *to, struct span name, struct span value)
{
    if (!http_is_token(name) || !http_is_value(value))
        return false;
    char *at = buf_space(to, name.len + value.len + 4);
    if (at == NULL)
        return false;
    memcpy(at, name.ptr, name.len);
    memcpy(at + name.len, ": ", 2);
    if (value.len > 0) /* an empty one may have no address */
        memcpy(at + name.len + 2, value.ptr, value.len);
    memcpy(at + name.len + 2 + value.len, "\r\n", 2);
    buf_added(to, name.len + value.len + 4);
    return true;
}

bool http_write_framing(struct buf *to, const struct http_message *m)
{
    if (m->framing == HTTP_BODY_CHUNKED)
        return buf_put(to, SPAN("Transfer-Encoding: chunked\r\n"));
    if (!m->has_length)
        return true;
    return buf_put(to, SPAN("Content-Length: ")) && buf_put_number(to, m->content_length) &&
           buf_put(to, SPAN("\r\n"));
}

bool http_end_head(struct buf *to)
{
    return buf_put(to, SPAN("\r\n"));
}
