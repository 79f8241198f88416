/*
 * new_file.h -- a file that takes the place of another in one step: whoever reads sees the old one
 * or the new one, whole, whatever happens in between.
 *
 *     new_file_write()     beside it, as PATH.new, on the disk
 *     new_file_replace()   and in its place
 *     new_file_discard()   or not
 */
#ifndef BASE_NEW_FILE_H
#define BASE_NEW_FILE_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/span.h"

struct new_file {
    char *path, *beside; /* owned */
};

/* With this mode; what was left there, by a crash or by others, gives way. False with errno:
 * nothing is left then, neither of the file nor in `f`. */
bool new_file_write(struct new_file *f, const char *path, struct span bytes, mode_t mode);

/* The same beside a file that is there, with its mode, and its owner and group as far as we may
 * give them; where a symbolic link leads. */
bool new_file_write_alike(struct new_file *f, const char *path, struct span bytes);

/* False with errno: the old one is there still, and the new one is gone. Frees what is in `f`. */
bool new_file_replace(struct new_file *f);
void new_file_discard(struct new_file *f);

#endif
