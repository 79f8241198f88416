/*
 * second.c -- see second.h; the only file that knows http-parser.
 *
 * The library is fed the whole head at once, so each of its callbacks comes
 * once and points into the head. We walk the lines beside it: what it calls a
 * name and a value must be exactly what stands on the line.
 */

/* The library's names of methods are ours as well. */
#define http_method library_method
#define HTTP_GET LIBRARY_GET
#define HTTP_HEAD LIBRARY_HEAD
#define HTTP_POST LIBRARY_POST
#define HTTP_PUT LIBRARY_PUT
#define HTTP_DELETE LIBRARY_DELETE
#define HTTP_OPTIONS LIBRARY_OPTIONS
#define HTTP_PATCH LIBRARY_PATCH
#define HTTP_CONNECT LIBRARY_CONNECT
#define HTTP_TRACE LIBRARY_TRACE
#include <http_parser.h>
#undef http_method
#undef HTTP_GET
#undef HTTP_HEAD
#undef HTTP_POST
#undef HTTP_PUT
#undef HTTP_DELETE
#undef HTTP_OPTIONS
#undef HTTP_PATCH
#undef HTTP_CONNECT
#undef HTTP_TRACE

#include "http/second.h"

struct reading {
    struct span rest;  /* lines not yet reached */
    struct span value; /* of the line that it is at */
    struct span url;
    const char *why;
    bool is_complete;
    uint64_t content_length;
    unsigned flags;
};

static struct span take_line(struct span *rest)
{
    const char *end = rest->len == 0 ? NULL : memchr(rest->ptr, '\r', rest->len);
    size_t n = end == NULL ? rest->len : (size_t)(end - rest->ptr);
    struct span line = span_of(rest->ptr, n);

    *rest = span_after(*rest, n + 2);
    return line;
}

/* For a callback: a difference stops the library. */
static int differ(struct reading *r, const char *why)
{
    r->why = why;
    return -1;
}

static int on_url(http_parser *p, const char *at, size_t len)
{
    struct reading *r = p->data;

    r->url = span_of(at, len);
    return 0;
}

static int on_name(http_parser *p, const char *at, size_t len)
{
    struct reading *r = p->data;
    struct span line = take_line(&r->rest);

    /* It sees no ':' in a name, so the first one of the line ends it. */
    if (line.len == 0)
        return differ(r, "the second parser sees another field");
    if (at != line.ptr || len >= line.len || at[len] != ':')
        return differ(r, "the second parser sees another field name");
    r->value = span_trim(span_after(line, len + 1));
    return 0;
}

static int on_value(http_parser *p, const char *at, size_t len)
{
    struct reading *r = p->data;
    struct span seen = span_trim(span_of(at, len));

    /* Both are places in the same head. */
    return seen.len == r->value.len && (seen.len == 0 || seen.ptr == r->value.ptr)
               ? 0
               : differ(r, "the second parser sees another field value");
}

/* 1: no body follows in what we hand over. */
static int on_head(http_parser *p)
{
    struct reading *r = p->data;

    r->is_complete = true;
    r->flags = p->flags;
    r->content_length = p->content_length;
    return 1;
}

static const http_parser_settings callbacks = {
    .on_url = on_url,
    .on_header_field = on_name,
    .on_header_value = on_value,
    .on_headers_complete = on_head,
};

static bool feed(http_parser *p, struct span bytes)
{
    return http_parser_execute(p, &callbacks, bytes.ptr, bytes.len) == bytes.len &&
           HTTP_PARSER_ERRNO(p) == HPE_OK;
}

static const char *compare_framing(const struct reading *r, const struct http_message *m)
{
    bool chunked = (r->flags & F_CHUNKED) != 0;
    bool length = (r->flags & F_CONTENTLENGTH) != 0;

    if (r->rest.len != 0)
        return "the second parser sees fewer fields";
    if (m->has_length && (!length || r->content_length != m->content_length))
        return "the second parser sees another Content-Length";
    switch (m->framing) {
    case HTTP_BODY_NONE:
        return NULL;
    case HTTP_BODY_LENGTH:
        return chunked || !length ? "the second parser sees another body length" : NULL;
    case HTTP_BODY_CHUNKED:
        return !chunked || length ? "the second parser does not see a chunked body" : NULL;
    case HTTP_BODY_UNTIL_CLOSE:
        return chunked || length ? "the second parser sees a body length" : NULL;
    }
    return "no such framing";
}

static bool agree(const char *found, const char **why)
{
    *why = found;
    return found == NULL;
}

static const char *compare_request(const http_parser *p, const struct reading *r,
                                   const struct http_message *m, struct span url)
{
    if (m->method_id != HTTP_METHOD_OTHER &&
        !span_equal(span_text(http_method_str((enum library_method)p->method)), m->method))
        return "the second parser sees another method";
    if (r->url.ptr != url.ptr || r->url.len != url.len)
        return "the second parser sees another URL";
    if (p->http_major != 1 || p->http_minor != 1)
        return "the second parser sees another version";
    if (m->framing == HTTP_BODY_NONE && (r->flags & (F_CHUNKED | F_CONTENTLENGTH)) != 0)
        return "the second parser sees a body";
    return compare_framing(r, m);
}

static struct span without_empty_line(struct span head)
{
    static const char end[] = "\r\n\r\n";
    const size_t n = sizeof(end) - 1;
    const bool is_there = head.len >= n && memcmp(head.ptr + head.len - n, end, n) == 0;

    return span_of(head.ptr, head.len - (is_there ? 2 : 0));
}

bool http_second_request(struct span with_end, const struct http_message *m, const char **why)
{
    const struct span head = without_empty_line(with_end);
    struct reading r = { .rest = head };
    http_parser p;
    struct span line = take_line(&r.rest);
    size_t around = m->method.len + sizeof("  HTTP/1.1") - 1;

    if (line.len <= around || !span_starts_with(line, m->method))
        return agree("the head does not start with the request's method", why);
    struct span url = span_of(line.ptr + m->method.len + 1, line.len - around);

    http_parser_init(&p, HTTP_REQUEST);
    p.data = &r;
    /* It refuses the methods that it does not know. */
    bool is_read = m->method_id == HTTP_METHOD_OTHER
                       ? feed(&p, SPAN("GET")) && feed(&p, span_after(head, m->method.len))
                       : feed(&p, head);
    is_read = is_read && feed(&p, SPAN("\r\n"));
    if (r.why != NULL)
        return agree(r.why, why);
    if (!is_read || !r.is_complete)
        return agree("the second parser refuses the head", why);
    return agree(compare_request(&p, &r, m, url), why);
}

bool http_second_response(struct span head, const struct http_message *m, const char **why)
{
    struct reading r = { .rest = without_empty_line(head) };
    http_parser p;
    take_line(&r.rest);

    http_parser_init(&p, HTTP_RESPONSE);
    p.data = &r;
    bool is_read = feed(&p, head);
    if (r.why != NULL)
        return agree(r.why, why);
    if (!is_read || !r.is_complete)
        return agree("the second parser refuses the head", why);
    if (p.status_code != (unsigned)m->status)
        return agree("the second parser sees another status", why);
    if (p.http_major != 1 || p.http_minor != m->minor)
        return agree("the second parser sees another version", why);
    return agree(compare_framing(&r, m), why);
}
