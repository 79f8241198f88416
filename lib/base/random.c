/* random.c -- see random.h. */
#include "base/random.h"

#include <errno.h>
#include <sys/random.h>

#include "base/bug.h"

void random_bytes(void *out, size_t n)
{
    unsigned char *at = out;

    while (n > 0) {
        ssize_t got = getrandom(at, n, 0);
        if (got < 0 && errno != EINTR)
            bug("the kernel gives no random bytes");
        if (got > 0) {
            at += got;
            n -= (size_t)got;
        }
    }
}

/* splitmix64 (Steele, Lea, Flood 2014): one addition and one mixing a call. */
uint64_t random_jitter(void)
{
    static _Thread_local uint64_t state; /* 0 until seeded */

    if (state == 0)
        random_bytes(&state, sizeof(state));
    uint64_t z = state += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

int random_for_mbedtls(void *unused, unsigned char *out, size_t n)
{
    (void)unused;
    random_bytes(out, n);
    return 0;
}
