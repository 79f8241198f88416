/* log_fields.c -- see log_fields.h. */
#include "alb/log_fields.h"

#include <string.h>

#include "alb/log_buffer.h"
#include "alb/log_json.h"
#include "alb/log_put.h"

static bool is_empty(const struct log_field *f)
{
    return f->value == NULL || f->value[0] == '\0';
}

static bool is_ours(const struct log_field *f)
{
    return f->kind == LOG_OURS || f->kind == LOG_OURS_QUOTED;
}

static char *put_value(char *at, const struct log_field *f)
{
    const bool is_quoted = f->kind == LOG_QUOTED || f->kind == LOG_OURS_QUOTED;

    if (is_quoted)
        *at++ = '"';
    at = is_empty(f) ? LOG_PUT(at, "-") : log_put_safe(at, span_text(f->value));
    if (is_quoted)
        *at++ = '"';
    return at;
}

static void put_alb(struct log_buffer *b, const struct log_field *fields, size_t count,
                    size_t bound)
{
    char *const row = log_buffer_begin(b, bound), *at = row;

    for (size_t i = 0; i < count; i++) {
        const struct log_field *f = &fields[i];
        if (is_ours(f) && is_empty(f))
            continue;
        if (i > 0)
            *at++ = ' ';
        if (is_ours(f)) {
            at = log_put_text(at, span_text(f->name));
            *at++ = '=';
        }
        at = put_value(at, f);
    }
    *at++ = '\n';
    log_buffer_end(b, (size_t)(at - row));
}

static void put_json(struct log_buffer *b, const struct log_field *fields, size_t count,
                     size_t bound)
{
    struct log_json j;

    log_json_begin(&j, b, bound);
    for (size_t i = 0; i < count; i++) {
        const struct log_field *f = &fields[i];
        const struct span value = span_text(f->value);
        if (is_ours(f) && is_empty(f))
            continue;
        if (f->kind == LOG_NUMBER && value.len > 0)
            log_json_raw(&j, f->name, value);
        else
            log_json_text_or_null(&j, f->name, value);
    }
    log_json_end(&j);
}

void log_fields_row(struct log_buffer *b, enum log_format format, const struct log_field *fields,
                    size_t count)
{
    size_t bound = 0;

    for (size_t i = 0; i < count; i++) {
        const size_t text = fields[i].value == NULL ? 1 : strlen(fields[i].value);
        bound += strlen(fields[i].name) + LOG_JSON_FACTOR * text + 16;
    }
    if (format == LOG_FORMAT_JSON)
        put_json(b, fields, count, bound);
    else
        put_alb(b, fields, count, bound);
}
