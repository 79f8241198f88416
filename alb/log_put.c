/* log_put.c -- see log_put.h. */
#include "alb/log_put.h"

/* All numbers that begin with these digits and have one more, or two; each with its end. */
/* clang-format off */
#define TEN(d, end) \
    d "0" end d "1" end d "2" end d "3" end d "4" end d "5" end d "6" end d "7" end d "8" end d "9" end
#define HUNDRED(d, end) \
    TEN(d "0", end) TEN(d "1", end) TEN(d "2", end) TEN(d "3", end) TEN(d "4", end) \
    TEN(d "5", end) TEN(d "6", end) TEN(d "7", end) TEN(d "8", end) TEN(d "9", end)

const char log_pairs[201] = HUNDRED("", "");
const char log_triples[4001] =
    HUNDRED("0", " ") HUNDRED("1", " ") HUNDRED("2", " ") HUNDRED("3", " ") HUNDRED("4", " ")
    HUNDRED("5", " ") HUNDRED("6", " ") HUNDRED("7", " ") HUNDRED("8", " ") HUNDRED("9", " ");
/* clang-format on */

const uint64_t log_tens[20] = {
    0,
    10,
    100,
    1000,
    10000,
    100000,
    1000000,
    10000000,
    100000000,
    1000000000,
    10000000000,
    100000000000,
    1000000000000,
    10000000000000,
    100000000000000,
    1000000000000000,
    10000000000000000,
    100000000000000000,
    1000000000000000000,
    10000000000000000000U,
};

char *log_put_ip(char *at, const struct ip *ip, bool in_brackets)
{
    const bool bracket = in_brackets && ip->family == 6;
    char text[IP_TEXT_MAX];

    if (bracket)
        *at++ = '[';
    at = log_put_text(at, span_text(ip_format(ip, text)));
    if (bracket)
        *at++ = ']';
    return at;
}

/* Sixteen at once: each compare gives a byte of ones where it holds. */
typedef unsigned char block __attribute__((vector_size(16)));
typedef signed char signed_block __attribute__((vector_size(16)));

static block odd_in(const char *sixteen)
{
    block b;

    memcpy(&b, sixteen, sizeof(b));
    /* With a sign, what is not ASCII is less than a blank; one more, and so is 0x7f. */
    return (block)(0x20 + 1 > (signed_block)(b + 1)) | (block)(b == '"') | (block)(b == '\\');
}

static bool is_none(block odd)
{
    uint64_t halves[2];

    memcpy(halves, &odd, sizeof(halves));
    return (halves[0] | halves[1]) == 0;
}

bool log_is_safe(struct span text)
{
    char few[sizeof(block)];
    block odd;

    if (text.len < sizeof(block)) {
        memset(few, ' ', sizeof(few));
        memcpy(few, text.ptr, text.len);
        odd = odd_in(few);
    } else {
        odd = odd_in(text.ptr + text.len - sizeof(block));
        for (size_t i = 0; i + sizeof(block) < text.len; i += sizeof(block))
            odd |= odd_in(text.ptr + i);
    }
    return is_none(odd);
}

/* Ones for the first so many of a block. */
static block first_of(size_t n)
{
    static const char ones_then_none[32] = "\xff\xff\xff\xff\xff\xff\xff\xff"
                                           "\xff\xff\xff\xff\xff\xff\xff\xff";
    block b;

    memcpy(&b, ones_then_none + sizeof(b) - n, sizeof(b));
    return b;
}

bool log_are_safe(const struct span *texts, size_t count)
{
    block odd = { 0 };

    for (size_t i = 0; i < count; i++) {
        const char *at = texts[i].ptr, *const end = at + texts[i].len;
        for (; end - at > (ptrdiff_t)sizeof(odd); at += sizeof(odd))
            odd |= odd_in(at);
        if (at < end)
            odd |= odd_in(at) & first_of((size_t)(end - at));
    }
    return is_none(odd);
}

static const uint64_t ones = 0x0101010101010101, tops = 0x8080808080808080;

/* Has any of the eight a byte that is to be escaped? May say so of a clean byte behind
 * one, never the other way. */
static bool has_odd(uint64_t eight)
{
    const uint64_t quote = eight ^ ones * '"', back = eight ^ ones * '\\';

    return (((eight - ones * 0x20) | (quote - ones) | (back - ones) | (eight + ones) | eight) &
            tops) != 0;
}

static bool is_odd(unsigned char c)
{
    return c < 0x20 || c >= 0x7f || c == '"' || c == '\\';
}

static char *put_byte(char *at, unsigned char c)
{
    static const char digits[] = "0123456789ABCDEF";

    if (!is_odd(c)) {
        *at = (char)c;
        return at + 1;
    }
    at[0] = '\\';
    at[1] = 'x';
    at[2] = digits[c >> 4];
    at[3] = digits[c & 15];
    return at + 4;
}

static char *put_bytes(char *at, const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        at = put_byte(at, (unsigned char)bytes[i]);
    return at;
}

/* Eight bytes, copied as they are. Had they to be? */
static bool copy_clean(char *at, const char *from)
{
    uint64_t eight;

    memcpy(&eight, from, 8);
    memcpy(at, &eight, 8);
    return !has_odd(eight);
}

/* Eight at a time. The last few of a text that was clean so far go with the bytes
 * before them, once more. */
char *log_put_safe(char *at, struct span text)
{
    char *const begin = at;
    size_t i = 0;

    for (; i + 8 <= text.len; i += 8)
        at = copy_clean(at, text.ptr + i) ? at + 8 : put_bytes(at, text.ptr + i, 8);
    const size_t left = text.len - i;
    const bool is_clean = i > 0 && at == begin + i;
    if (left > 0 && is_clean && copy_clean(at + left - 8, text.ptr + text.len - 8))
        return at + left;
    return put_bytes(at, text.ptr + i, left);
}
