/*
 * proxy_head.h -- the PROXY protocol's head, versions 1 and 2: what a proxy says of a connection
 * before its first byte (HAProxy's proxy-protocol.txt).
 *
 *     PROXY TCP4 192.0.2.1 10.0.0.5 56324 443\r\n                                   version 1
 *     12 bytes of signature | 2, command | family | length | addresses, TLVs        version 2
 *
 * Pure: the caller has the bytes. A head is read whole or not at all, and no byte behind it is
 * looked at.
 */
#ifndef HTTP_PROXY_HEAD_H
#define HTTP_PROXY_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ip.h"
#include "base/span.h"

enum {
    PROXY_HEAD_MAX = 4096,     /* a longer one is refused; one of version 1 has 107 at most */
    PROXY_ENDPOINT_ID_MAX = 31 /* of a VPC endpoint; a longer one is none */
};

enum proxy_head_state {
    PROXY_HEAD_PARTIAL, /* all bytes that are there belong to it, and more has to come */
    PROXY_HEAD_WHOLE,
    PROXY_HEAD_REFUSED, /* `why` says why; it is no head, whatever comes */
};

struct proxy_end {
    struct ip ip; /* IPv4 in IPv6 is unwrapped */
    uint16_t port;
};

struct proxy_head {
    size_t len; /* the head's bytes */
    /* False for LOCAL, UNKNOWN, and what is no TCP over IP: the addresses of the connection itself
     * are to be used, as if there had been no head. */
    bool is_announced;
    struct proxy_end from, to; /* the client, and what it connected to */
    struct span endpoint_id;   /* of the AWS VPC endpoint: letters, digits and hyphens; borrowed;
                                  empty when none was announced */
    const char *why;           /* refused: a literal */
};

/* From all bytes that have come so far. A CRC-32C is verified if there is one. */
enum proxy_head_state proxy_head_parse(struct span bytes, struct proxy_head *out);

/* These bytes begin a head, though it may be no good one. */
bool proxy_head_begins(struct span bytes);

#endif
