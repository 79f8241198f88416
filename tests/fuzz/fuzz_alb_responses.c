/*
 * fuzz_alb_responses.c -- what goes to a client has one meaning, and it is the target's.
 *
 * The input is what a target sends in answer to requests of one kind. All that alb takes of it is
 * written as alb writes it, and that stream is read by our own parser and by http-parser, whole and
 * a byte at a time: the same responses, one for each that was meant, and no byte more.
 */
#include "transcript.h"

#include "http/second.h"

#include "alb/config.h"
#include "alb/headers.h"

static struct http_message response, written;

struct run {
    enum our_method method;
    bool client_is_1_0;
    bool until_close; /* the last one ends with the connection */
    struct span rest; /* what the target sent, not yet taken */
    struct buf out;   /* what went to the client */
    struct buf meant; /* how it is to be read */
};

/* --- the head ------------------------------------------------------------------ */

/* As choose_framing() of alb/exchange_response.c has it. */
static void choose_framing(struct run *r)
{
    if (response.framing != HTTP_BODY_CHUNKED && response.framing != HTTP_BODY_UNTIL_CLOSE)
        return;
    response.framing = r->client_is_1_0 ? HTTP_BODY_UNTIL_CLOSE : HTTP_BODY_CHUNKED;
    r->until_close = r->client_is_1_0;
}

static void check_fields_passed(void)
{
    size_t at = 0;

    for (size_t i = 0; i < response.field_count; i++) {
        const struct http_field *f = &response.fields[i];
        if (http_is_hop_by_hop(f->id) || http_is_listed(&response, f))
            continue;
        check(at < written.field_count);
        check(span_equal(written.fields[at].name, f->name));
        check(span_equal(written.fields[at++].value, f->value));
    }
    /* And Connection, if any. */
    check(at == written.field_count ||
          (at + 1 == written.field_count && written.fields[at].id == HTTP_N_CONNECTION));
}

static void check_head_means_the_same(const struct run *r)
{
    check(written.status == response.status && written.minor == 1 && written.dropped_fields == 0);
    check(written.framing == response.framing && written.has_length == response.has_length);
    check(written.content_length == response.content_length);
    check(written.keep_alive == !r->until_close);
    check_fields_passed();
}

/* False when it has grown too large to be read again. */
static bool write_head(struct run *r)
{
    static const struct listener_headers listener = { .hides_server = false };
    const struct response_head how = {
        .listener = &listener,
        .close = r->until_close,
        .client_is_1_0 = r->client_is_1_0,
    };
    struct buf head;
    size_t scanned = 0;

    buf_init(&head, 1 << 20);
    check(headers_write_response(&head, &response, &how));
    const bool fits =
        buf_len(&head) < HTTP_RESPONSE_HEAD_MAX && response.field_count < HTTP_FIELDS_MAX - 1;
    if (fits) {
        check(http_response_parse(buf_data(&head), r->method, &written, &scanned) == HTTP_PARSED);
        check(written.head_len == buf_len(&head));
        check_head_means_the_same(r);
        put(&r->out, buf_data(&head));
        put_head(&r->meant, &written, true);
    }
    buf_done(&head);
    return fits;
}

/* --- the body ------------------------------------------------------------------- */

/* As relay_body() does it; false when it does not end well. */
static bool send_body(struct run *r, struct http_body *body)
{
    const bool chunked = response.framing == HTTP_BODY_CHUNKED;
    enum http_body_step step;
    struct span payload;

    while ((step = http_body_take(body, &r->rest, &payload)) == HTTP_BODY_DATA) {
        check(!chunked || http_chunk_begin(&r->out, payload.len));
        put(&r->out, payload);
        check(!chunked || http_chunk_end(&r->out));
        put(&r->meant, payload);
    }
    if (step == HTTP_BODY_BAD || !http_body_ends_at_eof(body))
        return false;
    check(!chunked || http_chunk_last(&r->out));
    put(&r->meant, SPAN("\nend\n"));
    return true;
}

/* --- the stream ------------------------------------------------------------------- */

static bool take_response(struct run *r)
{
    struct http_body body;
    const char *why;
    size_t scanned = 0;

    if (http_response_parse(r->rest, r->method, &response, &scanned) != HTTP_PARSED)
        return false;
    check(http_second_response(span_of(r->rest.ptr, response.head_len), &response, &why));
    r->rest = span_after(r->rest, response.head_len);
    if (response.status < 200)
        return response.status != 101;
    http_body_init(&body, response.framing, response.content_length);
    choose_framing(r);
    if (!write_head(r)) {
        r->until_close = false;
        return false;
    }
    const bool whole = send_body(r, &body);
    r->until_close &= whole; /* else it is reset: nobody takes it for the end */
    return whole && !r->until_close && response.keep_alive;
}

/* What a client reads. */
static void read_ours(struct run *r, struct buf *to)
{
    struct span bytes = buf_data(&r->out);

    while (bytes.len > 0) {
        size_t scanned = 0;
        struct http_body body;
        check(http_response_parse(bytes, r->method, &written, &scanned) == HTTP_PARSED);
        put_head(to, &written, true);
        bytes = span_after(bytes, written.head_len);
        http_body_init(&body, written.framing, written.content_length);
        if (put_body(to, &body, &bytes) == HTTP_BODY_DONE ||
            (r->until_close && bytes.len == 0 && http_body_ends_at_eof(&body)))
            put(to, SPAN("\nend\n"));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf ours;

    if (size == 0)
        return 0;
    struct run r = {
        .method = data[0] & 1 ? OUR_HEAD : OUR_GET,
        .client_is_1_0 = data[0] & 2,
        .rest = span_of(data + 1, size - 1),
    };
    buf_init(&r.out, TRANSCRIPT_MAX);
    buf_init(&r.meant, TRANSCRIPT_MAX);
    buf_init(&ours, TRANSCRIPT_MAX);
    while (r.rest.len > 0 && take_response(&r))
        ;
    read_ours(&r, &ours);
    check(span_equal(buf_data(&ours), buf_data(&r.meant)));
    check_read_alike(buf_data(&r.out), HTTP_RESPONSE, r.method == OUR_HEAD, r.until_close,
                     buf_data(&r.meant));
    buf_done(&r.out);
    buf_done(&r.meant);
    buf_done(&ours);
    return 0;
}
