/*
 * mem.h -- allocate or end the process.
 *
 * Memory is bounded by limits that are checked when the configuration is read,
 * so running out is a mistake of set-up, not an event that every caller has to
 * handle (docs/style.md, "Memory").
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline void *mem_check(void *p)
{
    if (p == NULL) {
        fputs("out of memory\n", stderr);
        abort();
    }
    return p;
}

/* Zeroed memory; free() it. Small blocks go by malloc(), which keeps freed ones
 * at hand for its thread; calloc() of glibc does not look there. */
static inline void *mem_zero(size_t n)
{
    enum { SMALL = 1024 };

    if (n == 0 || n > SMALL)
        return mem_check(calloc(1, n == 0 ? 1 : n));
    void *block = mem_check(malloc(n));
    __asm__("" : "+r"(block)); /* else the compiler makes one calloc() of the two */
    return memset(block, 0, n);
}

static inline void *mem_resize(void *p, size_t n)
{
    return mem_check(realloc(p, n == 0 ? 1 : n));
}

/* Room behind `count` items for one more. It doubles whenever they are a power of two, so that
 * many additions copy each item but a few times; all of an array's room has to come from here. */
static inline void *mem_room(void *p, size_t count, size_t item_size)
{
    if ((count & (count - 1)) != 0)
        return p;
    return mem_resize(p, (count == 0 ? 1 : count * 2) * item_size);
}

static inline char *mem_text(const char *text)
{
    return mem_check(strdup(text));
}

/* A copy of `len` bytes, with a NUL behind. */
static inline char *mem_copy(const void *bytes, size_t len)
{
    char *copy = mem_zero(len + 1);
    if (len > 0)
        memcpy(copy, bytes, len);
    return copy;
}

#define mem_new(type) ((type *)mem_zero(sizeof(type)))
#define mem_array(type, n) ((type *)mem_check(calloc((n) == 0 ? 1 : (n), sizeof(type))))

/* Free what a pointer variable holds, and clear the variable. */
#define mem_free(variable)                                                                         \
    do {                                                                                           \
        free(variable);                                                                            \
        (variable) = NULL;                                                                         \
    } while (0)

#endif
