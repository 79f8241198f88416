/* log_json.c -- see log_json.h. */
#include "alb/log_json.h"

#include <assert.h>

#include "base/text.h"

#include "alb/log_buffer.h"
#include "alb/log_put.h"

void log_json_begin(struct log_json *j, struct log_buffer *b, size_t bound)
{
    j->buffer = b;
    j->row = j->at = log_buffer_begin(b, bound);
    j->end = j->row + bound;
    *j->at++ = '{';
}

void log_json_end(struct log_json *j)
{
    j->at = log_put_text(j->at, SPAN("}\n"));
    assert(j->at <= j->end);
    log_buffer_end(j->buffer, (size_t)(j->at - j->row));
}

static void put_name(struct log_json *j, const char *name)
{
    if (j->at[-1] != '{')
        *j->at++ = ',';
    *j->at++ = '"';
    j->at = log_put_text(j->at, span_text(name));
    j->at = log_put_text(j->at, SPAN("\":"));
}

void log_json_text(struct log_json *j, const char *name, struct span text)
{
    put_name(j, name);
    *j->at++ = '"';
    j->at += text_json_escape(text, j->at, (size_t)(j->end - j->at));
    *j->at++ = '"';
}

void log_json_text_or_null(struct log_json *j, const char *name, struct span text)
{
    if (text.len == 0)
        log_json_null(j, name);
    else
        log_json_text(j, name, text);
}

void log_json_number(struct log_json *j, const char *name, uint64_t n)
{
    put_name(j, name);
    j->at = log_put_number(j->at, n);
}

void log_json_seconds(struct log_json *j, const char *name, uint64_t us)
{
    put_name(j, name);
    j->at = log_put_seconds(j->at, us);
}

void log_json_null(struct log_json *j, const char *name)
{
    log_json_raw(j, name, SPAN("null"));
}

void log_json_raw(struct log_json *j, const char *name, struct span value)
{
    put_name(j, name);
    j->at = log_put_text(j->at, value);
}
