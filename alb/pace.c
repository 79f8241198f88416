/* pace.c -- see pace.h. */
#include "alb/pace.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

enum {
    SECOND_US = 1000000,
    CATCH_UP_US = 20000, /* what a window makes up for at once */
    VARIATION = 50,      /* a rate's space varies by one part in so many */
    HALF = 512,          /* a window's, from a half to one and a half */
    PAGE_BYTES = 4096,
};

/* --- pages ------------------------------------------------------------------------------- */

int pace_page(void)
{
    const int fd = memfd_create("alb-pace", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd == -1)
        return -1;
    if (ftruncate(fd, PAGE_BYTES) == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) == 0)
        return fd;
    close(fd);
    return -1;
}

/* One that can shrink would be a trap (SIGBUS). */
static bool is_page(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && st.st_size >= PAGE_BYTES &&
           (fcntl(fd, F_GET_SEALS) & F_SEAL_SHRINK) != 0;
}

static bool map_page(struct pace *p, int fd)
{
    if (fd == -1 || !is_page(fd))
        return false;
    void *at = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    p->page = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (at == MAP_FAILED)
        return false;
    p->due_us = at;
    return true;
}

static void unmap_page(struct pace *p)
{
    if (p->due_us != &p->own_us)
        munmap((void *)p->due_us, PAGE_BYTES);
    if (p->page != -1)
        close(p->page);
}

/* --- making and freeing ------------------------------------------------------------------ */

static struct pace *make(uint64_t due_us)
{
    struct pace *p = mem_new(struct pace);

    atomic_init(&p->refs, 1);
    atomic_init(&p->own_us, due_us);
    p->due_us = &p->own_us;
    p->page = -1;
    return p;
}

/* To a time that is not over yet. */
static void put_off(_Atomic uint64_t *due_us, uint64_t now_us)
{
    uint64_t due = atomic_load(due_us);

    while (due < now_us && !atomic_compare_exchange_weak(due_us, &due, now_us))
        ;
}

/* N + 1 claims span N spaces, less the slack: that is a second and the allowance. */
struct pace *pace_new_rate(int page, uint64_t now_us, uint32_t per_second)
{
    struct pace *p = make(now_us);

    if (map_page(p, page))
        put_off(p->due_us, now_us);
    p->spacing_us = (SECOND_US + PACE_SLACK_US + PACE_ALLOWANCE_US + per_second - 1) / per_second;
    return p;
}

struct pace *pace_new_within(uint64_t now_us, uint64_t window_us, uint32_t count, uint64_t chance)
{
    const uint64_t share = count == 0 ? 0 : window_us / count;
    struct pace *p = make(now_us + chance % (share + 1));

    p->end_us = now_us + window_us;
    return p;
}

struct pace *pace_ref(struct pace *p)
{
    atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
    return p;
}

void pace_unref(struct pace **p)
{
    struct pace *gone = *p;

    *p = NULL;
    if (gone == NULL || atomic_fetch_sub_explicit(&gone->refs, 1, memory_order_acq_rel) != 1)
        return;
    unmap_page(gone);
    free(gone);
}

static uint64_t next_space(const struct pace *p, uint64_t now_us, uint32_t left, uint64_t chance)
{
    if (pace_is_rate(p))
        return p->spacing_us + chance % (p->spacing_us / VARIATION + 1);
    if (now_us >= p->end_us)
        return 0;
    const uint64_t share = (p->end_us - now_us) / (left == 0 ? 1 : left);
    return share * (HALF + chance % (2 * HALF)) / (2 * HALF);
}

bool pace_claim(struct pace *p, uint64_t now_us, uint32_t left, uint64_t chance)
{
    const uint64_t slack = pace_is_rate(p) ? PACE_SLACK_US : CATCH_UP_US;
    const uint64_t space = next_space(p, now_us, left, chance);
    uint64_t due = pace_due_us(p);

    while (now_us >= due) {
        const uint64_t from = now_us - due > slack ? now_us - slack : due;
        if (atomic_compare_exchange_weak_explicit(p->due_us, &due, from + space,
                                                  memory_order_relaxed, memory_order_relaxed))
            return true;
    }
    return false;
}

uint64_t pace_capacity(const struct pace *p, uint64_t span_us)
{
    return span_us / (p->spacing_us + p->spacing_us / VARIATION + 1);
}
