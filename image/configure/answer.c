/* answer.c -- see answer.h. */
#include "image/configure/answer.h"

#include "base/mem.h"
#include "http/parse.h"
#include "http/second.h"

void answer_init(struct answer *a, size_t body_max)
{
    *a = (struct answer){ .status = 0 };
    buf_init(&a->head, HTTP_RESPONSE_HEAD_MAX);
    buf_init(&a->body, body_max);
}

void answer_done(struct answer *a)
{
    buf_done(&a->head);
    buf_done(&a->body);
}

static enum answer_step is_bad(struct answer *a, const char *why)
{
    a->why = why;
    return ANSWER_BAD;
}

static enum answer_step take_body(struct answer *a, struct span bytes)
{
    for (;;) {
        struct span payload;
        switch (http_body_take(&a->decoder, &bytes, &payload)) {
        case HTTP_BODY_MORE:
            return ANSWER_MORE;
        case HTTP_BODY_DATA:
            if (!buf_put(&a->body, payload))
                return ANSWER_TOO_LARGE;
            break;
        case HTTP_BODY_DONE:
            return ANSWER_WHOLE;
        case HTTP_BODY_BAD:
            return is_bad(a, "the body of the response is malformed");
        }
    }
}

static enum answer_step begin_body(struct answer *a, const struct http_message *m)
{
    if (m->status < 200)
        return is_bad(a, "an interim response was not asked for");
    a->status = m->status;
    http_body_init(&a->decoder, m->framing, m->content_length);
    if (m->has_length && m->content_length > a->body.bound)
        return ANSWER_TOO_LARGE;
    return take_body(a, span_after(buf_data(&a->head), m->head_len));
}

static enum answer_step read_head(struct answer *a, struct http_message *m)
{
    const struct span head = buf_data(&a->head);
    size_t scanned = 0;
    const char *why;

    switch (http_response_parse(head, HTTP_GET, m, &scanned)) {
    case HTTP_PARTIAL:
        return ANSWER_MORE;
    case HTTP_REFUSED:
        return is_bad(a, m->refuse_why);
    case HTTP_PARSED:
        break;
    }
    if (!http_second_response(span_of(head.ptr, m->head_len), m, &why))
        return is_bad(a, why);
    return begin_body(a, m);
}

static enum answer_step take_head(struct answer *a, struct span bytes)
{
    /* What does not fit is the body's. */
    const size_t n = bytes.len < buf_room(&a->head) ? bytes.len : buf_room(&a->head);
    struct http_message *m = mem_new(struct http_message);

    buf_put(&a->head, span_of(bytes.ptr, n));
    enum answer_step step = read_head(a, m);
    free(m);
    if (step != ANSWER_MORE)
        return step;
    if (a->status != 0)
        return take_body(a, span_after(bytes, n));
    return n < bytes.len ? is_bad(a, "the head of the response is too large") : ANSWER_MORE;
}

enum answer_step answer_take(struct answer *a, struct span bytes)
{
    return a->status == 0 ? take_head(a, bytes) : take_body(a, bytes);
}

enum answer_step answer_end(struct answer *a)
{
    if (a->status != 0 && http_body_ends_at_eof(&a->decoder))
        return ANSWER_WHOLE;
    return is_bad(a, a->status == 0 && buf_len(&a->head) == 0
                         ? "the connection was closed without a response"
                         : "the response was cut off");
}
