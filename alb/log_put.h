/*
 * log_put.h -- writing a log row: each puts something at `at`, where there is room
 * (log_buffer_begin()), and returns the byte behind it.
 *
 * A row costs less than a system call when nothing in it goes through printf().
 */
#ifndef ALB_LOG_PUT_H
#define ALB_LOG_PUT_H

#include <endian.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/ip.h"
#include "base/span.h"

static inline char *log_put_text(char *at, struct span text)
{
    memcpy(at, text.ptr, text.len);
    return at + text.len;
}

/* The same for a short text: without a call. The last of its blocks may have bytes of the
 * one before it once more. */
static inline char *log_put_copy(char *at, struct span text)
{
    const char *const from = text.ptr;
    const size_t n = text.len;

    if (n >= 16) {
        for (size_t i = 0; i + 16 < n; i += 16)
            memcpy(at + i, from + i, 16);
        memcpy(at + n - 16, from + n - 16, 16);
    } else if (n >= 8) {
        memcpy(at, from, 8);
        memcpy(at + n - 8, from + n - 8, 8);
    } else if (n >= 4) {
        memcpy(at, from, 4);
        memcpy(at + n - 4, from + n - 4, 4);
    } else if (n > 0) {
        at[0] = from[0];
        at[n / 2] = from[n / 2];
        at[n - 1] = from[n - 1];
    }
    return at + n;
}

/* The same for a text behind which LOG_PAD bytes may be read, where there is room for as
 * many more than its own: short texts go in a block or two, without a call. */
enum { LOG_PAD = 16 };

static inline char *log_put_padded(char *at, struct span text)
{
    for (size_t i = 0; i < text.len; i += LOG_PAD)
        memcpy(at + i, text.ptr + i, LOG_PAD);
    return at + text.len;
}

/* One of at most LOG_PAD bytes: a single block. */
static inline char *log_put_block(char *at, struct span text)
{
    memcpy(at, text.ptr, LOG_PAD);
    return at + text.len;
}

/* A literal as such a text, in a table at file scope. */
#define LOG_PADDED(literal)                                                                        \
    {                                                                                              \
        (const char[LOG_PAD]){ literal }, sizeof(literal) - 1                                      \
    }

#define LOG_PUT(at, literal) log_put_text(at, SPAN(literal))

/* "00" to "99", one behind the other: numbers are written two digits at a time. */
extern const char log_pairs[201];

/* Two digits, of a number below 100. */
static inline char *log_put_pair(char *at, uint32_t n)
{
    memcpy(at, log_pairs + (size_t)2 * n, 2);
    return at + 2;
}

/* "000 " to "999 ", likewise: what most statuses, times and sizes of a row are. */
extern const char log_triples[4001];

/* Three digits and a blank, of a number below 1000. */
static inline char *log_put_triple(char *at, uint32_t n)
{
    memcpy(at, log_triples + (size_t)4 * n, 4);
    return at + 4;
}

/* 10, 100 and so on; the first is 0, which every number has reached. */
extern const uint64_t log_tens[20];

/* 1233 / 4096 is about log10(2): of the bits of a number, the digits that it has at most
 * but one. */
static inline unsigned log_digits_of(uint64_t n)
{
    const unsigned bits = 64 - (unsigned)__builtin_clzll(n | 1), least = bits * 1233 / 4096;

    return least + (n >= log_tens[least]);
}

static inline char *log_put_number(char *at, uint64_t n)
{
    char *const end = at + log_digits_of(n);

    for (char *to = end; n >= 100; n /= 100)
        log_put_pair(to -= 2, (uint32_t)(n % 100));
    if (n >= 10)
        log_put_pair(at, (uint32_t)n);
    else
        *at = (char)('0' + n);
    return end;
}

/* A number and a blank; two bytes more may be written. */
static inline char *log_put_number_blank(char *at, uint64_t n)
{
    if (n < 1000) {
        const size_t zeros = (size_t)(n < 100) + (size_t)(n < 10);
        memcpy(at, log_triples + 4 * n + zeros, 4);
        return at + 4 - zeros;
    }
    at = log_put_number(at, n);
    *at = ' ';
    return at + 1;
}

/* Seconds with three decimals, and a blank. */
static inline char *log_put_seconds_blank(char *at, uint64_t us)
{
    if (us < 1000000)
        return log_put_triple(LOG_PUT(at, "0."), (uint32_t)us / 1000);
    at = log_put_number(at, us / 1000000);
    *at = '.';
    return log_put_triple(at + 1, (uint32_t)(us / 1000 % 1000));
}

/* Without it, though it may be written. */
static inline char *log_put_seconds(char *at, uint64_t us)
{
    return log_put_seconds_blank(at, us) - 1;
}

/* The 16 digits of a number: each of its nibbles in a byte of its own, then all
 * eight bytes made letters at once. */
static inline char *log_put_hex(char *at, uint64_t n)
{
    for (int half = 1; half >= 0; half--) {
        uint64_t x = n >> (32 * half) & 0xffffffff;
        x = (x | x << 16) & 0x0000ffff0000ffff;
        x = (x | x << 8) & 0x00ff00ff00ff00ff;
        x = (x | x << 4) & 0x0f0f0f0f0f0f0f0f;
        const uint64_t letters = (x + 0x0606060606060606) >> 4 & 0x0101010101010101;
        x += 0x3030303030303030 + letters * ('a' - '9' - 1);
        x = htobe64(x); /* the first letter in the first byte */
        memcpy(at, &x, sizeof(x));
        at += sizeof(x);
    }
    return at;
}

/* IPv6 in brackets when a port follows. */
char *log_put_ip(char *at, const struct ip *ip, bool in_brackets);

/* Has it no byte that log_put_safe() would escape? Then log_put_text() does the same. */
bool log_is_safe(struct span text);

/* Are all of these? Behind each LOG_PAD bytes may be read. */
bool log_are_safe(const struct span *texts, size_t count);

/* At most this many bytes come of one. */
enum { LOG_SAFE_FACTOR = 4, LOG_SAFE_SPARE = 8 };

/* A text that may hold anything, safe between quotes: '"', '\\' and all that is not
 * printable ASCII as \xHH, so that no client can forge a field or a row. Needs
 * LOG_SAFE_SPARE bytes more than it writes. */
char *log_put_safe(char *at, struct span text);

#endif
