/*
 * remote_dial.h -- connecting to where `alb --remote` goes: each address of its name in turn, in
 * bounded time.
 *
 * For commands: everything waits, and what goes wrong is told on stderr.
 */
#ifndef ALB_REMOTE_DIAL_H
#define ALB_REMOTE_DIAL_H

#include <stdbool.h>
#include <stdint.h>

#include "alb/remote_url.h"

/* The most for one address, and for a handshake. An address that others follow has half of the time
 * that is left at most. */
enum { REMOTE_CONNECT_MS = 10 * 1000 };

/* The connected descriptor, the caller's; -1 when no address takes a connection: each is told with
 * the reason. `end_ms` is by clock_mono_ms(). */
int remote_dial(const struct remote_url *url, uint64_t end_ms);

/* To the control socket; -1 with errno. */
int remote_dial_local(const char *path, uint64_t end_ms);

/* Wait for POLLIN or POLLOUT, for `most_ms` and until `end_ms`. False with EAGAIN when it does not
 * come. */
bool remote_wait(int fd, short events, uint32_t most_ms, uint64_t end_ms);

#endif
