/*
 * target_name.h -- how a target is named, in the file, by commands and in the state file:
 *
 *     10.0.1.10:9001   [2001:db8::1]:80   unix:/run/app.sock   dns:NAME:PORT
 *
 * Where the group has a `port`, it may be left out. The text is the only spelling of
 * that target: two names are one target exactly when their texts are equal.
 */
#ifndef ALB_TARGET_NAME_H
#define ALB_TARGET_NAME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "net/addr.h"

enum {
    TARGET_HOST_MAX = 255, /* a DNS name (RFC 1035 2.3.4), its last dot and a NUL */
    TARGET_NAME_MAX = TARGET_HOST_MAX + 16, /* "dns:" and ":65535" too */
};

struct target_name {
    char text[TARGET_NAME_MAX];
    struct addr addr;           /* of an address or a socket; len 0 for a DNS name */
    char host[TARGET_HOST_MAX]; /* of a DNS name, in lower case; else "" */
    uint16_t port;              /* of a DNS name */
};

/* `port` is the group's, 0 when it has none. False with a sentence in `why` that says
 * what would be right. Refused are addresses that are no host's: 0.0.0.0, multicast,
 * broadcast, link-local IPv6 without its interface. */
bool target_name_parse(struct span text, uint32_t port, struct target_name *out, char *why,
                       size_t why_size);

/* The name of an address that DNS gave; false for one that is no host's. */
bool target_name_of_ip(const struct ip *ip, uint16_t port, struct target_name *out);

#endif
