/*
 * transcript.h -- a stream of messages as text, as each of two parsers reads it.
 *
 *     POST /a?b HTTP/1.1        or    200 OK HTTP/1.1
 *     Name: value                     one line a field, without those of the framing
 *     length 5                        or "chunked", or nothing
 *     hello                           the body, without its framing
 *     end                             only of a message that is whole
 *
 * Two readings are the same when their texts are.
 */
#ifndef TESTS_FUZZ_TRANSCRIPT_H
#define TESTS_FUZZ_TRANSCRIPT_H

#include "their_parser.h"

#include <stdlib.h>

#include "base/buf.h"
#include "http/body.h"
#include "http/parse.h"

enum { TRANSCRIPT_MAX = 1 << 22 };

static inline void check(bool holds)
{
    if (!holds)
        abort();
}

static inline void put(struct buf *to, struct span text)
{
    check(buf_put(to, text));
}

static inline void put_length(struct buf *to, uint64_t length)
{
    put(to, SPAN("length "));
    check(buf_put_number(to, length));
    put(to, SPAN("\n"));
}

static inline void put_version(struct buf *to, int minor)
{
    put(to, minor == 1 ? SPAN(" HTTP/1.1\n") : SPAN(" HTTP/1.0\n"));
}

/* --- ours ------------------------------------------------------------------- */

static inline void put_start(struct buf *to, const struct http_message *m, bool is_response)
{
    if (is_response) {
        check(buf_put_number(to, (uint64_t)m->status));
        put(to, SPAN(" "));
        put(to, m->reason_phrase);
    } else {
        put(to, m->method);
        put(to, SPAN(" "));
        put(to, m->path);
        put(to, m->has_query ? SPAN("?") : SPAN(""));
        put(to, m->has_query ? m->query : SPAN(""));
    }
    put_version(to, m->minor);
}

static inline void put_head(struct buf *to, const struct http_message *m, bool is_response)
{
    put_start(to, m, is_response);
    for (size_t i = 0; i < m->field_count; i++) {
        put(to, m->fields[i].name);
        put(to, SPAN(": "));
        put(to, m->fields[i].value);
        put(to, SPAN("\n"));
    }
    if (m->framing == HTTP_BODY_CHUNKED)
        put(to, SPAN("chunked\n"));
    else if (m->has_length)
        put_length(to, m->content_length);
}

/* Where it ended: what is left in *in is not part of it. */
static inline enum http_body_step put_body(struct buf *to, struct http_body *b, struct span *in)
{
    enum http_body_step step;
    struct span payload;

    while ((step = http_body_take(b, in, &payload)) == HTTP_BODY_DATA)
        put(to, payload);
    return step;
}

/* --- theirs ------------------------------------------------------------------- */

struct theirs {
    struct buf *to;
    struct buf start, name, value; /* may come in pieces */
    bool in_value, start_is_put;
    bool to_head; /* responses to a HEAD request */
};

static inline void begin_again(struct buf *b)
{
    buf_drop(b, buf_len(b));
}

static inline void put_their_start(http_parser *p)
{
    struct theirs *t = p->data;

    if (t->start_is_put)
        return;
    t->start_is_put = true;
    if (p->type == HTTP_RESPONSE)
        check(buf_put_number(t->to, p->status_code));
    else
        put(t->to, span_text(http_method_str((their_method)p->method)));
    put(t->to, SPAN(" "));
    put(t->to, buf_data(&t->start));
    check(p->http_major == 1 && p->http_minor <= 1);
    put_version(t->to, p->http_minor);
}

static inline bool is_of_framing(struct span name)
{
    return span_equal_nocase(name, SPAN("Content-Length")) ||
           span_equal_nocase(name, SPAN("Transfer-Encoding"));
}

static inline void end_their_field(struct theirs *t)
{
    if (t->in_value && !is_of_framing(buf_data(&t->name))) {
        put(t->to, buf_data(&t->name));
        put(t->to, SPAN(": "));
        put(t->to, buf_data(&t->value));
        put(t->to, SPAN("\n"));
    }
    if (t->in_value) {
        begin_again(&t->name);
        begin_again(&t->value);
    }
    t->in_value = false;
}

static inline int on_begin(http_parser *p)
{
    struct theirs *t = p->data;

    begin_again(&t->start);
    t->start_is_put = false;
    return 0;
}

static inline int on_start(http_parser *p, const char *at, size_t len)
{
    put(&((struct theirs *)p->data)->start, span_of(at, len));
    return 0;
}

static inline int on_name(http_parser *p, const char *at, size_t len)
{
    struct theirs *t = p->data;

    put_their_start(p);
    end_their_field(t);
    put(&t->name, span_of(at, len));
    return 0;
}

static inline int on_value(http_parser *p, const char *at, size_t len)
{
    struct theirs *t = p->data;

    t->in_value = true;
    put(&t->value, span_of(at, len));
    return 0;
}

/* 1: no body, which is what a client knows of a response to HEAD, and of a 204 and a 304. */
static inline int on_head(http_parser *p)
{
    struct theirs *t = p->data;

    put_their_start(p);
    end_their_field(t);
    if (p->flags & F_CHUNKED)
        put(t->to, SPAN("chunked\n"));
    else if (p->flags & F_CONTENTLENGTH)
        put_length(t->to, p->content_length);
    return p->type == HTTP_RESPONSE &&
           (t->to_head || p->status_code == 204 || p->status_code == 304);
}

static inline int on_body(http_parser *p, const char *at, size_t len)
{
    put(((struct theirs *)p->data)->to, span_of(at, len));
    return 0;
}

static inline int on_end(http_parser *p)
{
    put(((struct theirs *)p->data)->to, SPAN("\nend\n"));
    return 0;
}

/* `step` bytes at a time; `ends`: the sender has closed behind it. Whatever they refuse, or leave,
 * is a difference by itself. */
static inline void read_theirs(struct span bytes, enum http_parser_type type, bool to_head,
                               size_t step, bool ends, struct buf *to)
{
    static const http_parser_settings callbacks = {
        .on_message_begin = on_begin,
        .on_url = on_start,
        .on_status = on_start,
        .on_header_field = on_name,
        .on_header_value = on_value,
        .on_headers_complete = on_head,
        .on_body = on_body,
        .on_message_complete = on_end,
    };
    struct theirs t = { .to = to, .to_head = to_head };
    http_parser p;

    buf_init(&t.start, TRANSCRIPT_MAX);
    buf_init(&t.name, TRANSCRIPT_MAX);
    buf_init(&t.value, TRANSCRIPT_MAX);
    http_parser_init(&p, type);
    p.data = &t;
    while (bytes.len > 0) {
        const size_t n = bytes.len < step ? bytes.len : step;
        check(http_parser_execute(&p, &callbacks, bytes.ptr, n) == n);
        check(HTTP_PARSER_ERRNO(&p) == HPE_OK && (!p.upgrade || bytes.len == n));
        bytes = span_after(bytes, n);
    }
    if (ends)
        check(http_parser_execute(&p, &callbacks, NULL, 0) == 0);
    buf_done(&t.start);
    buf_done(&t.name);
    buf_done(&t.value);
}

static inline void check_read_alike(struct span bytes, enum http_parser_type type, bool to_head,
                                    bool ends, struct span expected)
{
    const size_t steps[] = { SIZE_MAX, 1 };

    for (size_t i = 0; i < 2; i++) {
        struct buf text;
        buf_init(&text, TRANSCRIPT_MAX);
        read_theirs(bytes, type, to_head, steps[i], ends, &text);
        check(span_equal(buf_data(&text), expected));
        buf_done(&text);
    }
}

#endif
