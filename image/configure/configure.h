/*
 * configure.h -- a configuration for both programs, from the first source that has one.
 *
 *     source --> vet --> split --> each program checks its draft --> both files are replaced
 *
 * The built-in default, which accepts nobody, is written before all else: whatever fails, or
 * never ends, leaves it in force.
 */
#ifndef CONFIGURE_CONFIGURE_H
#define CONFIGURE_CONFIGURE_H

#include "image/configure/source.h"

struct configure {
    struct source_places places;
    const char *programs; /* the folder of alb and wsserver */
    const char *defaults; /* the folder of the built-in alb.ini and wsserver.ini */
    const char *out;      /* the folder for the two files */
};

/* The exit code: 0 with a configuration in force, or when no source has one; 1 when one was
 * refused, which the log explains. */
int configure_run(const struct configure *c);

#endif
