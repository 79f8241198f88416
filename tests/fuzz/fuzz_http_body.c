/*
 * fuzz_http_body.c -- a chunked body decodes alike however it is cut; what we
 * accept, http-parser accepts, with the same payload and the same end.
 *
 * The first byte of the input seeds the cuts. Bodies with trailers are left
 * out of the comparison: http-parser gives meaning to some of them, and we
 * drop them all.
 */
#include <http_parser.h>
#include <stdlib.h>

/* The library and lib/http share names, so what is ours comes in by hand. */
#define http_method our_method
#define HTTP_GET OUR_GET
#define HTTP_HEAD OUR_HEAD
#define HTTP_POST OUR_POST
#define HTTP_PUT OUR_PUT
#define HTTP_DELETE OUR_DELETE
#define HTTP_OPTIONS OUR_OPTIONS
#define HTTP_PATCH OUR_PATCH
#define HTTP_CONNECT OUR_CONNECT
#define HTTP_TRACE OUR_TRACE
#include "http/body.h"

enum { PAYLOAD_MAX = 1 << 16 };

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

static void decode_theirs(struct span bytes)
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
    theirs.used = http_parser_execute(&p, &callbacks, bytes.ptr, bytes.len);
    if (HTTP_PARSER_ERRNO(&p) != HPE_OK && HTTP_PARSER_ERRNO(&p) != HPE_PAUSED)
        theirs.end = HTTP_BODY_BAD;
}

static void check_same(const struct decoded *a, const struct decoded *b)
{
    check(a->end == b->end && a->len == b->len);
    check(memcmp(a->payload, b->payload, a->len) == 0);
}

static bool has_trailers(struct span taken)
{
    return taken.len < 4 || memcmp(taken.ptr + taken.len - 4, "\r\n\r\n", 4) != 0 ||
           (taken.len > 4 && memchr(taken.ptr, ':', taken.len) != NULL);
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
    if (whole.end != HTTP_BODY_DONE || has_trailers(span_of(bytes.ptr, whole.used)))
        return 0;
    decode_theirs(bytes);
    check_same(&whole, &theirs);
    check(theirs.used == whole.used || theirs.used + 1 == whole.used);
    return 0;
}
