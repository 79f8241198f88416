/* lines.h -- files that list one value a line; '#' starts a comment. */
#ifndef BASE_LINES_H
#define BASE_LINES_H

#include <stdbool.h>

#include "base/span.h"

struct lines {
    struct span rest; /* the whole text at first */
    int number;       /* 0 at first; of the line last taken, from 1 */
};

/* The next line that holds a value, without its comment, its blanks and a CR. */
static inline bool lines_next(struct lines *lines, struct span *value)
{
    struct span line;

    while (span_next(&lines->rest, '\n', &line)) {
        lines->number++;
        if (line.len > 0 && line.ptr[line.len - 1] == '\r')
            line.len--;
        if (span_next(&line, '#', value) && value->len > 0)
            return true;
    }
    return false;
}

#endif
