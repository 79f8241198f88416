/* headers_trace.c -- X-Amzn-Trace-Id, made and passed on; see headers.h. */
#include "base/clock.h"
#include "base/random.h"

#include "alb/headers.h"

enum { OURS_MAX = 5 + 2 + 8 + 1 + 24 }; /* Root=1-5f9e0a3c-0123456789abcdef01234567 */

/* The last `digits` hexadecimal digits of `n`. */
static char *put_hex(char *at, uint64_t n, int digits)
{
    for (int i = digits - 1; i >= 0; i--)
        *at++ = "0123456789abcdef"[(n >> (4 * i)) & 15];
    return at;
}

static char *put_text(char *at, struct span text)
{
    memcpy(at, text.ptr, text.len);
    return at + text.len;
}

/* `name` has five characters. */
static char *put_new(char *at, struct span name)
{
    at = put_text(at, name);
    at = put_text(at, SPAN("1-"));
    at = put_hex(at, clock_wall_ms() / 1000, 8);
    *at++ = '-';
    at = put_hex(at, random_jitter(), 16);
    return put_hex(at, random_jitter(), 8);
}

static bool has_root(struct span value)
{
    struct span rest = value, part;

    while (span_next(&rest, ';', &part)) {
        if (span_starts_with(part, SPAN("Root=")))
            return true;
    }
    return false;
}

/* All parts but a Self of another hop. */
static char *put_kept(char *at, struct span value)
{
    struct span rest = value, part;

    while (span_next(&rest, ';', &part)) {
        if (part.len == 0 || span_starts_with(part, SPAN("Self=")))
            continue;
        *at++ = ';';
        at = put_text(at, part);
    }
    return at;
}

void headers_trace_id(const struct http_message *m, char out[TRACE_ID_MAX])
{
    struct span value = http_value(m, HTTP_N_X_AMZN_TRACE_ID);

    if (value.len > TRACE_ID_MAX - OURS_MAX - sizeof("; "))
        value = SPAN(""); /* far too long for one of ours: begin anew */
    char *at = put_new(out, has_root(value) ? SPAN("Self=") : SPAN("Root="));
    if (value.len > 0)
        at = put_kept(at, value);
    *at = '\0';
}
