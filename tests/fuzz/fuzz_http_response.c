/*
 * fuzz_http_response.c -- a response head that we take, the second parser
 * takes too and reads in the same way, for every kind of request.
 */
#include <stdlib.h>

#include "http/parse.h"
#include "http/second.h"

#include "../unit/http/canon.h"

static struct http_message first, again;

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void check_parsed(struct span raw, enum http_method to)
{
    struct buf head;
    const char *why;
    size_t scanned = 0;

    check(http_second_response(raw, &first, &why));
    buf_init(&head, 2 * HTTP_RESPONSE_HEAD_MAX);
    check(write_response(&head, &first));
    check(http_response_parse(buf_data(&head), to, &again, &scanned) == HTTP_PARSED);
    check(again.status == first.status && again.dropped_fields == 0);
    check(again.has_length == first.has_length && again.content_length == first.content_length);
    check(again.framing == first.framing && again.field_count == first.field_count);
    for (size_t n = 0; n < raw.len; n += raw.len / 16 + 1) {
        scanned = 0;
        check(http_response_parse(span_of(raw.ptr, n), to, &again, &scanned) == HTTP_PARTIAL);
    }
    buf_done(&head);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum http_method to[] = { HTTP_GET, HTTP_HEAD };

    for (size_t i = 0; i < 2; i++) {
        size_t scanned = 0;
        if (http_response_parse(span_of(data, size), to[i], &first, &scanned) == HTTP_PARSED)
            check_parsed(span_of(data, first.head_len), to[i]);
    }
    return 0;
}
