/*
 * wheel.c -- the timer wheel.
 *
 * A timer due at tick T sits in slot T mod WHEEL_SLOTS, whichever round T is
 * in: when the slot's turn comes, timers of a later round stay. The one
 * ev_timer is set anew for each boundary between ticks, as clock_mono_ms()
 * sees it, so that lateness does not add up.
 */
#include "base/clock.h"

#include "net/wheel.h"

static struct list *slot_of(struct wheel *w, uint64_t tick)
{
    return &w->slots[tick % WHEEL_SLOTS];
}

static void set_tick(struct wheel *w)
{
    uint64_t left_ms = WHEEL_TICK_MS - clock_mono_ms() % WHEEL_TICK_MS;
    ev_timer_set(&w->tick, (double)left_ms / 1000, 0);
    ev_timer_start(w->loop, &w->tick);
}

/* The timers that are due leave their slot first: what a callback sets in the
 * same slot is not for now, and what it stops leaves `ready` by its own link. */
static void fire_slot(struct wheel *w)
{
    struct list ready;
    list_init(&ready);

    list_each_safe (at, after, slot_of(w, w->now)) {
        if (list_entry(at, struct wheel_timer, link)->due <= w->now) {
            list_remove(at);
            list_append(&ready, at);
        }
    }
    while (!list_is_empty(&ready)) {
        struct wheel_timer *t = list_entry(ready.next, struct wheel_timer, link);
        wheel_stop(w, t);
        t->fire(t);
    }
}

static void on_tick(struct ev_loop *loop, ev_timer *timer, int revents)
{
    struct wheel *w = timer->data;
    uint64_t now = clock_mono_ms() / WHEEL_TICK_MS;
    (void)loop;
    (void)revents;

    while (w->now < now && w->count > 0) {
        w->now++;
        fire_slot(w);
    }
    /* A callback that set the first timer of an empty wheel started it again. */
    if (w->count > 0 && !ev_is_active(&w->tick))
        set_tick(w);
}

void wheel_init(struct wheel *w, struct ev_loop *loop)
{
    w->loop = loop;
    w->now = 0;
    w->count = 0;
    ev_timer_init(&w->tick, on_tick, 0, 0);
    w->tick.data = w;
    for (int i = 0; i < WHEEL_SLOTS; i++)
        list_init(&w->slots[i]);
}

void wheel_done(struct wheel *w)
{
    ev_timer_stop(w->loop, &w->tick);
}

void wheel_timer_init(struct wheel_timer *t, wheel_fn *fire)
{
    list_init(&t->link);
    t->fire = fire;
    t->due = 0;
}

static uint64_t tick_at(uint64_t ms)
{
    return (ms + WHEEL_TICK_MS - 1) / WHEEL_TICK_MS;
}

static void set_at(struct wheel *w, struct wheel_timer *t, uint64_t tick)
{
    wheel_stop(w, t);
    if (w->count == 0) {
        w->now = clock_mono_ms() / WHEEL_TICK_MS;
        if (!ev_is_active(&w->tick))
            set_tick(w);
    }
    w->count++;
    t->due = tick;
    if (t->due <= w->now) /* that slot has had its turn */
        t->due = w->now + 1;
    list_append(slot_of(w, t->due), &t->link);
}

void wheel_set(struct wheel *w, struct wheel_timer *t, uint64_t ms)
{
    set_at(w, t, tick_at(clock_mono_ms() + ms));
}

void wheel_hasten(struct wheel *w, struct wheel_timer *t, uint64_t due_ms)
{
    const uint64_t tick = tick_at(due_ms);

    if (!wheel_is_set(t) || t->due > tick)
        set_at(w, t, tick);
}

void wheel_stop(struct wheel *w, struct wheel_timer *t)
{
    if (!wheel_is_set(t))
        return;
    list_remove(&t->link);
    if (--w->count == 0)
        ev_timer_stop(w->loop, &w->tick);
}

bool wheel_is_set(const struct wheel_timer *t)
{
    return !list_is_empty(&t->link);
}
