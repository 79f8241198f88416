/*
 * path.h -- what else a server may take a path for.
 *
 * Servers decode %XX, make one slash of several and leave "." segments out, or do not. We send
 * paths as they came; in strictest those of which the reading matters are refused.
 */
#ifndef HTTP_PATH_H
#define HTTP_PATH_H

#include <stdbool.h>

#include "base/span.h"

/* A ".." segment or a NUL, however they are written. */
bool http_path_is_devious(struct span path);

/* With all %XX decoded, backslashes as slashes, one slash for several, and without "."
 * segments; "*" stays. `out` has room for path.len bytes. */
struct span http_path_normal(struct span path, char *out);

#endif
