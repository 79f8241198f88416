/*
 * client_time.c -- what a connection does as time goes by: pings and their
 * answers, deadlines of each state, the drain.
 *
 * Traffic only leaves stamps behind. The timer of a client looks at them when
 * it fires, acts on what is due, and is set to what is due next.
 */
#include <stdio.h>

#include "base/bug.h"
#include "base/list.h"
#include "base/random.h"
#include "wsserver/client_core.h"
#include "wsserver/mode.h"
#include "wsserver/server.h"

enum {
    HTTP_HEAD_MS = 10000, /* for a request's head, from the first moment on */
    HTTP_IDLE_MS = 75000, /* between requests: longer than a balancer keeps them */
    CLOSE_MS = 5000,      /* for the peer's part of an end */
    PONG_MS = 10000,
};

/* Milliseconds from now until `at` + `ms`; 0 when that has passed. */
static uint32_t until(uint32_t now, uint32_t at, uint32_t ms)
{
    uint32_t passed = now - at;
    return passed >= ms ? 0 : ms - passed;
}

static uint32_t until_alarm(const struct client *c, uint32_t now)
{
    return (int32_t)(c->alarm_at - now) <= 0 ? 0 : c->alarm_at - now;
}

/* Silence in either direction, until the next ping or the end of waiting for
 * its answer. */
static uint32_t until_ping(const struct client *c, uint32_t now)
{
    uint32_t interval = client_worker(c)->server->options->ping_interval_ms;

    if (c->mode->is_silent)
        return UINT32_MAX;
    if (c->is_pinged)
        return until(now, c->pinged, PONG_MS);
    uint32_t quiet = now - c->sent > now - c->heard ? c->sent : c->heard;
    return until(now, quiet, interval);
}

uint32_t client_due_in(const struct client *c)
{
    uint32_t now = client_now(c), due;

    switch ((enum client_state)c->state) {
    case CLIENT_HTTP:
        return until(now, c->since, c->is_reused && c->in == NULL ? HTTP_IDLE_MS : HTTP_HEAD_MS);
    case CLIENT_OPEN:
        due = until_ping(c, now);
        return c->has_alarm && until_alarm(c, now) < due ? until_alarm(c, now) : due;
    case CLIENT_CLOSING:
    case CLIENT_FINISHING:
        return until(now, c->since, CLOSE_MS);
    }
    bug("unknown state");
}

static void ping_peer(struct client *c)
{
    c->is_pinged = true;
    c->pinged = client_now(c);
    if (c->mode->ping != NULL)
        c->mode->ping(c);
    client_send_control(c, WS_OP_PING, SPAN(""), false);
    metric_add(&client_worker(c)->counters.pings, 1);
}

static void close_for_restart(struct client *c)
{
    char reason[64];
    uint32_t others = atomic_load(&client_worker(c)->server->websockets);
    uint32_t spread = 1000 + (others < 10000 ? others : 10000) * 2;

    snprintf(reason, sizeof(reason), "restart;after=%u", (uint32_t)(random_jitter() % spread));
    client_close(c, WS_CLOSE_RESTART, reason);
}

static void on_open_timer(struct client *c)
{
    uint32_t now = client_now(c);

    if (c->has_alarm && until_alarm(c, now) == 0) {
        c->has_alarm = false;
        if (c->is_draining)
            close_for_restart(c);
        else if (c->mode->alarm != NULL)
            c->mode->alarm(c);
    }
    if (c->state != CLIENT_OPEN || until_ping(c, now) > 0)
        return;
    if (!c->is_pinged)
        ping_peer(c);
    else if (client_input_waits(c))
        c->pinged = now; /* its pong may lie unread in the kernel */
    else
        client_close(c, CLOSE_NO_PONG, "no pong");
}

void client_on_timer(struct wheel_timer *timer)
{
    struct client *c = list_entry(timer, struct client, timer);

    c->is_rearmed = true;
    client_touch(c);
    if (c->state == CLIENT_OPEN)
        on_open_timer(c);
    else if (client_due_in(c) == 0)
        client_end(c, c->state == CLIENT_HTTP && c->in == NULL ? CLIENT_ENDED : CLIENT_UNANSWERED);
}

void client_set_alarm(struct client *c, uint32_t ms)
{
    c->has_alarm = true;
    c->alarm_at = client_now(c) + ms;
    c->is_rearmed = true;
    client_touch(c);
}

void client_drain(struct client *c, uint32_t after_ms, uint32_t by_ms)
{
    if (c->state != CLIENT_OPEN)
        return;
    c->is_draining = true;
    bool can_move = c->mode->drain != NULL && c->mode->drain(c, after_ms, by_ms);
    client_set_alarm(c, can_move ? by_ms : after_ms);
}
