/* child.h -- run a program to its end, within a time, and keep what it prints. */
#ifndef CONFIGURE_CHILD_H
#define CONFIGURE_CHILD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

enum { CHILD_OUTPUT_MAX = 65536 };

struct child_result {
    bool has_succeeded; /* it has ended with 0 */
    struct buf output;  /* both of its outputs, up to the bound; the caller's to free */
    char why[512];      /* it could not be run, took too long, or was killed; else empty */
};

/* `argv` ends with NULL; argv[0] is a path. Fills all of `result`. */
void child_run(char *const argv[], unsigned timeout_ms, struct child_result *result);

#endif
