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

/* A text that needs no escape in the other form needs none here. */
void log_json_text(struct log_json *j, const char *name, struct span text)
{
    log_json_name(j, name);
    *j->at++ = '"';
    if (text.len > 0 && text.len < (size_t)(j->end - j->at) && log_is_safe(text))
        j->at = log_put_text(j->at, text);
    else
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
