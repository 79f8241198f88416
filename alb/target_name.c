/* target_name.c -- see target_name.h. */
#include "alb/target_name.h"

#include <ctype.h>
#include <stdio.h>

#include "base/text.h"

#define UNIX SPAN("unix:")
#define DNS SPAN("dns:")

enum { LABEL_MAX = 63, HOST_LONGEST = 253 };

struct reason {
    char *text;
    size_t size;
};

#define REFUSE(why, ...) (snprintf((why)->text, (why)->size, __VA_ARGS__), false)

/* --- addresses ------------------------------------------------------------------------ */

/* What no host has. */
static const struct {
    struct cidr block;
    const char *what;
} useless[] = {
    { { { 4, { 0 } }, 8 }, "an address of no host" },
    { { { 4, { 224 } }, 4 }, "a multicast address" },
    { { { 4, { 255, 255, 255, 255 } }, 32 }, "the broadcast address" },
    { { { 6, { 0 } }, 128 }, "an address of no host" },
    { { { 6, { 0xff } }, 8 }, "a multicast address" },
    { { { 6, { 0xfe, 0x80 } }, 10 },
      "a link-local address, which means nothing without an interface" },
};

/* NULL when it is good. */
static const char *useless_as(const struct ip *ip)
{
    for (size_t i = 0; i < sizeof(useless) / sizeof(useless[0]); i++) {
        if (cidr_contains(&useless[i].block, ip))
            return useless[i].what;
    }
    return NULL;
}

static void set_addr(struct target_name *out, const struct addr *addr)
{
    char text[ADDR_TEXT_MAX];

    out->addr = *addr;
    snprintf(out->text, sizeof(out->text), "%s", addr_format(addr, text));
}

/* An address alone, in brackets or not. */
static bool parse_bare_ip(struct span text, struct ip *ip)
{
    if (text.len > 2 && text.ptr[0] == '[' && text.ptr[text.len - 1] == ']')
        return ip_parse(span_of(text.ptr + 1, text.len - 2), ip) && ip->family == 6;
    return ip_parse(text, ip);
}

static bool no_port(struct span text, struct reason *why)
{
    return REFUSE(why, "\"%.*s\" has no port, and its target group has no `port` either",
                  SPAN_ARGS(text));
}

static bool parse_address(struct span text, uint32_t port, struct target_name *out,
                          struct reason *why)
{
    struct addr addr;
    struct ip ip;

    if (parse_bare_ip(text, &ip)) {
        if (port == 0)
            return no_port(text, why);
        addr_of_ip(&ip, (uint16_t)port, &addr);
    } else if (!addr_parse(text, false, &addr, why->text, why->size) || !addr_ip(&addr, &ip)) {
        return REFUSE(why,
                      "\"%.*s\" is no target: write IP:port with a port of 1-65535, [IPv6]:port, "
                      "unix:/path or dns:NAME:port",
                      SPAN_ARGS(text));
    }
    if (useless_as(&ip) != NULL)
        return REFUSE(why, "\"%.*s\" is %s", SPAN_ARGS(text), useless_as(&ip));
    set_addr(out, &addr);
    return true;
}

bool target_name_of_ip(const struct ip *ip, uint16_t port, struct target_name *out)
{
    struct addr addr;

    *out = (struct target_name){ .port = 0 };
    if (useless_as(ip) != NULL)
        return false;
    addr_of_ip(ip, port, &addr);
    set_addr(out, &addr);
    return true;
}

/* --- sockets in the file system --------------------------------------------------------- */

/* It stands in log lines, where blanks part the fields. */
static bool is_visible(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] <= ' ' || text.ptr[i] >= 0x7f || text.ptr[i] == '"' || text.ptr[i] == '\\')
            return false;
    }
    return true;
}

static bool parse_unix(struct span text, struct target_name *out, struct reason *why)
{
    const struct span path = span_after(text, UNIX.len);
    char copy[sizeof(out->addr.un.sun_path)];
    struct addr addr;

    if (path.len == 0 || path.ptr[0] != '/' || !is_visible(path))
        return REFUSE(why,
                      "\"%.*s\": the path of a socket begins with / and is of visible ASCII "
                      "characters without quotes",
                      SPAN_ARGS(text));
    if (path.len >= sizeof(copy))
        return REFUSE(why, "\"%.*s\": the path has %zu bytes; that of a socket has at most %zu",
                      SPAN_ARGS(text), path.len, sizeof(copy) - 1);
    snprintf(copy, sizeof(copy), "%.*s", SPAN_ARGS(path));
    addr_unix(copy, &addr);
    set_addr(out, &addr);
    return true;
}

/* --- names -------------------------------------------------------------------------------- */

static bool is_label(struct span label)
{
    for (size_t i = 0; i < label.len; i++) {
        const unsigned char c = (unsigned char)label.ptr[i];
        if (!isalnum(c) && c != '-' && c != '_')
            return false;
    }
    return label.len > 0 && label.len <= LABEL_MAX && label.ptr[0] != '-';
}

static bool is_number(struct span label)
{
    uint64_t n;

    return text_u64(label, &n);
}

/* A dot at the end says that no search list is to be tried. The last label is no
 * number: what looks like an address is none of a name (RFC 1123 2.1). */
static bool is_host(struct span host)
{
    struct span label = SPAN("0");

    if (host.len > 0 && host.ptr[host.len - 1] == '.')
        host.len--;
    if (host.len == 0 || host.len > HOST_LONGEST)
        return false;
    while (span_next(&host, '.', &label)) {
        if (!is_label(label))
            return false;
    }
    return !is_number(label);
}

/* "NAME" or "NAME:PORT" */
static bool split(struct span text, uint32_t group_port, struct span *host, uint64_t *port)
{
    const char *colon = text.len == 0 ? NULL : memrchr(text.ptr, ':', text.len);

    *host = text;
    *port = group_port;
    if (colon == NULL)
        return true;
    host->len = (size_t)(colon - text.ptr);
    return text_u64(span_after(text, host->len + 1), port) && *port >= 1 && *port <= UINT16_MAX;
}

static bool parse_dns(struct span text, uint32_t group_port, struct target_name *out,
                      struct reason *why)
{
    struct span host;
    uint64_t port;

    if (!split(span_after(text, DNS.len), group_port, &host, &port) || !is_host(host))
        return REFUSE(why,
                      "\"%.*s\" is not dns:NAME:port: a name has at most 253 letters, digits, "
                      "'-', '_' and dots, a port is 1-65535",
                      SPAN_ARGS(text));
    if (port == 0)
        return no_port(text, why);
    for (size_t i = 0; i < host.len; i++)
        out->host[i] = (char)tolower((unsigned char)host.ptr[i]);
    out->port = (uint16_t)port;
    snprintf(out->text, sizeof(out->text), "dns:%s:%u", out->host, (unsigned)out->port);
    return true;
}

bool target_name_parse(struct span text, uint32_t port, struct target_name *out, char *why,
                       size_t why_size)
{
    struct reason reason = { why, why_size };

    *out = (struct target_name){ .port = 0 };
    if (span_starts_with(text, UNIX))
        return parse_unix(text, out, &reason);
    if (span_starts_with(text, DNS))
        return parse_dns(text, port, out, &reason);
    return parse_address(text, port, out, &reason);
}
