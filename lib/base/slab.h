/*
 * slab.h -- blocks of one size that live long: side by side, without holes between them.
 *
 * malloc() puts what lives for hours between what lives for a millisecond, and the holes
 * that this leaves behind cost more than the blocks. Here they are cut from runs of 256 KB of
 * their own; of runs that are empty all but one are given back. A slab belongs to one thread.
 * With a sanitizer each block is one of malloc()'s, so that it sees each block's end.
 */
#ifndef BASE_SLAB_H
#define BASE_SLAB_H

#include <stddef.h>

#include "base/list.h"

struct run;

struct slab {
    struct list with_room; /* runs that have a free block; the others are known by their blocks */
    struct run *spare;     /* an empty one, so that a block that comes and goes maps none */
    size_t block;          /* bytes of one */
    size_t runs;           /* how many there are */
};

/* Blocks of so many bytes: at most 4 KB. */
void slab_init(struct slab *s, size_t block);

/* When all blocks were given back. */
void slab_done(struct slab *s);

/* Zeroed. */
void *slab_take(struct slab *s);

/* One of this slab's. */
void slab_give(struct slab *s, void *block);

#endif
