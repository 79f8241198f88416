/*
 * state_file.h -- registrations on the disk (registrations.h has the text).
 *
 * A change is written beside the file, synced and renamed over it: after a crash at any
 * moment the file is what it was before the change, or after it. Control thread.
 */
#ifndef ALB_STATE_FILE_H
#define ALB_STATE_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/problems.h"

struct registrations;

/* Into an empty set; a file that is not there is one. False with an error in `problems`,
 * whose file is `path`. */
bool state_file_read(const char *path, struct registrations *r, struct problems *problems);

/* False with a sentence; the file is as it was then. */
bool state_file_write(const char *path, const struct registrations *r, char *why, size_t why_size);

#endif
