/*
 * spares.h -- freed blocks of one size, kept at hand for the next.
 *
 * What every request allocates and frees again goes through here: malloc's own
 * cache of a thread keeps seven blocks of a size, and a loop has dozens of
 * requests under way. One set belongs to one thread. With a sanitizer nothing
 * is kept, so that it sees each block's end.
 */
#ifndef BASE_SPARES_H
#define BASE_SPARES_H

#include "base/mem.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SPARES_KEPT 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SPARES_KEPT 0
#endif
#endif
#ifndef SPARES_KEPT
#define SPARES_KEPT 64
#endif

struct spares {
    void *blocks[SPARES_KEPT + 1];
    unsigned count;
};

/* Not zeroed. Always ask one set for the same size. */
static inline void *spares_take(struct spares *s, size_t size)
{
    return s->count > 0 ? s->blocks[--s->count] : mem_check(malloc(size));
}

/* NULL is fine. */
static inline void spares_give(struct spares *s, void *block)
{
    if (block != NULL && s->count != SPARES_KEPT)
        s->blocks[s->count++] = block;
    else
        free(block);
}

static inline void spares_done(struct spares *s)
{
    while (s->count > 0)
        free(s->blocks[--s->count]);
}

#endif
