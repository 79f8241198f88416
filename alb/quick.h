/*
 * quick.h -- `alb quick`: a configuration from the command line, for a laptop.
 *
 * What is made is an ordinary file with comments that teach: it is printed
 * before it is run, and may be kept and changed. Only this machine may connect,
 * unless more is asked for.
 */
#ifndef ALB_QUICK_H
#define ALB_QUICK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* How `alb quick` is used, for the help text; several lines. */
extern const char quick_usage[];

enum { QUICK_TEXT_MAX = 16384 };

/* `argv` holds the arguments after "quick". Host names are resolved here, which
 * may block. False with a sentence in `why`; `ini_text` is to be bounded by
 * QUICK_TEXT_MAX and is added to. */
bool quick_config(int argc, char **argv, struct buf *ini_text, char *why, size_t why_size);

#endif
