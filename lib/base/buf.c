/* buf.c -- see buf.h. */
#include "base/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"

enum { FIRST_SIZE = 512 };

void buf_init(struct buf *b, size_t bound)
{
    assert(bound <= UINT32_MAX / 2);
    *b = (struct buf){ .bound = (uint32_t)bound };
}

void buf_done(struct buf *b)
{
    mem_free(b->mem);
    b->head = b->tail = b->size = 0;
}

static void move_to_front(struct buf *b)
{
    if (b->head == 0)
        return;
    memmove(b->mem, b->mem + b->head, buf_len(b));
    b->tail -= b->head;
    b->head = 0;
}

static void grow(struct buf *b, size_t need)
{
    size_t size = b->size == 0 ? FIRST_SIZE : b->size;

    while (size < need)
        size *= 2;
    if (size > b->bound)
        size = b->bound;
    b->mem = mem_resize(b->mem, size);
    b->size = (uint32_t)size;
}

char *buf_space(struct buf *b, size_t n)
{
    if (n > buf_room(b))
        return NULL;
    if (b->mem == NULL || n > b->size - b->tail) {
        move_to_front(b);
        if (b->mem == NULL || n > b->size - b->tail)
            grow(b, buf_len(b) + n);
    }
    return b->mem + b->tail;
}

void buf_added(struct buf *b, size_t n)
{
    assert(n <= b->size - b->tail);
    b->tail += (uint32_t)n;
}

bool buf_put(struct buf *b, struct span bytes)
{
    if (bytes.len == 0)
        return true;
    char *at = buf_space(b, bytes.len);
    if (at == NULL)
        return false;
    memcpy(at, bytes.ptr, bytes.len);
    buf_added(b, bytes.len);
    return true;
}

bool buf_print(struct buf *b, const char *format, ...)
{
    va_list args, again;

    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    /* vsnprintf() writes a NUL as well, so one byte more must be there. */
    char *at = n < 0 ? NULL : buf_space(b, (size_t)n + 1);
    if (at != NULL) {
        vsnprintf(at, (size_t)n + 1, format, again);
        buf_added(b, (size_t)n);
    }
    va_end(again);
    return at != NULL;
}

void buf_drop(struct buf *b, size_t n)
{
    assert(n <= buf_len(b));
    b->head += (uint32_t)n;
    if (b->head == b->tail)
        b->head = b->tail = 0;
}

void buf_release(struct buf *b)
{
    if (buf_len(b) == 0)
        buf_done(b);
}
