/*
 * place.h -- the folder with the two files that the programs are started with.
 *
 * Each file is written beside its place and renamed there: whoever reads it sees all of it. They
 * are for their group (mode 0640), which the programs' users are in.
 */
#ifndef CONFIGURE_PLACE_H
#define CONFIGURE_PLACE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"

enum { PLACE_PATH_MAX = 4096 };

/* FOLDER/PROGRAM.ini, and the one beside it that is still to be checked. */
const char *place_path(const char *folder, const char *program, char out[PLACE_PATH_MAX]);
const char *place_draft_path(const char *folder, const char *program, char out[PLACE_PATH_MAX]);

/* Write the draft. False with a sentence in `why`. */
bool place_write_draft(const char *folder, const char *program, struct span text, char *why,
                       size_t why_size);

/* The draft becomes the file. */
bool place_use_draft(const char *folder, const char *program, char *why, size_t why_size);

/* Remove the draft, and the file: a program without one does not start. */
void place_drop_draft(const char *folder, const char *program);
void place_drop(const char *folder, const char *program);

#endif
