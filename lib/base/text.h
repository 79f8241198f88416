/*
 * text.h -- strict readings of numbers, durations and sizes, and a few helpers.
 *
 * Strict: the whole text is the value, or it is refused. No sign, no blanks,
 * no base prefix, no overflow.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

/* 1 to 20 decimal digits, within uint64_t. Leading zeros are fine. */
bool text_u64(struct span text, uint64_t *out);

/* 1 to 16 hexadecimal digits. */
bool text_hex_u64(struct span text, uint64_t *out);

/* "250ms", "30s", "5m", "2h", "1d", or a bare 0; in milliseconds, within
 * uint32_t. With `bare_seconds`, a bare number counts seconds as well. */
bool text_duration(struct span text, bool bare_seconds, uint32_t *out_ms);

/* The same within uint64_t, to tell "too long" from "no duration". */
bool text_duration_u64(struct span text, bool bare_seconds, uint64_t *out_ms);

/* "65536", "64k", "1m", "2g" (of 1024), any case, in bytes. */
bool text_size(struct span text, uint64_t *out);

/* true/false/yes/no/on/off, any case. */
bool text_bool(struct span text, bool *out);

/* The duration in the largest unit that says it exactly: "250ms", "30s", "0". */
const char *text_format_duration(uint32_t ms, char out[16]);

/* The same for a size: "64k", "65537". */
const char *text_format_size(uint32_t bytes, char out[16]);

/* Escape for a JSON string, without the quotes; at most `size - 1` bytes and a
 * NUL. Bytes that are not UTF-8 become U+FFFD. Returns what was written. */
size_t text_json_escape(struct span text, char *out, size_t size);

/* Standard base64 and base64url without padding. Encoding needs
 * TEXT_BASE64_SIZE(n) bytes with the NUL; decoding is strict (alphabet,
 * padding, no stray bits) and false on anything else. */
#define TEXT_BASE64_SIZE(n) (((n) + 2) / 3 * 4 + 1)
size_t text_base64(const void *bytes, size_t n, char *out);
size_t text_base64url(const void *bytes, size_t n, char *out);
bool text_base64_decode(struct span text, uint8_t *out, size_t size, size_t *n);
bool text_base64url_decode(struct span text, uint8_t *out, size_t size, size_t *n);

/* Compares in a time that depends on the lengths only. */
bool text_equal_constant_time(struct span a, struct span b);

/* Wildcards as the managed balancer has them: '*' any run (none too), '?' one
 * byte. At most pattern times text steps, whatever both are: never recursive. */
bool text_wildcard(struct span pattern, struct span text, bool nocase);

/* The same, but '\' before '*' or '?' makes it an ordinary character. */
bool text_wildcard_escaped(struct span pattern, struct span text, bool nocase);

/* One of the two, and what it cost is added to *steps: the comparisons of a character, and
 * one for each 16 bytes that a '*' ran over. */
bool text_wildcard_counted(struct span pattern, struct span text, bool nocase, bool escapes,
                           uint64_t *steps);

/* A whole file of at most `max` bytes, NUL-terminated; free() it. NULL with a
 * sentence in `why`. It never waits: a pipe is refused. */
char *text_read_file(const char *path, size_t max, size_t *len, char *why, size_t why_size);

/* The same for what a command is given by name: it may be a pipe, and is waited for. */
char *text_read_input(const char *path, size_t max, size_t *len, char *why, size_t why_size);

/* text_read_file() of a secret: refused when others, or its group, may do anything with the file.
 * The group may read one of root's: root chose who is in it, and a service's credentials look like
 * that (systemd.exec(5)). text_free_secret() leaves nothing of it in memory. */
char *text_read_secret(const char *path, size_t max, size_t *len, char *why, size_t why_size);
void text_free_secret(char *text, size_t len);

#endif
