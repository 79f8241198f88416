/*
 * hash.h -- uthash, by FNV-1a unless the file has chosen another function before.
 *
 * uthash's own (Jenkins') falls through the cases of a switch without saying so, for
 * which clang warns at every use. Keys that a stranger chooses want wsserver's keyed_hash.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

uint32_t hash_bytes(const void *bytes, size_t len);

#ifndef HASH_FUNCTION
#define HASH_FUNCTION(key, len, hash) ((hash) = hash_bytes((key), (len)))
#endif
#include <uthash.h>

#endif
