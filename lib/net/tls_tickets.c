/* tls_tickets.c -- see tls_tickets.h. */
#include "net/tls_tickets.h"

#include <string.h>

#include <mbedtls/gcm.h>
#include <mbedtls/platform_util.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/random.h"

#include "net/tls_private.h"

enum { NONCE_BYTES = 12, BEGAN_BYTES = 8, TAG_BYTES = 16 };

/* Where the parts begin; the tag follows what is sealed. */
enum {
    NONCE_AT = TLS_TICKET_NAME_BYTES,
    SEALED_AT = NONCE_AT + NONCE_BYTES,
    SESSION_AT = SEALED_AT + BEGAN_BYTES,
    OVERHEAD = SESSION_AT + TAG_BYTES,
};

static uint64_t now_s(void)
{
    return clock_wall_us() / 1000000;
}

/* --- keys ------------------------------------------------------------------------------ */

static void make_key(struct tls_ticket_key *key, uint64_t since_s)
{
    random_bytes(key->name, sizeof(key->name));
    random_bytes(key->key, sizeof(key->key));
    key->since_s = since_s;
}

void tls_tickets_init(struct tls_tickets *t)
{
    memset(t, 0, sizeof(*t));
    pthread_mutex_init(&t->lock, NULL);
    make_key(&t->now, now_s());
}

void tls_tickets_done(struct tls_tickets *t)
{
    pthread_mutex_destroy(&t->lock);
    mbedtls_platform_zeroize(t, sizeof(*t));
}

/* A clock that was set back makes a new one, too. */
static void change_key(struct tls_tickets *t)
{
    const uint64_t now = now_s();

    if (now >= t->now.since_s && now - t->now.since_s < TLS_TICKET_LIFETIME_S)
        return;
    t->before = t->now;
    make_key(&t->now, now);
}

static bool is_key(const struct tls_ticket_key *key, const uint8_t *name)
{
    return key->since_s != 0 && memcmp(key->name, name, sizeof(key->name)) == 0;
}

/* A copy of the key of this name, NULL for the one that seals; the caller wipes it. */
static bool find_key(struct tls_tickets *t, const uint8_t *name, struct tls_ticket_key *out)
{
    bool found = true;

    pthread_mutex_lock(&t->lock);
    change_key(t);
    if (name == NULL || is_key(&t->now, name))
        *out = t->now;
    else if (is_key(&t->before, name))
        *out = t->before;
    else
        found = false;
    pthread_mutex_unlock(&t->lock);
    return found;
}

/* --- sealing and opening ---------------------------------------------------------------- */

static void set_key(mbedtls_gcm_context *gcm, struct tls_ticket_key *key)
{
    mbedtls_gcm_init(gcm);
    if (mbedtls_gcm_setkey(gcm, MBEDTLS_CIPHER_ID_AES, key->key, 8 * sizeof(key->key)) != 0)
        bug("AES key not accepted");
    mbedtls_platform_zeroize(key, sizeof(*key));
}

/* `len` bytes from SEALED_AT on, in place. */
static void seal_ticket(uint8_t *ticket, size_t len, struct tls_ticket_key *key)
{
    mbedtls_gcm_context gcm;

    memcpy(ticket, key->name, sizeof(key->name));
    random_bytes(ticket + NONCE_AT, NONCE_BYTES);
    set_key(&gcm, key);
    if (mbedtls_gcm_crypt_and_tag(&gcm, MBEDTLS_GCM_ENCRYPT, len, ticket + NONCE_AT, NONCE_BYTES,
                                  ticket, TLS_TICKET_NAME_BYTES, ticket + SEALED_AT,
                                  ticket + SEALED_AT, TAG_BYTES, ticket + SEALED_AT + len) != 0)
        bug("AES-GCM failed");
    mbedtls_gcm_free(&gcm);
}

static bool open_ticket(uint8_t *ticket, size_t len, struct tls_ticket_key *key)
{
    mbedtls_gcm_context gcm;

    set_key(&gcm, key);
    const int rc = mbedtls_gcm_auth_decrypt(&gcm, len, ticket + NONCE_AT, NONCE_BYTES, ticket,
                                            TLS_TICKET_NAME_BYTES, ticket + SEALED_AT + len,
                                            TAG_BYTES, ticket + SEALED_AT, ticket + SEALED_AT);
    mbedtls_gcm_free(&gcm);
    return rc == 0;
}

int tls_tickets_write(void *user, const mbedtls_ssl_session *session, unsigned char *start,
                      const unsigned char *end, size_t *len, uint32_t *lifetime)
{
    const size_t room = (size_t)(end - start);
    const uint64_t began_s = tls_session_began_s(session);
    struct tls_ticket_key key;
    size_t n;

    *lifetime = TLS_TICKET_LIFETIME_S;
    *len = 0;
    if (room < OVERHEAD)
        return MBEDTLS_ERR_SSL_BUFFER_TOO_SMALL;
    const int rc = mbedtls_ssl_session_save(session, start + SESSION_AT, room - OVERHEAD, &n);
    if (rc != 0)
        return rc;
    memcpy(start + SEALED_AT, &began_s, BEGAN_BYTES);
    find_key(user, NULL, &key);
    seal_ticket(start, BEGAN_BYTES + n, &key);
    *len = OVERHEAD + n;
    return 0;
}

static bool is_current(const uint8_t *ticket)
{
    const uint64_t now = now_s();
    uint64_t began_s;

    memcpy(&began_s, ticket + SEALED_AT, sizeof(began_s));
    return now >= began_s && now - began_s <= TLS_TICKET_LIFETIME_S;
}

int tls_tickets_parse(void *user, mbedtls_ssl_session *session, unsigned char *ticket, size_t len)
{
    struct tls_ticket_key key;

    if (len < OVERHEAD)
        return MBEDTLS_ERR_SSL_BAD_INPUT_DATA;
    if (!find_key(user, ticket, &key) || !open_ticket(ticket, len - OVERHEAD + BEGAN_BYTES, &key))
        return MBEDTLS_ERR_SSL_INVALID_MAC;
    const int rc = is_current(ticket)
                       ? mbedtls_ssl_session_load(session, ticket + SESSION_AT, len - OVERHEAD)
                       : MBEDTLS_ERR_SSL_SESSION_TICKET_EXPIRED;
    mbedtls_platform_zeroize(ticket + SEALED_AT, len - SEALED_AT);
    return rc;
}

/* --- from one process to the next -------------------------------------------------------- */

static uint8_t *save_key(uint8_t *at, const struct tls_ticket_key *key)
{
    memcpy(at, key->name, sizeof(key->name));
    at += sizeof(key->name);
    memcpy(at, key->key, sizeof(key->key));
    at += sizeof(key->key);
    memcpy(at, &key->since_s, sizeof(key->since_s));
    return at + sizeof(key->since_s);
}

static const uint8_t *load_key(const uint8_t *at, struct tls_ticket_key *key)
{
    memcpy(key->name, at, sizeof(key->name));
    at += sizeof(key->name);
    memcpy(key->key, at, sizeof(key->key));
    at += sizeof(key->key);
    memcpy(&key->since_s, at, sizeof(key->since_s));
    return at + sizeof(key->since_s);
}

void tls_tickets_save(struct tls_tickets *t, uint8_t out[TLS_TICKETS_SAVED])
{
    pthread_mutex_lock(&t->lock);
    save_key(save_key(out, &t->now), &t->before);
    pthread_mutex_unlock(&t->lock);
}

void tls_tickets_load(struct tls_tickets *t, const uint8_t saved[TLS_TICKETS_SAVED])
{
    pthread_mutex_lock(&t->lock);
    load_key(load_key(saved, &t->now), &t->before);
    pthread_mutex_unlock(&t->lock);
}
