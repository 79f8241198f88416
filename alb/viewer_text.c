/* viewer_text.c -- see viewer_text.h. */
#include "alb/viewer_text.h"

#include "base/text.h"

/* 1 to 65535, without leading zeros. */
static bool read_port(struct span text, uint16_t *out)
{
    uint64_t port;

    if (text.len == 0 || text.len > 5 || text.ptr[0] == '0' || !text_u64(text, &port) ||
        port > UINT16_MAX)
        return false;
    *out = (uint16_t)port;
    return true;
}

static struct span last_entry(struct span list)
{
    const char *comma = list.len == 0 ? NULL : memrchr(list.ptr, ',', list.len);

    return span_trim(comma == NULL ? list : span_after(list, (size_t)(comma - list.ptr) + 1));
}

static const char *last_colon(struct span text)
{
    return text.len == 0 ? NULL : memrchr(text.ptr, ':', text.len);
}

/* ADDRESS:PORT, parted at the last colon. */
static bool read_with_port(struct span text, struct viewer *out)
{
    const char *colon = last_colon(text);

    if (colon == NULL)
        return false;
    const size_t at = (size_t)(colon - text.ptr);
    return ip_parse(span_of(text.ptr, at), &out->ip) &&
           read_port(span_after(text, at + 1), &out->port);
}

/* [IPv6] or [IPv6]:PORT */
static bool read_bracketed(struct span text, struct viewer *out)
{
    const char *end = memchr(text.ptr, ']', text.len);

    if (end == NULL)
        return false;
    const struct span ip = span_of(text.ptr + 1, (size_t)(end - text.ptr) - 1);
    const struct span rest = span_after(text, ip.len + 2);
    if (ip.len == 0 || memchr(ip.ptr, ':', ip.len) == NULL || !ip_parse(ip, &out->ip))
        return false;
    return rest.len == 0 || (rest.ptr[0] == ':' && read_port(span_after(rest, 1), &out->port));
}

static bool read_entry(struct span text, struct viewer *out)
{
    if (text.len > 0 && text.ptr[0] == '[')
        return read_bracketed(text, out);
    if (ip_parse(text, &out->ip))
        return true;
    const char *colon = last_colon(text);
    return colon != NULL && memchr(text.ptr, ':', text.len) == colon && read_with_port(text, out);
}

/* Half of an address is none. */
static bool or_nothing(bool ok, struct viewer *out)
{
    if (!ok)
        *out = (struct viewer){ .port = 0 };
    return ok;
}

bool viewer_of_forwarded_for(struct span list, struct viewer *out)
{
    *out = (struct viewer){ .port = 0 };
    return or_nothing(read_entry(last_entry(list), out), out);
}

bool viewer_of_cloudfront(struct span value, struct viewer *out)
{
    *out = (struct viewer){ .port = 0 };
    return or_nothing(read_with_port(value, out), out);
}

enum viewer_proto viewer_proto_of(struct span value)
{
    if (span_equal_nocase(value, SPAN("https")))
        return VIEWER_PROTO_HTTPS;
    return span_equal_nocase(value, SPAN("http")) ? VIEWER_PROTO_HTTP : VIEWER_PROTO_UNSAID;
}
