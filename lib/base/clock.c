/* clock.c -- see clock.h. */
#include "base/clock.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

static atomic_bool is_fixed;
static _Atomic uint64_t fixed_mono_ms, fixed_wall_us;

static uint64_t read_us(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

uint64_t clock_mono_us(void)
{
    return is_fixed ? fixed_mono_ms * 1000 : read_us(CLOCK_MONOTONIC);
}

uint64_t clock_mono_ms(void)
{
    return clock_mono_us() / 1000;
}

uint64_t clock_wall_us(void)
{
    return is_fixed ? fixed_wall_us : read_us(CLOCK_REALTIME);
}

uint64_t clock_wall_ms(void)
{
    return clock_wall_us() / 1000;
}

void clock_fix(uint64_t mono_ms, uint64_t wall_us)
{
    fixed_mono_ms = mono_ms;
    fixed_wall_us = wall_us;
    is_fixed = true;
}

void clock_run(void)
{
    is_fixed = false;
}

static struct tm calendar(uint64_t wall_us)
{
    time_t seconds = (time_t)(wall_us / 1000000);
    struct tm parts;

    gmtime_r(&seconds, &parts);
    return parts;
}

const char *clock_iso_us(uint64_t wall_us, char out[CLOCK_TEXT_MAX])
{
    struct tm at = calendar(wall_us);
    size_t n = strftime(out, CLOCK_TEXT_MAX, "%Y-%m-%dT%H:%M:%S", &at);

    snprintf(out + n, CLOCK_TEXT_MAX - n, ".%06uZ", (unsigned)(wall_us % 1000000));
    return out;
}

/* `n` digits at `at`; -1 when there is something else. */
static int read_digits(const char *at, size_t n)
{
    int value = 0;

    for (size_t i = 0; i < n; i++) {
        if (at[i] < '0' || at[i] > '9')
            return -1;
        value = 10 * value + (at[i] - '0');
    }
    return value;
}

/* ".123456", or nothing. */
static bool read_fraction(const char *at, size_t len, uint32_t *us)
{
    enum { DIGITS = 6 };
    const int read =
        len < 2 || len > DIGITS + 1 || at[0] != '.' ? -1 : read_digits(at + 1, len - 1);

    *us = read < 0 ? 0 : (uint32_t)read;
    for (size_t i = len; i < DIGITS + 1; i++)
        *us *= 10;
    return len == 0 || read >= 0;
}

/* The calendar's own: timegm() makes a date of 30 February as well. */
static bool read_calendar(const int parts[6], uint64_t *seconds)
{
    struct tm at = { .tm_year = parts[0] - 1900,
                     .tm_mon = parts[1] - 1,
                     .tm_mday = parts[2],
                     .tm_hour = parts[3],
                     .tm_min = parts[4],
                     .tm_sec = parts[5] };
    const time_t t = timegm(&at);

    *seconds = (uint64_t)t;
    return t >= 0 && at.tm_mon == parts[1] - 1 && at.tm_mday == parts[2] &&
           at.tm_hour == parts[3] && at.tm_min == parts[4] && at.tm_sec == parts[5];
}

bool clock_read_iso(const char *text, size_t len, uint64_t *wall_us)
{
    static const struct {
        size_t at, digits;
        char behind;
    } form[6] = { { 0, 4, '-' },  { 5, 2, '-' },  { 8, 2, 'T' },
                  { 11, 2, ':' }, { 14, 2, ':' }, { 17, 2, 'Z' } };
    enum { FRACTION_AT = 19 };
    uint64_t seconds;
    uint32_t us;
    int parts[6];

    if (len <= FRACTION_AT || text[len - 1] != 'Z')
        return false;
    for (size_t i = 0; i < 6; i++) {
        parts[i] = read_digits(text + form[i].at, form[i].digits);
        if (parts[i] < 0 || (i < 5 && text[form[i].at + form[i].digits] != form[i].behind))
            return false;
    }
    if (!read_fraction(text + FRACTION_AT, len - FRACTION_AT - 1, &us) ||
        !read_calendar(parts, &seconds))
        return false;
    *wall_us = seconds * 1000000 + us;
    return true;
}

const char *clock_http_date(uint64_t wall_us, char out[CLOCK_TEXT_MAX])
{
    /* Not strftime()'s names: those follow the locale. */
    static const char days[][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
    static const char months[][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
    struct tm at = calendar(wall_us);
    char form[CLOCK_TEXT_MAX];

    snprintf(form, sizeof(form), "%s, %%d %s %%Y %%H:%%M:%%S GMT", days[at.tm_wday],
             months[at.tm_mon]);
    strftime(out, CLOCK_TEXT_MAX, form, &at);
    return out;
}
