/* bug.h -- a broken invariant of ours ends the process, in release builds too. */
#ifndef BASE_BUG_H
#define BASE_BUG_H

#include <stdio.h>
#include <stdlib.h>

#define bug(what) (fprintf(stderr, "bug: %s at %s:%d\n", (what), __FILE__, __LINE__), abort())

#endif
