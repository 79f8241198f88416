/*
 * leaving.h -- what listeners answered before they were removed, for the clients that they
 * still have.
 *
 * Who connected in time is to get what it asked for, not a refusal: so the configuration that
 * had the listener is kept for as long as a client that says nothing may stay. It answers one
 * request of each, then the connection is closed.
 *
 * A list is published beside the configuration, and immutable from then on. It holds references
 * to the configurations; they are the control thread's to count.
 */
#ifndef ALB_LEAVING_H
#define ALB_LEAVING_H

#include <stdint.h>

struct config;
struct leaving;
struct list;
struct listener;
struct listener_config;

/* The newest are kept, so that many reloads do not gather many configurations. */
enum { LEAVING_MOST = 8 };

/* What there is after a change: those of `before` (may be NULL) whose time is not over, and the
 * `listeners` (of struct listener) that `old` has and `now` has not. NULL when there are none.
 * Times are clock_mono_ms(). */
struct leaving *leaving_after(const struct leaving *before, const struct list *listeners,
                              struct config *old, const struct config *now, uint64_t now_ms);

/* NULL is fine; clears the variable. */
void leaving_free(struct leaving **leaving);

/* Until when the first of them is to be kept; UINT64_MAX when there is none. */
uint64_t leaving_until_ms(const struct leaving *leaving);

/* NULL when it is none of them. */
const struct listener_config *leaving_find(const struct leaving *leaving,
                                           const struct listener *listener);

#endif
