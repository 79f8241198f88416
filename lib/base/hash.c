/* hash.c -- see hash.h. */
#include "base/hash.h"

uint32_t hash_bytes(const void *bytes, size_t len)
{
    const unsigned char *at = bytes;
    uint32_t hash = UINT32_C(2166136261);

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ at[i]) * UINT32_C(16777619);
    return hash;
}
