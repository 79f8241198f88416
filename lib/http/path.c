/* path.c -- see path.h. */
#include "http/path.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte at `*i` with %XX resolved, and a slash for a backslash; moves past it. */
static int take_decoded(struct span path, size_t *i)
{
    int c = (unsigned char)path.ptr[(*i)++];

    if (c == '%' && path.len - *i >= 2) {
        int high = hex_digit(path.ptr[*i]);
        int low = hex_digit(path.ptr[*i + 1]);
        if (high >= 0 && low >= 0) {
            *i += 2;
            c = high * 16 + low;
        }
    }
    return c == '\\' ? '/' : c;
}

bool http_path_is_devious(struct span path)
{
    size_t dots = 0;
    size_t others = 0;

    for (size_t i = 0; i < path.len;) {
        int c = take_decoded(path, &i);
        if (c == '\0')
            return true;
        if (c == '/') {
            if (dots == 2 && others == 0)
                return true;
            dots = others = 0;
        } else if (c == '.') {
            dots++;
        } else {
            others++;
        }
    }
    return dots == 2 && others == 0;
}

/* Without the "." of a segment that is nothing else. */
static size_t without_dot(const char *out, size_t n)
{
    return n >= 2 && out[n - 1] == '.' && out[n - 2] == '/' ? n - 1 : n;
}

struct span http_path_normal(struct span path, char *out)
{
    size_t n = 0;

    for (size_t i = 0; i < path.len;) {
        const char c = (char)take_decoded(path, &i);
        if (c == '/')
            n = without_dot(out, n);
        if (c != '/' || n == 0 || out[n - 1] != '/')
            out[n++] = c;
    }
    return span_of(out, without_dot(out, n));
}
