/*
 * fuzz_http_body.c -- a chunked body decodes alike however it is cut, by us and by http-parser.
 *
 * The first byte of the input seeds the cuts. What we take to its end, http-parser takes too, whole
 * and a byte at a time, with the same payload and the same end. Where one of the two refuses, the
 * other does as well, but for the two tables below: in the first it is http-parser that is
 * lenient, in the second it gives meaning to what we drop or cannot wait for.
 */
#include "their_parser.h"

#include <stdlib.h>

#include "http/body.h"

enum { PAYLOAD_MAX = 1 << 16, SIZE_DIGITS_MAX = 16, TRAILERS_MAX = 16384 };

struct decoded {
    enum http_body_step end;
    size_t used; /* bytes of input */
    size_t len;
    char payload[PAYLOAD_MAX];
};

static struct decoded whole, pieces, theirs;

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void add(struct decoded *d, const char *at, size_t len)
{
    check(d->len + len <= PAYLOAD_MAX);
    memcpy(d->payload + d->len, at, len);
    d->len += len;
}

/* --- ours ------------------------------------------------------------------- */

/* `seed` 0 hands over everything at once. */
static void decode(struct span bytes, unsigned seed, struct decoded *d)
{
    struct http_body b;

    d->used = d->len = 0;
    d->end = HTTP_BODY_MORE;
    http_body_init(&b, HTTP_BODY_CHUNKED, 0);
    while (d->end == HTTP_BODY_MORE && d->used < bytes.len) {
        struct span in = span_after(bytes, d->used);
        seed = seed * 1103515245u + (seed != 0 ? 12345u : 0);
        if (seed != 0 && in.len > seed % 7 + 1)
            in.len = seed % 7 + 1;
        struct span rest = in;
        struct span payload;
        while ((d->end = http_body_take(&b, &rest, &payload)) == HTTP_BODY_DATA)
            add(d, payload.ptr, payload.len);
        d->used += in.len - rest.len;
    }
}

/* --- theirs ------------------------------------------------------------------- */

static int on_body(http_parser *p, const char *at, size_t len)
{
    add(p->data, at, len);
    return 0;
}

static int on_end(http_parser *p)
{
    struct decoded *d = p->data;
    d->end = HTTP_BODY_DONE;
    http_parser_pause(p, 1);
    return 0;
}

static void decode_theirs(struct span bytes, size_t step)
{
    static const http_parser_settings callbacks = { .on_body = on_body,
                                                    .on_message_complete = on_end };
    static const char head[] = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
    http_parser p;

    theirs.used = theirs.len = 0;
    theirs.end = HTTP_BODY_MORE;
    http_parser_init(&p, HTTP_REQUEST);
    p.data = &theirs;
    check(http_parser_execute(&p, &callbacks, head, sizeof(head) - 1) == sizeof(head) - 1);
    while (theirs.end == HTTP_BODY_MORE && theirs.used < bytes.len) {
        const struct span left = span_after(bytes, theirs.used);
        const size_t n = left.len < step ? left.len : step;
        theirs.used += http_parser_execute(&p, &callbacks, left.ptr, n);
        if (HTTP_PARSER_ERRNO(&p) != HPE_OK && HTTP_PARSER_ERRNO(&p) != HPE_PAUSED)
            theirs.end = HTTP_BODY_BAD;
    }
}

/* --- where we refuse and http-parser does not ------------------------------------- */

enum part { BEHIND_DATA, SIZE_LINE, EXTENSION, TRAILERS };

/* The byte that we refuse, and what stands before it in its part: of the trailers, in its line. */
struct refusal {
    enum part part;
    struct span before;
    char byte;
    size_t trailers; /* bytes of all trailers so far */
};

static const char *find_crlf(struct span in)
{
    return in.len < 2 ? NULL : memmem(in.ptr, in.len, "\r\n", 2);
}

static struct span behind_last_crlf(struct span in)
{
    for (const char *at; (at = find_crlf(in)) != NULL;)
        in = span_after(in, (size_t)(at - in.ptr) + 2);
    return in;
}

/* `from`: the end of the last whole chunk, or 0; its CR LF comes first. */
static struct refusal refusal_at(struct span bytes, size_t from, size_t i)
{
    struct refusal r = { .byte = bytes.ptr[i], .before = span_of(bytes.ptr + from, i - from) };

    if (from > 0 && r.before.len < 2) {
        r.part = BEHIND_DATA;
        return r;
    }
    if (from > 0)
        r.before = span_after(r.before, 2);
    const char *end = find_crlf(r.before);
    if (end == NULL) {
        r.part =
            r.before.len > 0 && memchr(r.before.ptr, ';', r.before.len) ? EXTENSION : SIZE_LINE;
        return r;
    }
    r.part = TRAILERS;
    r.trailers = r.before.len - (size_t)(end + 2 - r.before.ptr);
    r.before = behind_last_crlf(r.before);
    return r;
}

static struct refusal find_refusal(struct span bytes)
{
    struct http_body b;
    size_t from = 0;

    http_body_init(&b, HTTP_BODY_CHUNKED, 0);
    for (size_t i = 0; i < bytes.len; i++) {
        struct span in = span_of(bytes.ptr + i, 1);
        struct span payload;
        switch (http_body_take(&b, &in, &payload)) {
        case HTTP_BODY_DATA:
            from = b.left == 0 ? i + 1 : from;
            break;
        case HTTP_BODY_BAD:
            return refusal_at(bytes, from, i);
        case HTTP_BODY_MORE:
        case HTTP_BODY_DONE:
            break;
        }
    }
    abort();
}

static bool is_any(const struct refusal *r)
{
    (void)r;
    return true;
}

static bool is_behind_cr(const struct refusal *r)
{
    return r->before.len > 0 && r->before.ptr[r->before.len - 1] == '\r';
}

static bool is_blank_behind_size(const struct refusal *r)
{
    return r->before.len > 0 && r->byte == ' ';
}

static bool is_digit_too_many(const struct refusal *r)
{
    return r->before.len == SIZE_DIGITS_MAX;
}

static bool is_high_byte(const struct refusal *r)
{
    return (uint8_t)r->byte >= 0x80;
}

static bool is_bare_lf(const struct refusal *r)
{
    return r->byte == '\n';
}

static bool is_fold(const struct refusal *r)
{
    return r->before.len == 0 && (r->byte == ' ' || r->byte == '\t');
}

static bool is_blank_in_name(const struct refusal *r)
{
    return r->byte == ' ' &&
           (r->before.len == 0 || memchr(r->before.ptr, ':', r->before.len) == NULL);
}

static bool is_first_of_value(const struct refusal *r)
{
    size_t n = r->before.len;

    while (n > 0 && (r->before.ptr[n - 1] == ' ' || r->before.ptr[n - 1] == '\t'))
        n--;
    return n > 0 && memchr(r->before.ptr, ':', r->before.len) == r->before.ptr + n - 1;
}

static bool is_too_long(const struct refusal *r)
{
    return r->trailers >= TRAILERS_MAX;
}

static const struct {
    const char *what;
    enum part part;
    bool (*is)(const struct refusal *r);
} lenient[] = {
    { "any two bytes behind the data", BEHIND_DATA, is_any },
    { "a blank behind the size, and words behind that", SIZE_LINE, is_blank_behind_size },
    { "zeros in front, any number", SIZE_LINE, is_digit_too_many },
    { "bytes from 0x80 on, which count as the digit 0", SIZE_LINE, is_high_byte },
    { "any byte behind the CR of a size", SIZE_LINE, is_behind_cr },
    { "any byte in an extension, and any number", EXTENSION, is_any },
    { "trailers that end in LF", TRAILERS, is_bare_lf },
    { "folded trailers", TRAILERS, is_fold },
    { "blanks in the name of a trailer", TRAILERS, is_blank_in_name },
    { "any byte as the first of a trailer's value", TRAILERS, is_first_of_value },
    { "any byte behind the last CR", TRAILERS, is_behind_cr },
    { "80 KB of trailers", TRAILERS, is_too_long },
};

static void check_refused_by_both(struct span bytes)
{
    const struct refusal r = find_refusal(bytes);

    if (theirs.end == HTTP_BODY_BAD)
        return;
    for (size_t i = 0; i < sizeof(lenient) / sizeof(lenient[0]); i++) {
        if (lenient[i].part == r.part && lenient[i].is(&r))
            return;
    }
    abort();
}

/* --- where http-parser refuses and we do not ---------------------------------------- */

/* A line that begins so, in any case; a body whose data has such lines is let off as well. */
static bool has_line(struct span bytes, struct span start)
{
    for (const char *at; (at = find_crlf(bytes)) != NULL;) {
        bytes = span_after(bytes, (size_t)(at - bytes.ptr) + 2);
        if (bytes.len >= start.len && span_equal_nocase(span_of(bytes.ptr, start.len), start))
            return true;
    }
    return false;
}

/* A size within 16 of 2^64 overflows there. Such a chunk never ends. */
static bool has_size_near_overflow(struct span bytes)
{
    const struct span start = SPAN("fffffffffffffff");

    return has_line(bytes, start) ||
           (bytes.len >= start.len && span_equal_nocase(span_of(bytes.ptr, start.len), start));
}

static bool is_theirs_alone(struct span bytes)
{
    /* Trailers that it takes for the framing of the message. */
    return has_line(bytes, SPAN("Content-Length")) || has_line(bytes, SPAN("Transfer-Encoding")) ||
           has_size_near_overflow(bytes);
}

/* --- both ----------------------------------------------------------------------------- */

static void check_same(const struct decoded *a, const struct decoded *b)
{
    check(a->end == b->end && a->len == b->len);
    check(memcmp(a->payload, b->payload, a->len) == 0);
}

static void compare(struct span bytes, size_t step)
{
    decode_theirs(bytes, step);
    if (whole.end == HTTP_BODY_BAD) {
        check_refused_by_both(bytes);
    } else if (theirs.end == HTTP_BODY_BAD) {
        check(is_theirs_alone(bytes));
    } else {
        check_same(&whole, &theirs);
        /* It says so before the last byte is counted. */
        check(theirs.used == whole.used || theirs.used + 1 == whole.used);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > PAYLOAD_MAX)
        return 0;
    struct span bytes = span_of(data + 1, size - 1);

    decode(bytes, 0, &whole);
    decode(bytes, data[0] | 1u, &pieces);
    check_same(&whole, &pieces);
    check(whole.used == pieces.used);
    compare(bytes, SIZE_MAX);
    compare(bytes, 1);
    return 0;
}
