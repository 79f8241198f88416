/*
 * fuzz_alb_requests.c -- what goes to a target has one meaning, and it is the client's.
 *
 * The input is what a client sends on one connection. All that alb takes of it is written as alb
 * writes it: heads, and bodies with their framing made anew. That stream is read by our own parser
 * and by http-parser, whole and a byte at a time: the same messages, one for each request that was
 * meant, and no byte more. Every field of the client that may pass is there, in order, as it was.
 */
#include "transcript.h"

#include "http/second.h"
#include "ws/handshake.h"

#include "alb/access_log.h"
#include "alb/config.h"
#include "alb/headers.h"

static struct http_message request, written;

struct run {
    struct alb_options alb;
    enum http_desync_mode mode;
    struct span rest; /* what the client sent, not yet taken */
    struct buf out;   /* what went to the target */
    struct buf meant; /* how it is to be read */
};

/* --- the head ------------------------------------------------------------------ */

/* What the canonical form keeps on purpose: bodies of GET and HEAD, high bytes. */
static bool is_settled(const struct http_message *m)
{
    return m->reason == HTTP_R_NONE || m->reason == HTTP_R_NON_COMPLIANT_HEADER ||
           m->reason == HTTP_R_UNDEFINED_CONTENT_LENGTH_SEMANTICS ||
           m->reason == HTTP_R_UNDEFINED_TRANSFER_ENCODING_SEMANTICS;
}

/* A field that is not of this hop, and not one of those that alb writes itself. */
static bool passes(const struct http_field *f)
{
    if (http_is_hop_by_hop(f->id) || http_is_listed(&request, f))
        return false;
    switch (f->id) {
    case HTTP_N_OTHER:
    case HTTP_N_COOKIE:
    case HTTP_N_AUTHORIZATION:
    case HTTP_N_ORIGIN:
    case HTTP_N_USER_AGENT:
    case HTTP_N_VIA:
    case HTTP_N_FORWARDED:
        return true;
    default:
        return false;
    }
}

static void check_fields_passed(void)
{
    size_t at = 0;

    for (size_t i = 0; i < request.field_count; i++) {
        const struct http_field *f = &request.fields[i];
        if (!passes(f))
            continue;
        while (at < written.field_count && !(span_equal(written.fields[at].name, f->name) &&
                                             span_equal(written.fields[at].value, f->value)))
            at++;
        check(at++ < written.field_count);
    }
}

static void check_head_means_the_same(const struct run *r)
{
    check(written.dropped_fields == 0 && is_settled(&written));
    check(r->mode != HTTP_STRICTEST || written.class_ == HTTP_COMPLIANT);
    check(span_equal(written.method, request.method));
    check(span_equal(written.path, request.path) && span_equal(written.query, request.query));
    check(written.has_query == request.has_query && written.minor == 1 && written.keep_alive);
    check(written.framing == request.framing && written.has_length == request.has_length);
    check(written.content_length == request.content_length);
    check(written.wants_upgrade == request.is_websocket &&
          written.is_websocket == request.is_websocket);
    check_fields_passed();
}

/* http-parser knows a list of methods and no other: there it reads POST. */
static void put_readable(struct buf *to, struct span head)
{
    if (written.method_id == HTTP_METHOD_OTHER) {
        put(to, SPAN("POST"));
        head = span_after(head, written.method.len);
        written.method = SPAN("POST");
    }
    put(to, head);
}

/* False when alb refuses to send it, or it has grown too large to be read again. */
static bool write_head(struct run *r)
{
    static char trace[TRACE_ID_MAX];
    const struct access_client client = { .ip = { .family = 4 }, .port = 1, .listener_port = 8080 };
    const struct listener_headers listener = { .renames = false };
    struct request_head how = {
        .alb = &r->alb,
        .listener = &listener,
        .client = &client,
        .target = "10.0.0.7:9001",
        .upgrade = request.is_websocket,
    };
    struct buf head;
    const char *why = "";
    size_t scanned = 0;

    buf_init(&head, 1 << 20);
    how.trace = headers_trace_id(&request, 0x67891233, trace);
    headers_choose_host(&request, &r->alb);
    bool ok =
        headers_write_request(&head, &request, &how) && headers_write_hop(&head, &request, &how);
    if (ok && (buf_len(&head) > 15000 || request.field_count > HTTP_FIELDS_MAX - 8))
        ok = false;
    if (ok) {
        check(http_second_request(buf_data(&head), &request, &why));
        check(http_request_parse(buf_data(&head), r->mode, &written, &scanned) == HTTP_PARSED);
        check(written.head_len == buf_len(&head));
        check_head_means_the_same(r);
        put_readable(&r->out, buf_data(&head));
        put_head(&r->meant, &written, false);
    }
    buf_done(&head);
    return ok;
}

/* --- the body ------------------------------------------------------------------- */

/* As exchange_take() does it. */
static enum http_body_step send_body(struct run *r)
{
    const bool chunked = request.framing == HTTP_BODY_CHUNKED;
    enum http_body_step step;
    struct http_body body;
    struct span payload;

    http_body_init(&body, request.framing, request.content_length);
    while ((step = http_body_take(&body, &r->rest, &payload)) == HTTP_BODY_DATA) {
        check(!chunked || http_chunk_begin(&r->out, payload.len));
        put(&r->out, payload);
        check(!chunked || http_chunk_end(&r->out));
        put(&r->meant, payload);
    }
    if (step == HTTP_BODY_DONE) {
        check(!chunked || http_chunk_last(&r->out));
        put(&r->meant, SPAN("\nend\n"));
    }
    return step;
}

/* Does another request follow on the same connections? */
static bool take_request(struct run *r)
{
    size_t scanned = 0;

    if (http_request_parse(r->rest, r->mode, &request, &scanned) != HTTP_PARSED)
        return false;
    check(request.head_len <= r->rest.len);
    if (r->alb.drop_invalid_header_fields)
        http_drop_invalid_names(&request);
    if (request.method_id == HTTP_TRACE || request.method_id == HTTP_CONNECT ||
        headers_has_too_many_addresses(&request) ||
        (ws_request_wants(&request) && ws_request_check(&request) != WS_OK))
        return false;
    const size_t head_len = request.head_len;
    if (!write_head(r))
        return false;
    r->rest = span_after(r->rest, head_len);
    return send_body(r) == HTTP_BODY_DONE && request.keep_alive && !request.must_close &&
           !request.must_not_reuse && !request.is_websocket;
}

/* --- what the target reads -------------------------------------------------------- */

static void read_ours(struct span bytes, struct buf *to)
{
    while (bytes.len > 0) {
        size_t scanned = 0;
        struct http_body body;
        check(http_request_parse(bytes, HTTP_DEFENSIVE, &written, &scanned) == HTTP_PARSED);
        put_head(to, &written, false);
        bytes = span_after(bytes, written.head_len);
        http_body_init(&body, written.framing, written.content_length);
        if (put_body(to, &body, &bytes) == HTTP_BODY_DONE)
            put(to, SPAN("\nend\n"));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf ours;

    if (size < 2)
        return 0;
    struct run r = {
        .alb = { .xff_mode = data[0] % 3,
                 .preserve_host = data[0] & 4,
                 .xff_client_port = data[0] & 8,
                 .drop_invalid_header_fields = data[0] & 16 },
        .mode = data[1] % 3,
        .rest = span_of(data + 2, size - 2),
    };
    buf_init(&r.out, TRANSCRIPT_MAX);
    buf_init(&r.meant, TRANSCRIPT_MAX);
    buf_init(&ours, TRANSCRIPT_MAX);
    while (r.rest.len > 0 && take_request(&r))
        ;
    read_ours(buf_data(&r.out), &ours);
    check(span_equal(buf_data(&ours), buf_data(&r.meant)));
    check_read_alike(buf_data(&r.out), HTTP_REQUEST, false, false, buf_data(&r.meant));
    buf_done(&r.out);
    buf_done(&r.meant);
    buf_done(&ours);
    return 0;
}
