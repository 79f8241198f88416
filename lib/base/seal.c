/* seal.c -- see seal.h. */
#include "base/seal.h"

#include <assert.h>
#include <mbedtls/gcm.h>
#include <mbedtls/md.h>
#include <mbedtls/platform_util.h>
#include <stdio.h>
#include <string.h>

#include "base/bug.h"
#include "base/lines.h"
#include "base/mem.h"
#include "base/random.h"

enum { VERSION = 1, ID_BYTES = 4, NONCE_BYTES = 12, TAG_BYTES = 16, FILE_MAX = 65536 };

/* Where the parts begin; the tag follows the ciphertext. */
enum { ID_AT = 1, NONCE_AT = ID_AT + ID_BYTES, CIPHER_AT = NONCE_AT + NONCE_BYTES };

_Static_assert(CIPHER_AT + TAG_BYTES == SEAL_OVERHEAD, "the header and the tag");

struct seal_key {
    uint8_t id[ID_BYTES];
    uint8_t key[SEAL_KEY_BYTES];
};

struct seal_ring {
    size_t count; /* at least 1; keys[0] seals */
    struct seal_key keys[SEAL_KEYS_MAX];
};

/* The next key is in its place: take it in. */
static void count_key(struct seal_ring *ring)
{
    struct seal_key *key = &ring->keys[ring->count++];
    uint8_t hash[32];

    /* mbedtls_md() reads the same in 2.28 and 3.6; mbedtls_sha256() does not. */
    if (mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), key->key, SEAL_KEY_BYTES, hash) !=
        0)
        bug("SHA-256 failed");
    memcpy(key->id, hash, ID_BYTES);
}

struct seal_ring *seal_ring_random(void)
{
    struct seal_ring *ring = mem_new(struct seal_ring);

    random_bytes(ring->keys[0].key, SEAL_KEY_BYTES);
    count_key(ring);
    return ring;
}

size_t seal_ring_save(const struct seal_ring *ring, uint8_t out[SEAL_KEYS_MAX * SEAL_KEY_BYTES])
{
    for (size_t i = 0; i < ring->count; i++)
        memcpy(out + i * SEAL_KEY_BYTES, ring->keys[i].key, SEAL_KEY_BYTES);
    return ring->count * SEAL_KEY_BYTES;
}

struct seal_ring *seal_ring_load(struct span keys)
{
    if (keys.len == 0 || keys.len % SEAL_KEY_BYTES != 0 ||
        keys.len > SEAL_KEYS_MAX * SEAL_KEY_BYTES)
        return NULL;
    struct seal_ring *ring = mem_new(struct seal_ring);
    for (; keys.len > 0; keys = span_after(keys, SEAL_KEY_BYTES)) {
        memcpy(ring->keys[ring->count].key, keys.ptr, SEAL_KEY_BYTES);
        count_key(ring);
    }
    return ring;
}

static bool is_same_key(const struct seal_key *a, const struct seal_key *b)
{
    return text_equal_constant_time(span_of(a->key, SEAL_KEY_BYTES),
                                    span_of(b->key, SEAL_KEY_BYTES));
}

static bool has_key(const struct seal_ring *ring, const struct seal_key *key)
{
    for (size_t i = 0; i < ring->count; i++) {
        if (is_same_key(&ring->keys[i], key))
            return true;
    }
    return false;
}

bool seal_ring_goes_on(const struct seal_ring *now, const struct seal_ring *next)
{
    return has_key(next, &now->keys[0]);
}

size_t seal_ring_count_missing(const struct seal_ring *of, const struct seal_ring *in)
{
    size_t n = 0;

    for (size_t i = 0; i < of->count; i++)
        n += !has_key(in, &of->keys[i]);
    return n;
}

bool seal_ring_seals_alike(const struct seal_ring *a, const struct seal_ring *b)
{
    return is_same_key(&a->keys[0], &b->keys[0]);
}

void seal_ring_free(struct seal_ring **ring)
{
    if (*ring != NULL)
        mbedtls_platform_zeroize(*ring, sizeof(**ring));
    mem_free(*ring);
}

/* --- the key file --------------------------------------------------------- */

static bool parse_key(struct span hex, uint8_t key[SEAL_KEY_BYTES])
{
    if (hex.len != 2 * SEAL_KEY_BYTES)
        return false;
    for (size_t i = 0; i < SEAL_KEY_BYTES; i++) {
        uint64_t byte;
        if (!text_hex_u64(span_of(hex.ptr + 2 * i, 2), &byte))
            return false;
        key[i] = (uint8_t)byte;
    }
    return true;
}

static bool add_keys(struct seal_ring *ring, const char *path, struct span text, char *why,
                     size_t why_size)
{
    struct lines lines = { .rest = text };
    struct span value;

    while (lines_next(&lines, &value)) {
        if (ring->count == SEAL_KEYS_MAX) {
            snprintf(why, why_size, "%s:%d: more than %d keys; remove the oldest", path,
                     lines.number, SEAL_KEYS_MAX);
            return false;
        }
        if (!parse_key(value, ring->keys[ring->count].key)) {
            snprintf(why, why_size, "%s:%d: a key is %d hexadecimal digits (openssl rand -hex %d)",
                     path, lines.number, 2 * SEAL_KEY_BYTES, SEAL_KEY_BYTES);
            return false;
        }
        count_key(ring);
    }
    if (ring->count == 0)
        snprintf(why, why_size, "%s: no key in it; add one: openssl rand -hex %d >> %s", path,
                 SEAL_KEY_BYTES, path);
    return ring->count > 0;
}

struct seal_ring *seal_ring_read(const char *path, char *why, size_t why_size)
{
    size_t len;

    char *text = text_read_secret(path, FILE_MAX, &len, why, why_size);
    if (text == NULL)
        return NULL;

    struct seal_ring *ring = mem_new(struct seal_ring);
    if (!add_keys(ring, path, span_of(text, len), why, why_size))
        seal_ring_free(&ring);
    text_free_secret(text, len);
    return ring;
}

/* --- sealing and opening -------------------------------------------------- */

/* A context works for one message at a time, and rings are shared by threads:
 * hence one on the stack for each call. */
static void set_key(mbedtls_gcm_context *gcm, const struct seal_key *key)
{
    mbedtls_gcm_init(gcm);
    if (mbedtls_gcm_setkey(gcm, MBEDTLS_CIPHER_ID_AES, key->key, 8 * SEAL_KEY_BYTES) != 0)
        bug("AES key not accepted");
}

size_t seal(const struct seal_ring *ring, struct span purpose, struct span plain, char *out)
{
    const struct seal_key *key = &ring->keys[0];
    uint8_t bytes[SEAL_PLAIN_MAX + SEAL_OVERHEAD] = { VERSION };
    mbedtls_gcm_context gcm;

    assert(plain.len <= SEAL_PLAIN_MAX);
    memcpy(bytes + ID_AT, key->id, ID_BYTES);
    random_bytes(bytes + NONCE_AT, NONCE_BYTES);
    set_key(&gcm, key);
    if (mbedtls_gcm_crypt_and_tag(&gcm, MBEDTLS_GCM_ENCRYPT, plain.len, bytes + NONCE_AT,
                                  NONCE_BYTES, (const uint8_t *)purpose.ptr, purpose.len,
                                  (const uint8_t *)plain.ptr, bytes + CIPHER_AT, TAG_BYTES,
                                  bytes + CIPHER_AT + plain.len) != 0)
        bug("AES-GCM failed");
    mbedtls_gcm_free(&gcm);
    return text_base64url(bytes, plain.len + SEAL_OVERHEAD, out);
}

static bool open_with(const struct seal_key *key, struct span purpose, const uint8_t *bytes,
                      size_t plain_len, uint8_t *out)
{
    mbedtls_gcm_context gcm;

    set_key(&gcm, key);
    int rc = mbedtls_gcm_auth_decrypt(
        &gcm, plain_len, bytes + NONCE_AT, NONCE_BYTES, (const uint8_t *)purpose.ptr, purpose.len,
        bytes + CIPHER_AT + plain_len, TAG_BYTES, bytes + CIPHER_AT, out);
    mbedtls_gcm_free(&gcm);
    return rc == 0;
}

bool seal_open(const struct seal_ring *ring, struct span purpose, struct span text,
               uint8_t out[SEAL_PLAIN_MAX], size_t *out_len)
{
    uint8_t bytes[SEAL_PLAIN_MAX + SEAL_OVERHEAD];
    size_t n;

    if (!text_base64url_decode(text, bytes, sizeof(bytes), &n) || n < SEAL_OVERHEAD ||
        bytes[0] != VERSION)
        return false;
    for (size_t i = 0; i < ring->count; i++) {
        const struct seal_key *key = &ring->keys[i];
        if (memcmp(key->id, bytes + ID_AT, ID_BYTES) == 0 &&
            open_with(key, purpose, bytes, n - SEAL_OVERHEAD, out)) {
            *out_len = n - SEAL_OVERHEAD;
            return true;
        }
    }
    return false;
}
