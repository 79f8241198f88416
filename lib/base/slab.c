/*
 * slab.c -- see slab.h.
 *
 *   run: | link, used, free | block | block | block ...      at a multiple of its size
 *
 * So a block's run is found from its address. Free blocks of a run are a chain through their
 * first word; those behind `fresh` were never used.
 */
#include "base/slab.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "base/bug.h"
#include "base/mem.h"
#include "base/spares.h"

enum { RUN_BYTES = 256 * 1024, ALIGN = 8 };

struct run {
    struct list link; /* in with_room, or in no list */
    void *free;       /* the first of the chain; NULL: none */
    uint32_t used, fresh;
};

static size_t per_run(const struct slab *s)
{
    return (RUN_BYTES - sizeof(struct run)) / s->block;
}

void slab_init(struct slab *s, size_t block)
{
    *s = (struct slab){ .block = (block + ALIGN - 1) / ALIGN * ALIGN };
    list_init(&s->with_room);
    if (block == 0 || per_run(s) < 3)
        bug("blocks of this size are not for a slab");
}

static struct run *run_of(const void *block)
{
    return (struct run *)((uintptr_t)block & ~(uintptr_t)(RUN_BYTES - 1));
}

/* Memory of the kernel's, whose pages count only once they are touched: twice as much as is
 * needed has a run at a multiple of its size in it. */
static struct run *map_run(void)
{
    char *all =
        mmap(NULL, 2 * RUN_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (all == MAP_FAILED)
        mem_check(NULL);
    char *run = (char *)run_of(all + RUN_BYTES - 1);
    if (run > all)
        munmap(all, (size_t)(run - all));
    munmap(run + RUN_BYTES, (size_t)(all + RUN_BYTES - run));
    return (struct run *)(void *)run;
}

static void unmap_run(struct slab *s, struct run *r)
{
    munmap(r, RUN_BYTES);
    s->runs--;
}

static struct run *take_run(struct slab *s)
{
    struct run *r = s->spare;

    s->spare = NULL;
    if (r == NULL) {
        r = map_run();
        s->runs++;
    }
    r->free = NULL;
    r->used = r->fresh = 0;
    list_push(&s->with_room, &r->link);
    return r;
}

void slab_done(struct slab *s)
{
    if (s->spare != NULL)
        unmap_run(s, s->spare);
    s->spare = NULL;
}

static void *take_from(const struct slab *s, struct run *r)
{
    void *block = r->free;

    if (block == NULL)
        return (char *)(r + 1) + s->block * r->fresh++;
    memcpy(&r->free, block, sizeof(r->free));
    return block;
}

void *slab_take(struct slab *s)
{
    if (SPARES_KEPT == 0)
        return mem_zero(s->block);
    struct run *r = list_is_empty(&s->with_room) ? take_run(s)
                                                 : list_entry(s->with_room.next, struct run, link);
    void *block = take_from(s, r);
    if (++r->used == per_run(s))
        list_remove(&r->link);
    return memset(block, 0, s->block);
}

/* Those that are nearly full come first: the others get a chance to become empty. */
static void put_back(struct slab *s, struct run *r, bool was_full)
{
    if (was_full)
        list_push(&s->with_room, &r->link);
    if (r->used > 0)
        return;
    list_remove(&r->link);
    if (s->spare == NULL)
        s->spare = r;
    else
        unmap_run(s, r);
}

void slab_give(struct slab *s, void *block)
{
    if (SPARES_KEPT == 0) {
        free(block);
        return;
    }
    struct run *r = run_of(block);
    const bool was_full = r->used == per_run(s);
    memcpy(block, &r->free, sizeof(r->free));
    r->free = block;
    r->used--;
    put_back(s, r, was_full);
}
