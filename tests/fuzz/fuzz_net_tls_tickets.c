/*
 * fuzz_net_tls_tickets.c -- ticket keys of another process, and tickets of anybody: whatever the
 * keys are, they are told again as they came; whatever the ticket is, it opens nothing.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "net/tls_tickets.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void check_ticket(struct tls_tickets *t, const uint8_t *data, size_t size)
{
    mbedtls_ssl_session session;
    uint8_t *copy = malloc(size + 1); /* it is deciphered in its place */

    memcpy(copy, data, size);
    mbedtls_ssl_session_init(&session);
    must(tls_tickets_parse(t, &session, copy, size) != 0);
    mbedtls_ssl_session_free(&session);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t again[TLS_TICKETS_SAVED];
    struct tls_tickets t;

    if (size < TLS_TICKETS_SAVED)
        return 0;
    tls_tickets_init(&t);
    tls_tickets_load(&t, data);
    tls_tickets_save(&t, again);
    must(memcmp(again, data, sizeof(again)) == 0);
    check_ticket(&t, data + TLS_TICKETS_SAVED, size - TLS_TICKETS_SAVED);
    tls_tickets_done(&t);
    return 0;
}
