/*
 * log_put.h -- writing a log row: each puts something at `at`, where there is room
 * (log_buffer_begin()), and returns the byte behind it.
 *
 * A row costs less than a system call when nothing in it goes through printf().
 */
#ifndef ALB_LOG_PUT_H
#define ALB_LOG_PUT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/ip.h"
#include "base/span.h"

static inline char *log_put_text(char *at, struct span text)
{
    memcpy(at, text.ptr, text.len);
    return at + text.len;
}

#define LOG_PUT(at, literal) log_put_text(at, SPAN(literal))

/* A text at the begin of an array of at least LOG_ARRAY_MIN bytes: to copy all of them
 * costs less than to ask how many it has. Needs as much room. */
enum { LOG_ARRAY_MIN = 40 };

static inline char *log_put_array(char *at, const char *array, size_t len)
{
    if (len > LOG_ARRAY_MIN)
        return log_put_text(at, span_of(array, len));
    memcpy(at, array, LOG_ARRAY_MIN);
    return at + len;
}

/* "00" to "99", one behind the other. */
extern const char log_pairs[201];

/* Two digits, of a number below 100. */
static inline char *log_put_pair(char *at, uint32_t n)
{
    memcpy(at, log_pairs + 2 * n, 2);
    return at + 2;
}

/* Three digits, of a number below 1000. */
static inline char *log_put_digits(char *at, uint32_t n)
{
    *at = (char)('0' + n / 100);
    return log_put_pair(at + 1, n % 100);
}

static inline size_t log_digits_of(uint64_t n)
{
    uint64_t limit = 10;
    size_t digits = 1;

    for (; digits < 20 && n >= limit; limit *= 10)
        digits++;
    return digits;
}

/* From its end, two digits at a time. */
static inline char *log_put_number(char *at, uint64_t n)
{
    char *const end = at + log_digits_of(n);

    at = end;
    for (; n >= 100; n /= 100)
        log_put_pair(at -= 2, (uint32_t)(n % 100));
    if (n >= 10)
        log_put_pair(at - 2, (uint32_t)n);
    else
        at[-1] = (char)('0' + n);
    return end;
}

/* Seconds with three decimals. */
static inline char *log_put_seconds(char *at, uint64_t us)
{
    at = log_put_number(at, us / 1000000);
    *at = '.';
    return log_put_digits(at + 1, (uint32_t)(us / 1000 % 1000));
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
        for (int i = 0; i < 8; i++) /* the compiler swaps the bytes and stores once */
            at[i] = (char)(x >> (56 - 8 * i));
        at += 8;
    }
    return at;
}

/* IPv6 in brackets when a port follows. */
char *log_put_ip(char *at, const struct ip *ip, bool in_brackets);

/* At most this many bytes come of one. */
enum { LOG_SAFE_FACTOR = 4, LOG_SAFE_SPARE = 8 };

/* A text that may hold anything, safe between quotes: '"', '\\' and all that is not
 * printable ASCII as \xHH, so that no client can forge a field or a row. Needs
 * LOG_SAFE_SPARE bytes more than it writes. */
char *log_put_safe(char *at, struct span text);

#endif
