/* remote_answer.c -- see remote_answer.h. */
#include "alb/remote_answer.h"

#include <stdlib.h>

#include "base/bug.h"
#include "base/mem.h"
#include "http/message.h"
#include "http/parse.h"

enum { READ_AHEAD = 64 * 1024 }; /* what may come behind it with its last bytes */

void remote_answer_init(struct remote_answer *a)
{
    *a = (struct remote_answer){ .head = mem_new(struct http_message) };
    buf_init(&a->bytes, HTTP_RESPONSE_HEAD_MAX + REMOTE_BODY_MAX + READ_AHEAD);
}

void remote_answer_done(struct remote_answer *a)
{
    buf_done(&a->bytes);
    mem_free(a->head);
}

static enum remote_look look_at_body(struct remote_answer *a)
{
    const struct span all = buf_data(&a->bytes);

    if (all.len < a->whole)
        return REMOTE_PART;
    a->status = a->head->status;
    a->body = span_of(all.ptr + a->head->head_len, (size_t)a->head->content_length);
    return REMOTE_WHOLE;
}

static enum remote_look look_at_head(struct remote_answer *a)
{
    const struct http_message *m = a->head;

    if (m->framing != HTTP_BODY_LENGTH)
        return REMOTE_NONSENSE;
    if (m->content_length > REMOTE_BODY_MAX)
        return REMOTE_TOO_MUCH;
    a->whole = m->head_len + (size_t)m->content_length;
    return look_at_body(a);
}

enum remote_look remote_answer_look(struct remote_answer *a)
{
    if (a->whole > 0)
        return look_at_body(a);
    switch (http_response_parse(buf_data(&a->bytes), HTTP_GET, a->head, &a->scanned)) {
    case HTTP_PARTIAL:
        return REMOTE_PART;
    case HTTP_REFUSED:
        return REMOTE_NONSENSE;
    case HTTP_PARSED:
        return look_at_head(a);
    }
    bug("unknown outcome of a parse");
}
