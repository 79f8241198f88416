/*
 * explain.h -- `alb explain`: which rule answers a request, and why. Sends nothing.
 *
 *     alb explain FILE METHOD URL ['Name: value' ...] [--from IP] [--listener NAME]
 *
 * The request goes through the same parser, rules, transforms and actions as one
 * from the network. Every rule is tried in order, and the condition that does not
 * hold is named with what the request has in its place. Of a group with consistent_hash it says
 * whose the request's key is.
 */
#ifndef ALB_EXPLAIN_H
#define ALB_EXPLAIN_H

/* `argv` holds the arguments after "explain". What comes of it goes to standard
 * output. Returns the exit status: 0 when a rule or a default action answers, 1
 * when the request is refused before, or the file or the arguments are wrong. */
int explain_run(int argc, char **argv);

#endif
