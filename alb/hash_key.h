/*
 * hash_key.h -- what a request's target goes by: load_balancing.consistent_hash.key.
 *
 *   path          as the rules match it: as it was asked for, not decoded, without the query,
 *                 before any rewrite
 *   header NAME   the first field of the name (any case), without blanks around it
 *   cookie NAME   the first cookie of the name (its case counts), without quotes around it
 *   query NAME    the first parameter of the name (any case), decoded: %41 is A, + a blank
 *   viewer        the bytes of the client's address, all 16 of an IPv6 one
 *
 * What is empty is as good as missing: else all who send it so would have one target.
 */
#ifndef ALB_HASH_KEY_H
#define ALB_HASH_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

struct http_message;
struct ip;

enum hash_key_kind {
    HASH_KEY_PATH,
    HASH_KEY_HEADER,
    HASH_KEY_COOKIE,
    HASH_KEY_QUERY,
    HASH_KEY_VIEWER,
};

enum { HASH_KEY_NAME_MAX = 128 };

struct hash_key {
    enum hash_key_kind kind;
    char *name; /* owned; NULL: the kind has none */
};

/* Read a setting. False with a sentence that says what is wrong with it, to stand behind the
 * setting's name; `key` has nothing to free then. */
bool hash_key_parse(struct span text, struct hash_key *key, char *why, size_t why_size);
void hash_key_done(struct hash_key *key);

/* What the request has there, as it came; not for viewer. False: nothing. */
bool hash_key_find(const struct hash_key *key, const struct http_message *m, struct span *found);

/* Its hash (base/rendezvous.h). False: the request has no key. */
bool hash_key_of(const struct hash_key *key, const struct http_message *m, const struct ip *viewer,
                 uint64_t *hash);

#endif
