/*
 * problems.h -- everything that is wrong with a configuration, in one list.
 *
 * A bad file is refused as a whole, and whoever wrote it wants to see all of
 * its errors at once. Each has a place ("alb.ini:12") and a sentence that
 * names the cure. Warnings are kept in the same list but refuse nothing.
 */
#ifndef BASE_PROBLEMS_H
#define BASE_PROBLEMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct problem {
    char *text; /* owned: "alb.ini:12: ..." */
    int line;   /* 0 when it is about the whole file */
    bool is_warning;
};

struct problems {
    const char *file; /* borrowed; put before each sentence */
    struct problem *items;
    size_t count, errors;
};

void problems_init(struct problems *p, const char *file);
void problems_done(struct problems *p);

void problems_error(struct problems *p, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void problems_warning(struct problems *p, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* In the order of their lines; a warning reads "alb.ini:3: warning: ...". */
void problems_print(struct problems *p, FILE *to);

#endif
