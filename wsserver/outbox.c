/* outbox.c -- see outbox.h. */
#include "wsserver/outbox.h"

#include <assert.h>

#include "base/mem.h"
#include "ws/frame.h"

/* --- frames ---------------------------------------------------------------- */

static struct frame *make(struct span head, struct span body)
{
    struct frame *f = mem_check(malloc(sizeof(*f) + head.len + body.len));

    f->refs = 1;
    f->len = (uint32_t)(head.len + body.len);
    memcpy(f->bytes, head.ptr, head.len);
    if (body.len > 0)
        memcpy(f->bytes + head.len, body.ptr, body.len);
    return f;
}

struct frame *frame_new(uint8_t opcode, struct span payload)
{
    const struct ws_header h = { .fin = true, .opcode = opcode, .payload_len = payload.len };
    uint8_t head[WS_HEADER_MAX];

    return make(span_of(head, ws_header_write(head, &h)), payload);
}

struct frame *frame_raw(struct span bytes)
{
    return make(bytes, SPAN(""));
}

void frame_drop(struct frame **frame)
{
    struct frame *f = *frame;

    *frame = NULL;
    if (f != NULL && --f->refs == 0)
        free(f);
}

/* --- the queue ------------------------------------------------------------- */

void outbox_init(struct outbox *o)
{
    *o = (struct outbox){ .size = OUTBOX_OWN };
}

static struct frame **slot(struct outbox *o, uint32_t i)
{
    assert(o->size > 0);
    struct frame **slots = o->ring != NULL ? o->ring : o->own;
    return &slots[(o->head + i) % o->size];
}

static void grow(struct outbox *o)
{
    struct frame **bigger = mem_array(struct frame *, o->size * 2);

    for (uint32_t i = 0; i < o->count; i++)
        bigger[i] = *slot(o, i);
    free(o->ring);
    o->ring = bigger;
    o->size *= 2;
    o->head = 0;
}

void outbox_push(struct outbox *o, struct frame *frame, bool is_asked)
{
    if (o->count == o->size)
        grow(o);
    frame->refs++;
    *slot(o, o->count++) = frame;
    o->bytes += frame->len;
    if (is_asked)
        o->asked += frame->len;
}

bool outbox_is_over(const struct outbox *o)
{
    return o->bytes > OUTBOX_BOUND + o->asked;
}

static void drop_first(struct outbox *o)
{
    frame_drop(slot(o, 0));
    o->head = (o->head + 1) % o->size;
    o->offset = 0;
    if (--o->count > 0)
        return;
    assert(o->bytes == 0);
    free(o->ring);
    outbox_init(o);
}

void outbox_done(struct outbox *o)
{
    o->bytes = 0;
    while (o->count > 0)
        drop_first(o);
}

struct span outbox_next(struct outbox *o, char *scratch, size_t size)
{
    size_t used = 0;

    if (o->count == 0)
        return SPAN("");
    struct frame *first = *slot(o, 0);
    struct span rest = span_of(first->bytes + o->offset, first->len - o->offset);
    if (o->count == 1 || rest.len + (*slot(o, 1))->len > size)
        return rest;

    memcpy(scratch, rest.ptr, rest.len);
    used = rest.len;
    for (uint32_t i = 1; i < o->count && used + (*slot(o, i))->len <= size; i++) {
        memcpy(scratch + used, (*slot(o, i))->bytes, (*slot(o, i))->len);
        used += (*slot(o, i))->len;
    }
    return span_of(scratch, used);
}

void outbox_sent(struct outbox *o, size_t n)
{
    assert(n <= o->bytes);
    o->bytes -= (uint32_t)n;
    while (n > 0) {
        size_t left = (*slot(o, 0))->len - o->offset;
        if (n < left) {
            o->offset += (uint32_t)n;
            return;
        }
        n -= left;
        drop_first(o);
    }
}

void outbox_move(struct outbox *from, struct outbox *to)
{
    for (uint32_t i = 0; i < from->count; i++)
        outbox_push(to, *slot(from, i), false);
    outbox_done(from);
}

void outbox_cut(struct outbox *o)
{
    uint32_t keep = o->offset > 0 ? 1 : 0;

    while (o->count > keep) {
        struct frame **last = slot(o, o->count - 1);
        o->bytes -= (*last)->len;
        if (o->count == 1)
            drop_first(o); /* to own no memory again */
        else {
            frame_drop(last);
            o->count--;
        }
    }
}
