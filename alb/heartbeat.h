/*
 * heartbeat.h -- how long the WebSockets of a group are quiet, against their idle time-out.
 *
 * An application that says something every minute, behind a time-out of a minute, loses
 * sockets by chance. A quiet spell is the time from one byte of either side to the next;
 * those of over a second are counted. When the longest one in a hundred comes within a fifth
 * of the time-out, that is worth a warning: once, until the time-out is another, or an hour
 * has gone by without it.
 *
 * Loops count, the control thread looks. Pure but for the atomics.
 */
#ifndef ALB_HEARTBEAT_H
#define ALB_HEARTBEAT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    HEARTBEAT_LEAST_MS = 1000,
    HEARTBEAT_ENOUGH = 20,           /* spells, before anything is said of them */
    HEARTBEAT_HOUR_MS = 3600 * 1000, /* after so long spells are forgotten */
    HEARTBEAT_BUCKETS = 12 * 16,     /* from 1 to 4096 seconds, 16 for each doubling */
};

/* All zero is a fresh one. */
struct heartbeat {
    atomic_uint spells[HEARTBEAT_BUCKETS];
    uint64_t since_ms;   /* control thread: counted from here; 0: not looked at yet */
    uint32_t said_of_ms; /* control thread: the time-out that was warned of; 0: none */
};

/* A spell of at least HEARTBEAT_LEAST_MS. */
void heartbeat_note(struct heartbeat *h, uint32_t ms);

/* Of the spells, 99 in 100 are no longer than this, within a thirtieth; 0 while there are not
 * enough of them. */
uint32_t heartbeat_p99_ms(const struct heartbeat *h);

/* Is there something to warn of now? Then the caller does. `now_ms` is clock_mono_ms(). */
bool heartbeat_is_close(struct heartbeat *h, uint32_t idle_ms, uint64_t now_ms, uint32_t *p99_ms);

#endif
