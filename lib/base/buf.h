/*
 * buf.h -- bytes on their way: a queue with a bound.
 *
 * Bytes are added at the tail and taken from the head. A buffer owns no memory
 * until the first byte is added, grows as needed up to its bound, and gives
 * its memory back through buf_release() once it is empty: an idle connection
 * owns none.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

struct buf {
    char *mem;      /* owned; NULL while nothing is held */
    uint32_t head;  /* first byte held */
    uint32_t tail;  /* one past the last */
    uint32_t size;  /* bytes of memory */
    uint32_t bound; /* never grows past this */
};

/* At most UINT32_MAX / 2. */
void buf_init(struct buf *b, size_t bound);
void buf_done(struct buf *b);

/* Of one that holds a secret: overwrite it first. What had moved before is not: reserve the room
 * with buf_space() before the secret is added. */
void buf_wipe(struct buf *b);

static inline size_t buf_len(const struct buf *b)
{
    return b->tail - b->head;
}

/* How many more bytes it may take. */
static inline size_t buf_room(const struct buf *b)
{
    return b->bound - buf_len(b);
}

static inline struct span buf_data(const struct buf *b)
{
    return b->mem == NULL ? span_of("", 0) : span_of(b->mem + b->head, buf_len(b));
}

/* For buf_space(), when the memory must move or grow. */
char *buf_make_space(struct buf *b, size_t n);

/* Writable memory for `n` more bytes, or NULL when that is past the bound.
 * What was written counts after buf_added(). Moves what is held: spans into
 * the buffer die here. */
static inline char *buf_space(struct buf *b, size_t n)
{
    if (b->mem != NULL && n <= b->size - b->tail) /* size is within the bound */
        return b->mem + b->tail;
    return buf_make_space(b, n);
}

static inline void buf_added(struct buf *b, size_t n)
{
    assert(n <= b->size - b->tail);
    b->tail += (uint32_t)n;
}

/* Add whole, or add nothing and return false when it does not fit. */
static inline bool buf_put(struct buf *b, struct span bytes)
{
    char *at = bytes.len == 0 ? NULL : buf_space(b, bytes.len);

    if (at == NULL)
        return bytes.len == 0;
    memcpy(at, bytes.ptr, bytes.len);
    buf_added(b, bytes.len);
    return true;
}

bool buf_print(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A number in decimal digits: what buf_print("%u") does, in a tenth of the time. */
bool buf_put_number(struct buf *b, uint64_t n);

/* Drop from the front. */
void buf_drop(struct buf *b, size_t n);

/* Give the memory back if nothing is held. */
void buf_release(struct buf *b);

/* A thread that used buffers ends: free the blocks that it kept for the next. */
void buf_thread_done(void);

#endif
