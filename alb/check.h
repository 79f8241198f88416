/* check.h -- `alb check`: all that is wrong with a file, or that it is fine. */
#ifndef ALB_CHECK_H
#define ALB_CHECK_H

#include <stdbool.h>

struct check_options {
    bool as_aws; /* print each setting whose value is another than the managed balancer has: where
                    the file, or our default, differs from profile = aws */
    const char *name, *ca_file; /* as for check_certificates() */
};

/* Errors and warnings go to standard error, a summary of a good file to
 * standard output. Returns the exit status: 0 when the file would start, 1 when
 * not. Warnings alone do not count. */
int check_file(const char *path, const struct check_options *options);

#endif
