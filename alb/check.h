/* check.h -- `alb check`: all that is wrong with a file, or that it is fine. */
#ifndef ALB_CHECK_H
#define ALB_CHECK_H

/* Errors and warnings go to standard error, a summary of a good file to
 * standard output. Returns the exit status: 0 when the file would start, 1 when
 * not. Warnings alone do not count. */
int check_file(const char *path);

#endif
