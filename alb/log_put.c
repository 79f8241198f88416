/* log_put.c -- see log_put.h. */
#include "alb/log_put.h"

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

char *log_put_safe(char *at, struct span text)
{
    while (text.len > 0) {
        const size_t n = text.len < 8 ? text.len : 8;
        uint64_t eight = ones * ' ';
        if (n == 8)
            memcpy(&eight, text.ptr, 8);
        else
            memcpy(&eight, text.ptr, n);
        memcpy(at, &eight, 8);
        at = has_odd(eight) ? put_bytes(at, text.ptr, n) : at + n;
        text.ptr += n;
        text.len -= n;
    }
    return at;
}
