/* command.h -- `alb reload` and `alb status`: asking a running daemon over its
 * control socket. */
#ifndef ALB_COMMAND_H
#define ALB_COMMAND_H

/* Connect, send METHOD PATH, print the answer's body. Returns the exit code: 0
 * when the daemon says it was done, 1 otherwise, with a sentence on stderr when
 * nobody answers there. */
int command_run(const char *socket_path, const char *method, const char *path);

#endif
