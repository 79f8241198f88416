/*
 * keyed_hash.h -- uthash with a hash under a key of this process: users choose
 * the names of channels, and must not be able to choose names that collide.
 *
 * Include this in place of <uthash.h>.
 */
#ifndef WSSERVER_KEYED_HASH_H
#define WSSERVER_KEYED_HASH_H

#include <stddef.h>

/* From any thread. */
unsigned keyed_hash(const void *bytes, size_t len);

#define HASH_FUNCTION(bytes, len, out) ((out) = keyed_hash((bytes), (len)))
#include <uthash.h>

#endif
