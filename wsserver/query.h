/* query.h -- parts of a URL, percent-decoded (RFC 3986 2.1). */
#ifndef WSSERVER_QUERY_H
#define WSSERVER_QUERY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

/* Decode into `out`, NUL-terminated; with `plus`, '+' is a blank. False when
 * it does not fit or an escape is no good. */
bool query_decode(struct span text, bool plus, char *out, size_t size, size_t *len);

enum query { QUERY_NONE, QUERY_GOOD, QUERY_BAD };

/* The first value of that name in "a=1&b=2". QUERY_BAD: it is there, and does
 * not fit or cannot be decoded. */
enum query query_get(struct span query, const char *name, char *out, size_t size, size_t *len);

/* The same for a decimal number within max; `fallback` when there is none. */
uint64_t query_number(struct span query, const char *name, uint64_t fallback, uint64_t max);

#endif
