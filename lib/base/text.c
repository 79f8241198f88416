/* text.c -- numbers, durations, sizes, wildcards and files; see text.h. */
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

/* --- numbers --------------------------------------------------------------- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool text_u64(struct span text, uint64_t *out)
{
    uint64_t value = 0;

    if (text.len == 0 || text.len > 20)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (!is_digit(text.ptr[i]) || __builtin_mul_overflow(value, (uint64_t)10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(text.ptr[i] - '0'), &value))
            return false;
    }
    *out = value;
    return true;
}

static int hex_digit(char c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool text_hex_u64(struct span text, uint64_t *out)
{
    uint64_t value = 0;

    if (text.len == 0 || text.len > 16)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        int digit = hex_digit(text.ptr[i]);
        if (digit < 0)
            return false;
        value = value << 4 | (uint64_t)digit;
    }
    *out = value;
    return true;
}

bool text_bool(struct span text, bool *out)
{
    static const struct {
        struct span word;
        bool value;
    } words[] = {
        { SPAN_INIT("true"), true },   { SPAN_INIT("yes"), true }, { SPAN_INIT("on"), true },
        { SPAN_INIT("false"), false }, { SPAN_INIT("no"), false }, { SPAN_INIT("off"), false },
    };

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (span_equal_nocase(text, words[i].word)) {
            *out = words[i].value;
            return true;
        }
    }
    return false;
}

/* --- numbers with a unit --------------------------------------------------- */

/* From the largest to the smallest. */
struct unit {
    const char *name;
    uint32_t factor;
};

static const struct unit durations[] = {
    { "d", 86400000 }, { "h", 3600000 }, { "m", 60000 }, { "s", 1000 }, { "ms", 1 }, { NULL, 0 },
};
static const struct unit sizes[] = {
    { "g", 1u << 30 }, { "m", 1u << 20 }, { "k", 1u << 10 }, { "", 1 }, { NULL, 0 },
};

static bool read_scaled(struct span text, const struct unit *units, uint64_t *out)
{
    size_t digits = 0;
    uint64_t number;

    while (digits < text.len && is_digit(text.ptr[digits]))
        digits++;
    if (!text_u64(span_of(text.ptr, digits), &number))
        return false;
    for (; units->name != NULL; units++) {
        if (span_equal_nocase(span_after(text, digits), span_text(units->name)))
            return !__builtin_mul_overflow(number, (uint64_t)units->factor, out);
    }
    return false;
}

static const char *format_scaled(uint32_t number, const struct unit *units, char out[16])
{
    while (number % units->factor != 0)
        units++;
    snprintf(out, 16, "%u%s", number / units->factor, number == 0 ? "" : units->name);
    return out;
}

bool text_duration_u64(struct span text, bool bare_seconds, uint64_t *out_ms)
{
    uint64_t bare;

    if (!text_u64(text, &bare))
        return read_scaled(text, durations, out_ms);
    if (bare != 0 && !bare_seconds)
        return false;
    return !__builtin_mul_overflow(bare, (uint64_t)1000, out_ms);
}

bool text_duration(struct span text, bool bare_seconds, uint32_t *out_ms)
{
    uint64_t ms;

    if (!text_duration_u64(text, bare_seconds, &ms) || ms > UINT32_MAX)
        return false;
    *out_ms = (uint32_t)ms;
    return true;
}

const char *text_format_duration(uint32_t ms, char out[16])
{
    return format_scaled(ms, durations, out);
}

bool text_size(struct span text, uint64_t *out)
{
    return read_scaled(text, sizes, out);
}

const char *text_format_size(uint32_t bytes, char out[16])
{
    return format_scaled(bytes, sizes, out);
}

/* --- comparing ------------------------------------------------------------- */

bool text_equal_constant_time(struct span a, struct span b)
{
    volatile unsigned char difference = 0; /* volatile: no early way out for the compiler */

    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        difference = (unsigned char)(difference | (a.ptr[i] ^ b.ptr[i]));
    return difference == 0;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* One element of a pattern: a wildcard, or a character that stands for itself. */
struct element {
    char c;
    bool is_wild;
    size_t len; /* in the pattern; 0 at its end */
};

static struct element element_at(struct span pattern, size_t p, bool escapes)
{
    if (p >= pattern.len)
        return (struct element){ .len = 0 };
    const char c = pattern.ptr[p];
    if (escapes && c == '\\' && p + 1 < pattern.len &&
        (pattern.ptr[p + 1] == '*' || pattern.ptr[p + 1] == '?'))
        return (struct element){ pattern.ptr[p + 1], false, 2 };
    return (struct element){ c, c == '*' || c == '?', 1 };
}

static bool is_same(struct element e, char c, bool nocase)
{
    return e.c == c || (nocase && lower(e.c) == lower(c));
}

/* Where this character stands next in the text, from `t` on; its end when nowhere. */
static size_t find_next(struct element e, struct span text, size_t t, bool nocase)
{
    if (e.len == 0 || e.is_wild)
        return t;
    while (t < text.len && !is_same(e, text.ptr[t], nocase))
        t++;
    return t;
}

enum { BYTES_A_STEP = 16 };

bool text_wildcard_counted(struct span pattern, struct span text, bool nocase, bool escapes,
                           uint64_t *steps)
{
    size_t p = 0, t = 0, count = 0;
    /* Behind the last '*' seen, and where its run in the text ends so far. On a
     * difference only that run has to grow: an earlier '*' could not do better. */
    size_t after_star = SIZE_MAX, run_end = 0;

    for (; t < text.len; count++) {
        const struct element e = element_at(pattern, p, escapes);
        if (e.is_wild && e.c == '*') {
            after_star = ++p;
            run_end = t;
            if (p == pattern.len)
                t = text.len;
        } else if (e.len > 0 && (e.is_wild || is_same(e, text.ptr[t], nocase))) {
            p += e.len;
            t++;
        } else if (after_star != SIZE_MAX) {
            p = after_star;
            t = find_next(element_at(pattern, p, escapes), text, run_end + 1, nocase);
            count += (t - run_end) / BYTES_A_STEP;
            run_end = t;
        } else {
            break;
        }
    }
    *steps += count;
    while (t == text.len && p < pattern.len && pattern.ptr[p] == '*')
        p++;
    return t == text.len && p == pattern.len;
}

bool text_wildcard(struct span pattern, struct span text, bool nocase)
{
    uint64_t steps = 0;

    return text_wildcard_counted(pattern, text, nocase, false, &steps);
}

bool text_wildcard_escaped(struct span pattern, struct span text, bool nocase)
{
    uint64_t steps = 0;

    return text_wildcard_counted(pattern, text, nocase, true, &steps);
}

/* --- files ----------------------------------------------------------------- */

/* All of `fd` up to `max` bytes, with a NUL behind; NULL with errno on failure. */
static char *read_all(int fd, size_t max, size_t *len)
{
    size_t size = 4096, used = 0;
    char *text = mem_resize(NULL, size);

    for (;;) {
        ssize_t n = read(fd, text + used, size - used);
        if (n < 0 && errno == EINTR)
            continue;
        used += n > 0 ? (size_t)n : 0;
        if (n < 0 || used > max) {
            errno = n < 0 ? errno : EFBIG;
            mem_free(text);
            return NULL;
        }
        if (n == 0)
            break;
        if (used == size)
            text = mem_resize(text, size *= 2);
    }
    text[used] = '\0';
    *len = used;
    return text;
}

static bool is_pipe(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode);
}

static char *read_opened(const char *path, int fd, size_t max, size_t *len, char *why,
                         size_t why_size)
{
    char *text = fd == -1 ? NULL : read_all(fd, max, len);

    if (fd == -1)
        snprintf(why, why_size, "cannot open %s: %s", path, strerror(errno));
    else if (text == NULL && errno == EFBIG)
        snprintf(why, why_size, "%s is larger than %zu bytes", path, max);
    else if (text == NULL)
        snprintf(why, why_size, "cannot read %s: %s", path, strerror(errno));
    if (fd != -1)
        close(fd);
    return text;
}

/* O_NONBLOCK: to open a pipe, or to read from a terminal, would be to wait for somebody. */
char *text_read_file(const char *path, size_t max, size_t *len, char *why, size_t why_size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    if (fd == -1 || !is_pipe(fd))
        return read_opened(path, fd, max, len, why, why_size);
    snprintf(why, why_size, "cannot read %s: it is a pipe; name a file", path);
    close(fd);
    return NULL;
}

/* One that is not there is for the reader to report. */
static bool is_private(const char *path, char *why, size_t why_size)
{
    struct stat st;

    if (stat(path, &st) != 0)
        return true;
    const mode_t allowed = st.st_uid == 0 ? S_IRGRP : 0;
    if ((st.st_mode & (S_IRWXG | S_IRWXO) & ~allowed) == 0)
        return true;
    snprintf(why, why_size, "%s: mode %04o lets others at it; chmod 600 %s", path,
             (unsigned)st.st_mode & 07777u, path);
    return false;
}

char *text_read_secret(const char *path, size_t max, size_t *len, char *why, size_t why_size)
{
    if (!is_private(path, why, why_size))
        return NULL;
    return text_read_file(path, max, len, why, why_size);
}

void text_free_secret(char *text, size_t len)
{
    explicit_bzero(text, len);
    free(text);
}

char *text_read_input(const char *path, size_t max, size_t *len, char *why, size_t why_size)
{
    return read_opened(path, open(path, O_RDONLY | O_CLOEXEC), max, len, why, why_size);
}
