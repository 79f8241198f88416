/* guard.h -- bytes that end where memory ends: one byte too far is a fault. */
#ifndef TESTS_HTTP_GUARD_H
#define TESTS_HTTP_GUARD_H

#include <stdlib.h>
#include <sys/mman.h>

#include "base/span.h"

enum { GUARD_SIZE = 1 << 17, GUARD_PAGE = 4096 };

/* A copy that lives until the next call. */
static inline struct span at_end_of_page(struct span bytes)
{
    static char *area;

    if (area == NULL) {
        area = mmap(NULL, GUARD_SIZE + GUARD_PAGE, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (area == MAP_FAILED || mprotect(area + GUARD_SIZE, GUARD_PAGE, PROT_NONE) != 0)
            abort();
    }
    if (bytes.len > GUARD_SIZE)
        abort();
    char *at = area + GUARD_SIZE - bytes.len;
    if (bytes.len > 0)
        memcpy(at, bytes.ptr, bytes.len);
    return span_of(at, bytes.len);
}

#endif
