/*
 * fuzz_http_request.c -- whatever a client sends, what we would send on has
 * one meaning.
 *
 * A parsed request is written in canonical form. The second parser reads that
 * as we meant it, and our own scan reads it again in the same way, with
 * nothing left that a mode would have to put right; writing that once more
 * changes nothing. The prefixes of a parsed head are partial.
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

/* What canonical form keeps on purpose: bodies of GET, and high bytes. */
static bool is_settled(const struct http_message *m)
{
    switch (m->reason) {
    case HTTP_R_NONE:
    case HTTP_R_NON_COMPLIANT_HEADER:
    case HTTP_R_UNDEFINED_CONTENT_LENGTH_SEMANTICS:
    case HTTP_R_UNDEFINED_TRANSFER_ENCODING_SEMANTICS:
        return true;
    default:
        return false;
    }
}

static void check_same_meaning(void)
{
    check(again.dropped_fields == 0 && is_settled(&again));
    check(span_equal(first.method, again.method) && first.method_id == again.method_id);
    check(span_equal(first.path, again.path) && span_equal(first.query, again.query));
    check(first.has_query == again.has_query);
    check(first.framing == again.framing && first.content_length == again.content_length);
    check(first.names_fields == again.names_fields && first.field_count == again.field_count);
    for (size_t i = 0; i < first.field_count; i++) {
        check(span_equal(first.fields[i].name, again.fields[i].name));
        check(span_equal(first.fields[i].value, again.fields[i].value));
        check(first.fields[i].id == again.fields[i].id);
    }
}

static void check_prefixes(struct span head)
{
    size_t kept = 0;
    size_t step = head.len / 16 + 1;

    for (size_t n = 0; n < head.len; n += step) {
        size_t fresh = 0;
        struct span prefix = span_of(head.ptr, n);
        check(http_request_parse(prefix, HTTP_MONITOR, &again, &fresh) == HTTP_PARTIAL);
        check(http_request_parse(prefix, HTTP_MONITOR, &again, &kept) == HTTP_PARTIAL);
    }
    check(http_request_parse(head, HTTP_MONITOR, &again, &kept) == HTTP_PARSED);
}

static void check_parsed(struct span bytes)
{
    struct buf head, same;
    const char *why;
    size_t scanned = 0;

    check(first.head_len <= bytes.len && first.class_ != HTTP_SEVERE);
    buf_init(&head, 2 * HTTP_HEAD_MAX);
    buf_init(&same, 2 * HTTP_HEAD_MAX);
    check(write_request(&head, &first));
    check(http_second_request(buf_data(&head), &first, &why));
    /* HTTP/1.0 may do without a Host; HTTP/1.1, which we write, may not. */
    if (first.host.len > 0 && http_find(&first, HTTP_N_HOST) != NULL) {
        check(http_request_parse(buf_data(&head), HTTP_DEFENSIVE, &again, &scanned) == HTTP_PARSED);
        check_same_meaning();
        check(write_request(&same, &again));
        check(span_equal(buf_data(&head), buf_data(&same)));
    }
    check_prefixes(span_of(bytes.ptr, first.head_len));
    buf_done(&head);
    buf_done(&same);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum http_desync_mode modes[] = { HTTP_STRICTEST, HTTP_MONITOR, HTTP_DEFENSIVE };
    struct span bytes = span_of(data, size);

    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        size_t scanned = 0;
        switch (http_request_parse(bytes, modes[i], &first, &scanned)) {
        case HTTP_PARSED:
            check(modes[i] != HTTP_STRICTEST || first.class_ == HTTP_COMPLIANT);
            check_parsed(bytes);
            break;
        case HTTP_REFUSED:
            check(first.refuse_status >= 400 && first.refuse_status < 600);
            check(first.refuse_why != NULL);
            break;
        case HTTP_PARTIAL:
            break;
        }
    }
    return 0;
}
