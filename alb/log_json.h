/* log_json.h -- writing a log row as one JSON object, into room that is there. */
#ifndef ALB_LOG_JSON_H
#define ALB_LOG_JSON_H

#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

#include "alb/log_put.h"

struct log_buffer;

enum { LOG_JSON_FACTOR = 6 }; /* a byte becomes at most so many */

struct log_json {
    struct log_buffer *buffer;
    char *row, *at, *end;
};

/* `bound` covers the whole row; what is past it is cut (a mistake of the caller's). */
void log_json_begin(struct log_json *j, struct log_buffer *b, size_t bound);
void log_json_end(struct log_json *j);

/* A field's name, and what is between it and its value: which goes behind `at` next. */
static inline void log_json_name(struct log_json *j, const char *name)
{
    if (j->at[-1] != '{')
        *j->at++ = ',';
    *j->at++ = '"';
    j->at = LOG_PUT(log_put_text(j->at, span_text(name)), "\":");
}

/* Bytes that are not UTF-8 become U+FFFD. */
void log_json_text(struct log_json *j, const char *name, struct span text);
void log_json_text_or_null(struct log_json *j, const char *name, struct span text);

static inline void log_json_raw(struct log_json *j, const char *name, struct span value)
{
    log_json_name(j, name);
    j->at = log_put_text(j->at, value);
}

static inline void log_json_null(struct log_json *j, const char *name)
{
    log_json_raw(j, name, SPAN("null"));
}

static inline void log_json_number(struct log_json *j, const char *name, uint64_t n)
{
    log_json_name(j, name);
    j->at = log_put_number(j->at, n);
}

static inline void log_json_seconds(struct log_json *j, const char *name, uint64_t us)
{
    log_json_name(j, name);
    j->at = log_put_seconds(j->at, us);
}

#endif
