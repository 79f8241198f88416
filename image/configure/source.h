/*
 * source.h -- the places that a configuration may come from, in the order in which they are asked.
 *
 *     credential   $CREDENTIALS_DIRECTORY/postern.ini
 *     nocloud      user-data of a disk labelled CIDATA, in a folder: who mounts it is the unit
 *     metadata     the instance metadata service, on machines that have one
 *
 * The first that has something is the source; one that cannot be read ends the search, since what
 * comes after it was not meant.
 */
#ifndef CONFIGURE_SOURCE_H
#define CONFIGURE_SOURCE_H

#include <stddef.h>

#include "base/span.h"
#include "net/addr.h"

enum { SOURCE_METADATA_MAX = 4 };

/* Where to look. */
struct source_places {
    const char *credentials; /* a folder; NULL: none */
    const char *nocloud;     /* a folder with `user-data`, or `error`: why it could not be read */
    const char *dmi;         /* machine.h */
    struct addr metadata[SOURCE_METADATA_MAX]; /* asked in turn */
    size_t metadata_count;
    unsigned metadata_wait_ms; /* for the first answer */
};

enum source_outcome {
    SOURCE_ABSENT, /* ask the next */
    SOURCE_FOUND,  /* `text` is it */
    SOURCE_FAILED, /* there is one, and it cannot be read: `why` */
};

struct source_text {
    char *bytes; /* owned; after SOURCE_FOUND */
    size_t len;
    char why[512];
};

struct source {
    const char *name; /* as logged: "metadata" */
    enum source_outcome (*read)(const struct source_places *places, struct source_text *text);
};

/* In their order; ends with a NULL name. */
extern const struct source sources[];

/* In source_metadata.c. */
enum source_outcome source_read_metadata(const struct source_places *places,
                                         struct source_text *text);

#endif
