/*
 * tls_group.h -- which group the key of a TLS connection is agreed in, by what the server
 * sends in the clear. mbedTLS has no function that tells.
 */
#ifndef NET_TLS_GROUP_H
#define NET_TLS_GROUP_H

#include "base/span.h"

/* `record`: a whole record of a server's first flight (RFC 8446 5.1). The name of the group
 * that its ServerHello (1.3, RFC 8446 4.2.8) or ServerKeyExchange (up to 1.2, RFC 8422 5.4)
 * says, as RFC 8446 4.2.7 has it: "secp256r1", "x25519"; NULL when it says none. */
const char *tls_group_of_record(struct span record);

#endif
