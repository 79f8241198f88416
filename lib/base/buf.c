/* buf.c -- see buf.h. */
#include "base/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/spares.h"

enum { FIRST_SIZE = 512 };

static _Thread_local struct spares first_blocks;

void buf_thread_done(void)
{
    spares_done(&first_blocks);
}

void buf_init(struct buf *b, size_t bound)
{
    assert(bound <= UINT32_MAX / 2);
    *b = (struct buf){ .bound = (uint32_t)bound };
}

void buf_done(struct buf *b)
{
    if (b->size == FIRST_SIZE)
        spares_give(&first_blocks, b->mem);
    else
        free(b->mem);
    b->mem = NULL;
    b->head = b->tail = b->size = 0;
}

void buf_wipe(struct buf *b)
{
    if (b->mem != NULL)
        explicit_bzero(b->mem, b->size);
    buf_done(b);
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
    b->mem = b->mem == NULL && size == FIRST_SIZE ? spares_take(&first_blocks, size)
                                                  : mem_resize(b->mem, size);
    b->size = (uint32_t)size;
}

char *buf_make_space(struct buf *b, size_t n)
{
    if (n > buf_room(b))
        return NULL;
    move_to_front(b);
    if (b->mem == NULL || n > b->size - b->tail)
        grow(b, buf_len(b) + n);
    return b->mem + b->tail;
}

bool buf_put_number(struct buf *b, uint64_t n)
{
    char digits[20]; /* 2^64 has 20 */
    size_t at = sizeof(digits);

    do {
        digits[--at] = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    return buf_put(b, span_of(digits + at, sizeof(digits) - at));
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
