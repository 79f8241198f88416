/* remote_url.c -- see remote_url.h. */
#include "alb/remote_url.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/ip.h"
#include "base/text.h"
#include "net/tls_client.h"

static bool refuse(const char *what, char *why, size_t why_size)
{
    snprintf(why, why_size, "--remote: %s; it is https://HOST:PORT, as of bind in [management]",
             what);
    return false;
}

/* "HOST", "HOST:PORT", "[v6]", "[v6]:PORT". What is behind the host goes to `port`. */
static bool split(struct span text, struct span *host, struct span *port)
{
    const bool is_v6 = text.len > 0 && text.ptr[0] == '[';
    const char *end = text.len == 0 ? NULL : memchr(text.ptr, is_v6 ? ']' : ':', text.len);
    const size_t len = end == NULL ? text.len : (size_t)(end - text.ptr);

    if (is_v6 && end == NULL)
        return false;
    *host = is_v6 ? span_of(text.ptr + 1, len - 1) : span_of(text.ptr, len);
    *port = span_after(text, is_v6 ? len + 1 : len);
    return true;
}

static bool is_host(struct span host, bool is_v6)
{
    struct ip ip;

    if (ip_parse(host, &ip))
        return (ip.family == 6) == is_v6;
    return !is_v6 && tls_client_is_name(host);
}

bool remote_url_parse(const char *text, struct remote_url *url, char *why, size_t why_size)
{
    static const struct span scheme = SPAN_INIT("https://");
    struct span rest = span_text(text), host, port;
    uint64_t number = 443;

    if (rest.len < scheme.len || !span_equal_nocase(span_of(rest.ptr, scheme.len), scheme))
        return refuse("the URL does not begin with https://", why, why_size);
    rest = span_after(rest, scheme.len);
    if (rest.len > 0 && rest.ptr[rest.len - 1] == '/')
        rest.len--;
    if (rest.len > 0 && memchr(rest.ptr, '@', rest.len) != NULL)
        return refuse("no name or password stands in the URL", why, why_size);
    const bool is_v6 = rest.len > 0 && rest.ptr[0] == '[';
    if (!split(rest, &host, &port) || !is_host(host, is_v6) || host.len > REMOTE_HOST_MAX)
        return refuse("the URL has no good host", why, why_size);
    if (port.len > 0 && (port.ptr[0] != ':' || !text_u64(span_after(port, 1), &number) ||
                         number == 0 || number > UINT16_MAX))
        return refuse("the URL has no good port, or something behind it", why, why_size);
    snprintf(url->host, sizeof(url->host), "%.*s", SPAN_ARGS(host));
    snprintf(url->authority, sizeof(url->authority), is_v6 ? "[%s]:%u" : "%s:%u", url->host,
             (unsigned)number);
    return true;
}
