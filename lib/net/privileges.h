/*
 * privileges.h -- what the process may do beyond others, and how it gives that up.
 *
 * All of it is here. capabilities(7) are of a thread, and those that it starts get what it has:
 * give them up before there is a second thread.
 */
#ifndef NET_PRIVILEGES_H
#define NET_PRIVILEGES_H

#include <linux/capability.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A set of capabilities: a sum of these. */
#define PRIVILEGE(capability) (1ull << (capability))

/* Those that the thread can use. */
uint64_t privileges_now(void);

/* Give up all but those of `kept` that we have, for good: neither a program that we start (a file's
 * capabilities, set-user-ID) nor we ourselves can get another one. What is kept is passed on to
 * such a program, so that `alb upgrade` has it. False with a sentence when the kernel still shows
 * more: go no further. */
bool privileges_keep(uint64_t kept, char *why, size_t why_size);

#endif
