/*
 * wheel.h -- coarse timers for very many connections, one wheel a loop.
 *
 * A connection keeps a last-activity stamp and one wheel_timer. Traffic does
 * not touch the timer: when it fires early, the owner looks at the stamp and
 * sets it again for what is left. So a message costs no timer call, and a
 * hundred thousand timers cost one ev_timer.
 *
 * A timer fires at its time or up to WHEEL_TICK_MS later, never before. Time
 * is clock_mono_ms(). A callback may set or stop any timer, its own too, and
 * free what holds its own.
 */
#ifndef NET_WHEEL_H
#define NET_WHEEL_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

enum { WHEEL_TICK_MS = 100, WHEEL_SLOTS = 1024 };

struct wheel_timer;
typedef void wheel_fn(struct wheel_timer *timer);

struct wheel_timer {
    struct list link; /* in a slot while it is set */
    wheel_fn *fire;
    uint64_t due; /* in ticks */
};

struct wheel {
    struct ev_loop *loop;
    ev_timer tick; /* runs only while a timer is set */
    uint64_t now;  /* in ticks: all slots up to this one have fired */
    uint64_t count;
    struct list slots[WHEEL_SLOTS];
};

void wheel_init(struct wheel *w, struct ev_loop *loop);
void wheel_done(struct wheel *w);

void wheel_timer_init(struct wheel_timer *t, wheel_fn *fire);

/* (Re)set: `fire` is called once, after `ms`. May be called from `fire`. */
void wheel_set(struct wheel *w, struct wheel_timer *t, uint64_t ms);

/* Fire no later than at `due_ms` (by clock_mono_ms()): a timer that is set for
 * an earlier time stays as it is, and `fire` has to look what is due. So a time
 * that is put off with every byte costs a comparison, not a move; and the clock is not asked. */
void wheel_hasten(struct wheel *w, struct wheel_timer *t, uint64_t due_ms);

/* Harmless when it is not set. */
void wheel_stop(struct wheel *w, struct wheel_timer *t);

bool wheel_is_set(const struct wheel_timer *t);

#endif
