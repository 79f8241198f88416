/*
 * ip.h -- IPv4 and IPv6 addresses and CIDR blocks as values; no sockets.
 *
 * An IPv4 address that arrives mapped into IPv6 (::ffff:a.b.c.d, RFC 4291
 * 2.5.5.2) is the IPv4 address: ip_parse() and ip_of_mapped() unwrap it, so
 * that no list can be evaded by the other spelling.
 */
#ifndef BASE_IP_H
#define BASE_IP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

struct ip {
    uint8_t family;    /* 4 or 6; 0 is no address */
    uint8_t bytes[16]; /* network order; the first 4 for IPv4, the rest zero */
};

struct cidr {
    struct ip ip; /* host bits are zero */
    uint8_t bits; /* 0-32 or 0-128 */
};

enum { IP_TEXT_MAX = 46, CIDR_TEXT_MAX = 50 };

/* Strict: no blanks, no zone, no leading zeros in IPv4, no "127.1". */
bool ip_parse(struct span text, struct ip *out);

/* The IPv4 address in a mapped one; any other as it is. */
struct ip ip_of_mapped(struct ip ip);

/* "10.0.0.0/8", or an address alone for its whole length. Host bits that are
 * set are an error (a slip of the pen that would admit somebody else); `why`
 * then names the block that was probably meant. */
bool cidr_parse(struct span text, struct cidr *out, char *why, size_t why_size);

/* The address with all bits behind the first so many zero. */
struct ip ip_network(struct ip ip, unsigned bits);

bool cidr_contains(const struct cidr *block, const struct ip *ip);

bool ip_equal(const struct ip *a, const struct ip *b);

/* No address is "-". The text is NUL-terminated in `out`, which is also returned. */
const char *ip_format(const struct ip *ip, char out[IP_TEXT_MAX]);
const char *cidr_format(const struct cidr *block, char out[CIDR_TEXT_MAX]);

#endif
