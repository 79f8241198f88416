/* doctor_watch.c -- see doctor_watch.h. */
#include "alb/doctor_watch.h"

#include "base/list.h"
#include "base/mem.h"

#include "alb/doctor.h"
#include "alb/worker.h"

struct doctor_watch {
    struct wheel_timer timer;
    uint64_t until_ms; /* loop_mono_ms() */
    struct upgrade_case *c;
    void **slot; /* where the tunnel has it */
};

static void stop(struct doctor_watch *watch)
{
    wheel_stop(&worker_here->loop.wheel, &watch->timer);
    *watch->slot = NULL;
    upgrade_case_free(&watch->c);
    free(watch);
}

static void on_timer(struct wheel_timer *timer)
{
    stop(list_entry(timer, struct doctor_watch, timer));
}

void doctor_watch_begin(struct worker *w, struct upgrade_case **c, void **slot)
{
    *slot = NULL;
    if (*c == NULL || !(*c)->behind_edge || (*c)->offers_protocol) {
        upgrade_case_free(c);
        return;
    }
    struct doctor_watch *watch = mem_new(struct doctor_watch);
    watch->c = *c;
    watch->slot = slot;
    watch->until_ms = loop_mono_ms(&w->loop) + DOCTOR_WATCH_MS;
    wheel_timer_init(&watch->timer, on_timer);
    wheel_set(&w->loop.wheel, &watch->timer, DOCTOR_WATCH_MS);
    *c = NULL;
    *slot = watch;
}

void doctor_watch_end(struct worker *w, void **slot, enum tunnel_end end)
{
    struct doctor_watch *watch = *slot;
    const enum tunnel_party party = tunnel_end_party(end);

    if (watch == NULL)
        return;
    watch->c->detail = tunnel_end_name(end);
    if (loop_mono_ms(&w->loop) < watch->until_ms &&
        (party == PARTY_CLIENT || party == PARTY_TARGET))
        doctor_record(w, &watch->c, UPGRADE_ENDED_AT_ONCE, 101);
    stop(watch);
}
