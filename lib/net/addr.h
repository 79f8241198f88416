/*
 * addr.h -- socket addresses: parse, print, ask the kernel.
 *
 * Numeric only: names are resolved at start-up by addr_resolve(), never on a
 * loop.
 */
#ifndef NET_ADDR_H
#define NET_ADDR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/ip.h"
#include "base/span.h"

struct addr {
    socklen_t len; /* 0: no address */
    union {
        struct sockaddr sa;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
        struct sockaddr_un un;
    };
};

/* The longest text of addr_format(), with the NUL. */
enum { ADDR_TEXT_MAX = 128 };

/* "IP:port" or "[v6]:port"; port 0 only when `port_0` allows it. False with a
 * sentence in `why` that shows the right form. */
bool addr_parse(struct span text, bool port_0, struct addr *out, char *why, size_t why_size);

/* As addr_parse(), but the host may be a name; blocks. The first answer wins,
 * IPv4 before IPv6. */
bool addr_resolve(struct span text, struct addr *out, char *why, size_t why_size);

/* The same, but all answers, none twice, in the order in which they are to be tried (RFC 6724). How
 * many, at most `most`; 0 with a sentence in `why`. localhost is 127.0.0.1, then ::1. */
size_t addr_resolve_all(struct span text, struct addr *out, size_t most, char *why,
                        size_t why_size);

/* An IP address and a port. */
void addr_of_ip(const struct ip *ip, uint16_t port, struct addr *out);

/* A Unix socket's path; false when it is empty or too long (107 bytes). */
bool addr_unix(const char *path, struct addr *out);

/* "10.0.0.1:80", "[::1]:80", "unix:/run/x.sock", or "-" when there is none. The
 * text is NUL-terminated in `out`, which is also returned. */
const char *addr_format(const struct addr *addr, char out[ADDR_TEXT_MAX]);

/* False for a Unix address. IPv4 in IPv6 is unwrapped. */
bool addr_ip(const struct addr *addr, struct ip *out);

/* 0 for a Unix address. */
uint16_t addr_port(const struct addr *addr);
void addr_set_port(struct addr *addr, uint16_t port);
bool addr_equal(const struct addr *a, const struct addr *b);

/* Cannot both be listened at: equal, or one is all addresses of the other's family. Never those
 * of port 0. */
bool addr_overlaps(const struct addr *a, const struct addr *b);

/* What the kernel says; false when the socket is gone. */
bool addr_local(int fd, struct addr *out);
bool addr_peer(int fd, struct addr *out);

#endif
