/* addr.c -- socket addresses: parse, print, ask the kernel. */
#include <netdb.h>
#include <stdio.h>

#include "base/text.h"

#include "net/addr.h"

enum { HOST_MAX = 256 };

/* "host:port" taken apart; the brackets around an IPv6 host are gone. */
struct parts {
    struct span host;
    uint16_t port;
    bool is_bracketed;
};

static bool split(struct span text, bool port_0, struct parts *out)
{
    uint64_t port;
    const char *colon = text.len == 0 ? NULL : memrchr(text.ptr, ':', text.len);
    if (colon == NULL)
        return false;

    size_t at = (size_t)(colon - text.ptr);
    if (!text_u64(span_after(text, at + 1), &port) || port > UINT16_MAX || (port == 0 && !port_0))
        return false;
    out->port = (uint16_t)port;
    out->host = span_of(text.ptr, at);
    out->is_bracketed = at >= 2 && text.ptr[0] == '[' && text.ptr[at - 1] == ']';
    if (out->is_bracketed)
        out->host = span_of(text.ptr + 1, at - 2);
    return out->host.len > 0;
}

void addr_of_ip(const struct ip *ip, uint16_t port, struct addr *out)
{
    memset(out, 0, sizeof(*out));
    if (ip->family == 4) {
        out->len = sizeof(out->in);
        out->in.sin_family = AF_INET;
        memcpy(&out->in.sin_addr, ip->bytes, 4);
    } else {
        out->len = sizeof(out->in6);
        out->in6.sin6_family = AF_INET6;
        memcpy(&out->in6.sin6_addr, ip->bytes, 16);
    }
    addr_set_port(out, port);
}

/* The brackets belong to a host with colons, and to no other. */
static bool parse(struct span text, bool port_0, struct addr *out)
{
    struct parts parts;
    struct ip ip;

    if (!split(text, port_0, &parts) || !ip_parse(parts.host, &ip))
        return false;
    if (parts.is_bracketed != (memchr(parts.host.ptr, ':', parts.host.len) != NULL))
        return false;
    addr_of_ip(&ip, parts.port, out);
    return true;
}

bool addr_parse(struct span text, bool port_0, struct addr *out, char *why, size_t why_size)
{
    if (parse(text, port_0, out))
        return true;
    snprintf(why, why_size, "\"%.*s\" is no address: write an IP address and a port%s, %s",
             SPAN_ARGS(text), port_0 ? "" : " (1-65535)", "like 127.0.0.1:8080 or [::1]:8080");
    return false;
}

/* The first IPv4 answer, or else the first. */
static const struct addrinfo *pick(const struct addrinfo *found)
{
    for (const struct addrinfo *at = found; at != NULL; at = at->ai_next) {
        if (at->ai_family == AF_INET)
            return at;
    }
    return found;
}

/* NULL with a sentence; else to be freed. */
static struct addrinfo *look_up(const char *host, char *why, size_t why_size)
{
    const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
    struct addrinfo *found = NULL;

    int rc = getaddrinfo(host, NULL, &hints, &found);
    if (rc == 0)
        return found;
    snprintf(why, why_size, "%s: %s", host, gai_strerror(rc));
    return NULL;
}

static void take(const struct addrinfo *at, uint16_t port, struct addr *out)
{
    memset(out, 0, sizeof(*out));
    memcpy(&out->sa, at->ai_addr, at->ai_addrlen);
    out->len = at->ai_addrlen;
    addr_set_port(out, port);
}

/* A host that is no address, as a C string in `host`. */
static bool name_of(struct span text, struct parts *parts, char host[HOST_MAX], char *why,
                    size_t why_size)
{
    if (!split(text, false, parts) || parts->is_bracketed || parts->host.len >= HOST_MAX ||
        memchr(parts->host.ptr, ':', parts->host.len) != NULL) {
        snprintf(why, why_size, "\"%.*s\" is no address: write a host and a port, %s",
                 SPAN_ARGS(text), "like localhost:8080 or 127.0.0.1:8080");
        return false;
    }
    memcpy(host, parts->host.ptr, parts->host.len);
    host[parts->host.len] = '\0';
    return true;
}

/* RFC 6761 6.3: always the loopback, whatever a resolver would say. */
static bool is_localhost(const struct parts *parts)
{
    return span_equal_nocase(parts->host, SPAN("localhost"));
}

bool addr_resolve(struct span text, struct addr *out, char *why, size_t why_size)
{
    struct parts parts;
    char host[HOST_MAX];

    if (parse(text, false, out))
        return true;
    if (!name_of(text, &parts, host, why, why_size))
        return false;
    struct addrinfo *found = look_up(is_localhost(&parts) ? "127.0.0.1" : host, why, why_size);
    if (found == NULL)
        return false;
    take(pick(found), parts.port, out);
    freeaddrinfo(found);
    return true;
}

static bool has(const struct addr *list, size_t count, const struct addr *addr)
{
    for (size_t i = 0; i < count; i++) {
        if (addr_equal(&list[i], addr))
            return true;
    }
    return false;
}

static size_t both_loopbacks(uint16_t port, struct addr *out, size_t most)
{
    static const struct ip loopbacks[] = { { .family = 4, .bytes = { 127, 0, 0, 1 } },
                                           { .family = 6, .bytes = { [15] = 1 } } };
    size_t count = 0;

    while (count < 2 && count < most) {
        addr_of_ip(&loopbacks[count], port, &out[count]);
        count++;
    }
    return count;
}

size_t addr_resolve_all(struct span text, struct addr *out, size_t most, char *why, size_t why_size)
{
    struct parts parts;
    char host[HOST_MAX];
    size_t count = 0;

    if (parse(text, false, out))
        return 1;
    if (!name_of(text, &parts, host, why, why_size))
        return 0;
    if (is_localhost(&parts))
        return both_loopbacks(parts.port, out, most);
    struct addrinfo *found = look_up(host, why, why_size);
    for (const struct addrinfo *at = found; at != NULL && count < most; at = at->ai_next) {
        take(at, parts.port, &out[count]);
        count += !has(out, count, &out[count]);
    }
    if (found != NULL)
        freeaddrinfo(found);
    return count;
}

bool addr_unix(const char *path, struct addr *out)
{
    size_t len = strlen(path);
    memset(out, 0, sizeof(*out));
    if (len == 0 || len >= sizeof(out->un.sun_path))
        return false;
    out->un.sun_family = AF_UNIX;
    memcpy(out->un.sun_path, path, len + 1);
    out->len = sizeof(out->un);
    return true;
}

const char *addr_format(const struct addr *addr, char out[ADDR_TEXT_MAX])
{
    char text[IP_TEXT_MAX];
    struct ip ip;

    if (addr_ip(addr, &ip))
        snprintf(out, ADDR_TEXT_MAX, ip.family == 4 ? "%s:%u" : "[%s]:%u", ip_format(&ip, text),
                 (unsigned)addr_port(addr));
    else if (addr->len > 0 && addr->sa.sa_family == AF_UNIX)
        snprintf(out, ADDR_TEXT_MAX, "unix:%.*s", (int)sizeof(addr->un.sun_path),
                 addr->un.sun_path);
    else
        snprintf(out, ADDR_TEXT_MAX, "-");
    return out;
}

bool addr_ip(const struct addr *addr, struct ip *out)
{
    memset(out, 0, sizeof(*out));
    if (addr->len == 0)
        return false;
    if (addr->sa.sa_family == AF_INET) {
        out->family = 4;
        memcpy(out->bytes, &addr->in.sin_addr, 4);
        return true;
    }
    if (addr->sa.sa_family != AF_INET6)
        return false;
    if (IN6_IS_ADDR_V4MAPPED(&addr->in6.sin6_addr)) {
        out->family = 4;
        memcpy(out->bytes, addr->in6.sin6_addr.s6_addr + 12, 4);
    } else {
        out->family = 6;
        memcpy(out->bytes, addr->in6.sin6_addr.s6_addr, 16);
    }
    return true;
}

uint16_t addr_port(const struct addr *addr)
{
    if (addr->len > 0 && addr->sa.sa_family == AF_INET)
        return ntohs(addr->in.sin_port);
    if (addr->len > 0 && addr->sa.sa_family == AF_INET6)
        return ntohs(addr->in6.sin6_port);
    return 0;
}

void addr_set_port(struct addr *addr, uint16_t port)
{
    if (addr->sa.sa_family == AF_INET)
        addr->in.sin_port = htons(port);
    else if (addr->sa.sa_family == AF_INET6)
        addr->in6.sin6_port = htons(port);
}

bool addr_equal(const struct addr *a, const struct addr *b)
{
    struct ip ip_a, ip_b;

    if (a->len == 0 || b->len == 0)
        return a->len == b->len;
    if (addr_ip(a, &ip_a) && addr_ip(b, &ip_b))
        return ip_equal(&ip_a, &ip_b) && addr_port(a) == addr_port(b);
    return a->sa.sa_family == AF_UNIX && b->sa.sa_family == AF_UNIX &&
           strncmp(a->un.sun_path, b->un.sun_path, sizeof(a->un.sun_path)) == 0;
}

static bool is_any(const struct ip *ip)
{
    static const struct ip any4 = { .family = 4 }, any6 = { .family = 6 };

    return ip_equal(ip, &any4) || ip_equal(ip, &any6);
}

bool addr_overlaps(const struct addr *a, const struct addr *b)
{
    struct ip ip_a, ip_b;

    if (!addr_ip(a, &ip_a) || !addr_ip(b, &ip_b) || ip_a.family != ip_b.family)
        return false;
    return addr_port(a) != 0 && addr_port(a) == addr_port(b) &&
           (ip_equal(&ip_a, &ip_b) || is_any(&ip_a) || is_any(&ip_b));
}

bool addr_local(int fd, struct addr *out)
{
    memset(out, 0, sizeof(*out));
    socklen_t len = sizeof(out->un);
    if (getsockname(fd, &out->sa, &len) == -1)
        return false;
    out->len = len;
    return true;
}

bool addr_peer(int fd, struct addr *out)
{
    memset(out, 0, sizeof(*out));
    socklen_t len = sizeof(out->un);
    if (getpeername(fd, &out->sa, &len) == -1)
        return false;
    out->len = len;
    return true;
}
