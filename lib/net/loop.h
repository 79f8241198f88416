/*
 * loop.h -- one thread's world: an event loop, an inbox, a wheel, a scratch
 * buffer. Loops share nothing but what they post to each other.
 *
 * The inbox is a bounded queue with many producers (C11 acquire/release, no
 * lock); ev_async is only the wake-up. A full inbox refuses, so that whoever
 * posts decides what that means (admission control, a dropped log row).
 */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include <ev.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/queue.h"
#include "net/wheel.h"

enum { LOOP_SCRATCH_BYTES = 64 * 1024 };

struct loop;

/* Runs on the loop that it was posted to; `arg` belongs to it from then on. */
typedef void loop_fn(struct loop *loop, void *arg);

struct loop {
    struct ev_loop *ev;
    struct wheel wheel;
    char *scratch; /* LOOP_SCRATCH_BYTES, for the current callback only */
    void *user;    /* the program's per-loop state */
    int index;
    pthread_t thread;
    bool has_thread;
    ev_async wake;
    ev_check turn; /* stamps the two clocks, before the callbacks of each turn */
    uint64_t mono_us, mono_ms, wall_us;
    atomic_bool is_stopping;
    struct queue inbox;
};

/* An epoll loop that ignores LIBEV_FLAGS (this is a privileged daemon). To run
 * it on the thread that is there: ev_run(l->ev, 0). */
void loop_init(struct loop *l, int index, size_t inbox_size, void *user);

/* When nobody runs it or posts to it any more. Jobs that are left are dropped. */
void loop_done(struct loop *l);

/* Run it on a thread of its own, named `name` (15 characters show), with all
 * signals blocked. */
void loop_start(struct loop *l, const char *name);

/* From any thread: leave ev_run() after this turn. What the same thread posted
 * before still runs. */
void loop_stop(struct loop *l);
void loop_join(struct loop *l);

/* Run, on this thread, the jobs that came after its own had ended; or all, when
 * it never had one. Then loop_done(). */
void loop_run_left(struct loop *l);

/* From any thread. False when the inbox is full; nothing was taken then. Jobs
 * of one poster run in the order they were posted. */
bool loop_post(struct loop *l, loop_fn *run, void *arg);

/* Monotonic milliseconds, taken once a turn: cheap, good for activity stamps.
 * Not ev_now(), which follows the wall clock: a clock that is set at boot must
 * not make every quiet connection look idle. Wraps after 49 days; compare by
 * subtraction. Its own thread only. */
static inline uint32_t loop_now_ms(const struct loop *l)
{
    return (uint32_t)l->mono_ms;
}

/* The same, whole: what clock_mono_ms() said. */
static inline uint64_t loop_mono_ms(const struct loop *l)
{
    return l->mono_ms;
}

/* Microseconds of the same clock: how long something took, whatever happens to the
 * wall clock meanwhile. */
static inline uint64_t loop_mono_us(const struct loop *l)
{
    return l->mono_us;
}

/* clock_wall_us() as this turn began: for the times in logs. */
static inline uint64_t loop_wall_us(const struct loop *l)
{
    return l->wall_us;
}

#endif
