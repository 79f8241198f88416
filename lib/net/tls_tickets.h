/*
 * tls_tickets.h -- the session tickets of a server: the keys that seal them, and their change.
 *
 * In place of mbedTLS's own (ssl_ticket.h), whose keys never leave it: a process that takes over
 * from this one needs them, or every client pays for a whole handshake.
 *
 *   name of the key (4 bytes)  nonce (12)  sealed { began (8), session }  tag (16)
 *
 * A key seals for TLS_TICKET_LIFETIME_S; then there is a new one, and it opens for as long as it is
 * the one before. A ticket is good for that time from the full handshake on, whatever its key.
 *
 * Private to tls*.c. Any thread.
 */
#ifndef NET_TLS_TICKETS_H
#define NET_TLS_TICKETS_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include <mbedtls/ssl.h>

enum {
    TLS_TICKET_LIFETIME_S = 86400,
    TLS_TICKET_NAME_BYTES = 4,
    TLS_TICKET_KEY_BYTES = 32,
};

struct tls_ticket_key {
    uint8_t name[TLS_TICKET_NAME_BYTES];
    uint8_t key[TLS_TICKET_KEY_BYTES];
    uint64_t since_s; /* wall clock; 0: none */
};

struct tls_tickets {
    pthread_mutex_t lock;
    struct tls_ticket_key now, before;
};

void tls_tickets_init(struct tls_tickets *t);
void tls_tickets_done(struct tls_tickets *t);

/* For mbedtls_ssl_conf_session_tickets_cb(), with the tickets as their argument. */
mbedtls_ssl_ticket_write_t tls_tickets_write;
mbedtls_ssl_ticket_parse_t tls_tickets_parse;

/* Both keys, for another process; and go on with such ones. */
enum { TLS_TICKETS_SAVED = 2 * (TLS_TICKET_NAME_BYTES + TLS_TICKET_KEY_BYTES + 8) };
void tls_tickets_save(struct tls_tickets *t, uint8_t out[TLS_TICKETS_SAVED]);
void tls_tickets_load(struct tls_tickets *t, const uint8_t saved[TLS_TICKETS_SAVED]);

#endif
