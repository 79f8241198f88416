/*
 * clock.h -- time in milliseconds, from one place.
 *
 * Monotonic time for intervals, wall time for what people and other machines
 * read. Tests may set both by hand: clock_fix() stops the clock there.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Milliseconds and microseconds since some moment of this boot; never goes back. */
uint64_t clock_mono_ms(void);
uint64_t clock_mono_us(void);

/* Microseconds and milliseconds since 1970 (UTC). */
uint64_t clock_wall_us(void);
uint64_t clock_wall_ms(void);

/* For unit tests: both clocks stand at these values until clock_run(). */
void clock_fix(uint64_t mono_ms, uint64_t wall_us);
void clock_run(void);

enum { CLOCK_TEXT_MAX = 32 };

/* 2026-11-22T14:20:00.123456Z */
const char *clock_iso_us(uint64_t wall_us, char out[CLOCK_TEXT_MAX]);

/* That again, also without the fraction or with a shorter one. Strict: a day that is in no
 * calendar, another zone or anything before 1970 is refused. */
bool clock_read_iso(const char *text, size_t len, uint64_t *wall_us);

/* Sun, 22 Nov 2026 14:20:00 GMT (RFC 9110 5.6.7) */
const char *clock_http_date(uint64_t wall_us, char out[CLOCK_TEXT_MAX]);

#endif
