/*
 * tls_ends.h -- when the certificates that a server shows end, and those that a server or a client
 * trusts.
 *
 * Times are seconds since 1970 (UTC), 0 for one before that. Any thread; nothing is read from a
 * file.
 */
#ifndef NET_TLS_ENDS_H
#define NET_TLS_ENDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/tls.h"

struct tls_client;

enum { TLS_END_NAME_MAX = 256 };

/* A certificate with its chain. */
struct tls_end {
    const char *file;            /* as configured; borrowed from the server */
    char name[TLS_END_NAME_MAX]; /* its first dNSName, else its common name, else "": printable
                                    ASCII, with '?' for what is not */
    uint64_t ends_s;             /* the first of the chain */
};

/* Each of the server's in turn, in the order of its options; false behind the last. `*at` begins
 * with 0. */
bool tls_server_next_end(const struct tls_server *server, size_t *at, struct tls_end *end);

/* The first end in the trust store. False when there is none. */
bool tls_server_trust_ends(const struct tls_server *server, uint64_t *ends_s);
bool tls_client_trust_ends(const struct tls_client *client, uint64_t *ends_s);

#endif
