/*
 * headers_trace.c -- X-Amzn-Trace-Id, made and passed on; see headers.h.
 *
 *   nothing                 Root=NEW
 *   Root=A;Who=app          Self=NEW;Root=A;Who=app
 *   Self=B;Root=A           Self=NEW;Root=A       (at its place, wherever that is)
 *   Who=app                 Root=NEW;Who=app
 *   any, in a head whose fields have more than 7 KB       Root=NEW
 */
#include "base/random.h"

#include "alb/headers.h"
#include "alb/log_put.h"

enum {
    FIELDS_MAX_BYTES = 7 * 1024,
    NEW_MAX = TRACE_ID_OURS + 1, /* and a ';' */
    SPARE = 8,
};

_Static_assert(FIELDS_MAX_BYTES + NEW_MAX + SPARE < TRACE_ID_MAX, "a whole value fits with ours");

/* The last eight hexadecimal digits of `n`; eight bytes more are written. */
static char *put_hex8(char *at, uint64_t n)
{
    return log_put_hex(at, n << 32) - 8;
}

static char *put_text(char *at, struct span text)
{
    if (text.len > 0)
        memcpy(at, text.ptr, text.len);
    return at + text.len;
}

static char *put_new(char *at, struct span name, uint64_t now_s)
{
    at = put_text(at, name);
    at = put_text(at, SPAN("1-"));
    at = put_hex8(at, now_s);
    *at++ = '-';
    at = log_put_hex(at, random_jitter());
    return put_hex8(at, random_jitter());
}

/* The bytes of the fields, each with its colon, blank and line end. */
static bool fields_are_large(const struct http_message *m)
{
    size_t bytes = 0;

    if (m->head_len <= FIELDS_MAX_BYTES)
        return false;
    for (size_t i = 0; i < m->field_count; i++)
        bytes += m->fields[i].name.len + m->fields[i].value.len + 4;
    return bytes > FIELDS_MAX_BYTES;
}

/* Where a part of that name stands; `value`'s end when there is none. */
static struct span find_part(struct span value, struct span name)
{
    struct span rest = value;

    while (rest.len > 0 && !span_starts_with(rest, name)) {
        const char *end = memchr(rest.ptr, ';', rest.len);
        rest = end == NULL ? span_after(rest, rest.len)
                           : span_after(rest, (size_t)(end - rest.ptr) + 1);
        while (rest.len > 0 && rest.ptr[0] == ' ')
            rest = span_after(rest, 1);
    }
    return rest;
}

/* What stands from the next ';' on. */
static struct span after_part(struct span part)
{
    const char *end = memchr(part.ptr, ';', part.len);

    return end == NULL ? span_after(part, part.len) : span_after(part, (size_t)(end - part.ptr));
}

struct span headers_trace_id(const struct http_message *m, uint64_t now_s, char out[TRACE_ID_MAX])
{
    struct span value = http_value(m, HTTP_N_X_AMZN_TRACE_ID);
    char *at = out;

    if (value.len > 0 && (value.len > FIELDS_MAX_BYTES || fields_are_large(m)))
        value = SPAN("");
    const struct span self = find_part(value, SPAN("Self="));
    if (self.len > 0) {
        at = put_text(at, span_of(value.ptr, value.len - self.len));
        at = put_new(at, SPAN("Self="), now_s);
        value = after_part(self);
    } else {
        const bool has_root = find_part(value, SPAN("Root=")).len > 0;
        at = put_new(at, has_root ? SPAN("Self=") : SPAN("Root="), now_s);
        if (value.len > 0)
            *at++ = ';';
    }
    at = put_text(at, value);
    *at = '\0';
    return span_of(out, (size_t)(at - out));
}
