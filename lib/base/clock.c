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
