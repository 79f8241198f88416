/* ready_question.c -- see ready_question.h. */
#include "alb/ready_question.h"

#include "http/parse.h"

/* What is behind the most that one may have is never looked at. */
static enum ready_question read_request(struct span bytes, struct http_message *m, size_t *scanned)
{
    const struct span head =
        span_of(bytes.ptr, bytes.len < READY_REQUEST_MAX ? bytes.len : READY_REQUEST_MAX);

    switch (http_request_parse(head, HTTP_DEFENSIVE, m, scanned)) {
    case HTTP_PARSED:
        return READY_ASKED;
    case HTTP_REFUSED:
        return READY_REFUSED;
    case HTTP_PARTIAL:
        break;
    }
    m->refuse_status = 431;
    return head.len < READY_REQUEST_MAX ? READY_PARTIAL : READY_REFUSED;
}

enum ready_question ready_question_read(struct span bytes, struct http_message *m, size_t *scanned)
{
    struct proxy_head head;

    switch (proxy_head_parse(bytes, &head)) {
    case PROXY_HEAD_PARTIAL:
        return READY_PARTIAL;
    case PROXY_HEAD_WHOLE:
        return read_request(span_after(bytes, head.len), m, scanned);
    case PROXY_HEAD_REFUSED:
        break;
    }
    return proxy_head_begins(bytes) ? READY_BAD_HEAD : read_request(bytes, m, scanned);
}
