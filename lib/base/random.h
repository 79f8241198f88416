/* random.h -- unpredictable bytes from the kernel (getrandom(2)). */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* Never fails: the process ends if the kernel has no randomness. */
void random_bytes(void *out, size_t n);

/* Fast, predictable numbers for jitter and load spreading only. Per thread. */
uint64_t random_jitter(void);

/* mbedTLS's f_rng shape, over random_bytes(). Returns 0. */
int random_for_mbedtls(void *unused, unsigned char *out, size_t n);

#endif
