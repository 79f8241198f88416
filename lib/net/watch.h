/*
 * watch.h -- the events that a stream's owner waits for, told to the kernel when they change.
 *
 * A watcher that ev_io_set() has set anew is told to the kernel again, though it may know already:
 * a system call for nothing, and when the descriptor has only got another owner, one that fails.
 * So a watcher is set once, by ev_io_init(), and then changed and handed on here.
 */
#ifndef NET_WATCH_H
#define NET_WATCH_H

#include <ev.h>

#include "net/stream.h"

/* Wait for these (EV_READ, EV_WRITE) and for what the transport waits for; for none, not at all.
 * What TLS holds already counts as an event at once. */
void watch_stream(struct ev_loop *loop, ev_io *io, const struct stream *s, int events);

/* The stream gets another owner: `to` is a copy of `from`, which is stopped, and knows what the
 * kernel does. It is not started, and calls what `from` called until ev_set_cb(). */
void watch_hand_on(struct ev_loop *loop, ev_io *from, ev_io *to);

#endif
