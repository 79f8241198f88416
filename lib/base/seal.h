/*
 * seal.h -- sealing small values so that only we can make or read them.
 *
 * AES-256-GCM under a key file with several keys: the newest seals, all open.
 * The text form is base64url of: version (1 byte), key id (4 bytes, the first
 * bytes of the key's SHA-256), nonce (12), ciphertext, tag (16). `purpose` is
 * authenticated with it, so a value sealed for one use is no value for
 * another. Used for sticky cookies, TLS tickets and session tokens.
 *
 * A key ring does not change after it was made; threads share it.
 */
#ifndef BASE_SEAL_H
#define BASE_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "base/text.h"

struct seal_ring;

enum {
    SEAL_KEY_BYTES = 32,
    SEAL_KEYS_MAX = 16,
    SEAL_OVERHEAD = 1 + 4 + 12 + 16,
    SEAL_PLAIN_MAX = 512,
};

/* What a sealed value of n plain bytes needs, with the NUL. */
#define SEAL_TEXT_SIZE(n) TEXT_BASE64_SIZE((n) + SEAL_OVERHEAD)

/* One random key: what it sealed is lost with the process. */
struct seal_ring *seal_ring_random(void);

/* A file of at most SEAL_KEYS_MAX keys, one a line, each 32 bytes as 64
 * hexadecimal digits, the newest first; '#' starts a comment. Refused when its
 * group or others may read it. NULL with a sentence in `why`, which never shows
 * a key. */
struct seal_ring *seal_ring_read(const char *path, char *why, size_t why_size);

/* Its keys one behind the other, the newest first, for a process that takes over from this one;
 * returns how many bytes. And such a ring again; NULL when these are no keys. */
size_t seal_ring_save(const struct seal_ring *ring, uint8_t out[SEAL_KEYS_MAX * SEAL_KEY_BYTES]);
struct seal_ring *seal_ring_load(struct span keys);

/* Does the second open what the first seals? And how many keys of the first does it not have? */
bool seal_ring_goes_on(const struct seal_ring *now, const struct seal_ring *next);
size_t seal_ring_count_missing(const struct seal_ring *of, const struct seal_ring *in);

/* Do both seal with the same key? */
bool seal_ring_seals_alike(const struct seal_ring *a, const struct seal_ring *b);

void seal_ring_free(struct seal_ring **ring);

/* Seal at most SEAL_PLAIN_MAX bytes; `out` has SEAL_TEXT_SIZE(plain.len).
 * Returns the length of the text, which a NUL follows. */
size_t seal(const struct seal_ring *ring, struct span purpose, struct span plain, char *out);

/* False for whatever was not sealed with one of our keys for this purpose. */
bool seal_open(const struct seal_ring *ring, struct span purpose, struct span text,
               uint8_t out[SEAL_PLAIN_MAX], size_t *out_len);

#endif
