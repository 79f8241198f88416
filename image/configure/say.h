/* say.h -- what others have to say, in the log: one line each, under the name of the source. */
#ifndef CONFIGURE_SAY_H
#define CONFIGURE_SAY_H

#include "base/problems.h"
#include "base/span.h"

enum { SAY_LINES_MAX = 50 };

/* Each line of `text`, at most so many. `path` at the start of one is shown as `name`: the file
 * that a program checked is a piece of a text that came from there, with the same lines. */
void say_lines(struct span text, const char *path, const char *name);

void say_problems(struct problems *problems);

/* Lower-case hexadecimal digits of the SHA-256 of a text. */
enum { SAY_SHA256_MAX = 65 };
const char *say_sha256(struct span text, char out[SAY_SHA256_MAX]);

#endif
