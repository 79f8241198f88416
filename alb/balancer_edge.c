/*
 * balancer_edge.c -- who may connect for a while: `alb edge add` and `remove`, and the end of it.
 *
 * As with targets, what is said is in the state file before it counts. A change is a view of its
 * own (edge.h), published to the loops; the command waits until it is in force.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"

#include "alb/balancer_private.h"
#include "alb/config.h"
#include "alb/edge.h"
#include "alb/state_file.h"
#include "alb/upgrade.h"

/* How long the timer sleeps at most: the wall clock may be set. */
enum { LOOK_S = 30 };

/* From the first WebSocket that begins after its peer has left until the loops look. */
static const double GATHER_S = 0.5;

static uint64_t now_s(void)
{
    return clock_wall_us() / 1000000;
}

/* --- the end ------------------------------------------------------------------------------ */

static void log_end(const struct edge_addition *item)
{
    char block[CIDR_TEXT_MAX];

    log_info("edge addition ended block=%s", cidr_format(&item->block, block));
}

/* When another process has taken over, the file is that one's. */
static void keep_quietly(const struct balancer *b)
{
    char why[512];

    if (balancer_serves(b) && b->state_path[0] != '\0' &&
        !state_file_write(b->state_path, &b->said, why, sizeof(why)))
        log_warn("%s", why);
}

/* The kernel's set is the other process's when that has taken over, or is about to. */
static bool extend_filter(struct balancer *b, const struct edge_additions *additions, char *why,
                          size_t size)
{
    return !balancer_serves(b) || upgrade_is_running(b) ||
           balancer_extend_edge_filter(b, b->config, additions, why, size);
}

static void settle_filter(struct balancer *b)
{
    if (balancer_serves(b) && !upgrade_is_running(b))
        balancer_settle_filters(b);
}

static uint64_t publish(struct balancer *b)
{
    settle_filter(b);
    b->edge_changed = true;
    return balancer_change_members(b);
}

static void set_timer(struct balancer *b);

static void on_timer(struct ev_loop *loop, ev_timer *timer, int revents)
{
    struct balancer *b = timer->data;
    char why[512];
    (void)loop;
    (void)revents;

    if (edge_additions_expire(&b->said.edge, now_s(), log_end) > 0) {
        keep_quietly(b);
        if (!extend_filter(b, &b->said.edge, why, sizeof(why)))
            log_warn("edge filter unchanged reason=\"%s\"", why);
        publish(b);
    }
    set_timer(b);
}

static double wait_s(uint64_t next_s)
{
    const uint64_t now_us = clock_wall_us(), next_us = next_s * 1000000;

    if (next_us <= now_us)
        return 0;
    return next_us - now_us > LOOK_S * UINT64_C(1000000) ? LOOK_S
                                                         : (double)(next_us - now_us) / 1e6;
}

static void set_timer(struct balancer *b)
{
    const uint64_t next_s = edge_additions_next_s(&b->said.edge);

    ev_timer_stop(b->control.ev, &b->edge_timer);
    if (next_s == UINT64_MAX)
        return;
    ev_timer_init(&b->edge_timer, on_timer, wait_s(next_s), 0);
    b->edge_timer.data = b;
    ev_timer_start(b->control.ev, &b->edge_timer);
}

void balancer_begin_edge(struct balancer *b)
{
    edge_additions_expire(&b->said.edge, now_s(), log_end);
    b->edge = edge_view_new(b->config, &b->said.edge);
    set_timer(b);
}

/* --- those who have left ------------------------------------------------------------------- */

static void on_leavers_timer(struct ev_loop *loop, ev_timer *timer, int revents)
{
    struct balancer *b = timer->data;
    (void)loop;
    (void)revents;

    atomic_store(&b->leaver_came, false);
    publish(b);
}

/* Others may come with it: from another process, or from loops that have the old set. */
static void wait_for_more(struct loop *loop, void *arg)
{
    struct balancer *b = loop->user;
    (void)arg;

    ev_timer_stop(loop->ev, &b->leavers_timer);
    ev_timer_init(&b->leavers_timer, on_leavers_timer, GATHER_S, 0);
    b->leavers_timer.data = b;
    ev_timer_start(loop->ev, &b->leavers_timer);
}

void balancer_leaver_came(struct balancer *b)
{
    if (!atomic_exchange(&b->leaver_came, true) && !loop_post(&b->control, wait_for_more, NULL))
        atomic_store(&b->leaver_came, false);
}

/* --- an order ------------------------------------------------------------------------------ */

/* What an order is about. */
struct subject {
    struct balancer *balancer;
    const struct edge_order *order;
    struct edge_outcome *outcome;
    struct cidr block;
    char text[CIDR_TEXT_MAX]; /* of the block */
    struct registrations next;
};

#define refuse(s, ...) balancer_refuse(&(s)->outcome->answer, __VA_ARGS__)
#define say(s, ...) balancer_say(&(s)->outcome->answer, __VA_ARGS__)

static bool find(struct subject *s)
{
    const struct balancer *b = s->balancer;
    char why[256];

    if (b->state != RUN_SERVING)
        return refuse(s, 503, "the balancer is shutting down");
    if (upgrade_is_running(b))
        return refuse(s, 409, "an upgrade is under way: try again");
    if (!cidr_parse(span_text(s->order->block), &s->block, why, sizeof(why)))
        return refuse(s, 400, "%s", why);
    cidr_format(&s->block, s->text);
    s->next = registrations_copy(&b->said);
    return true;
}

static bool add(struct subject *s)
{
    const struct edge_addition item = { .block = s->block, .until_s = now_s() + s->order->seconds };
    char until[CLOCK_TEXT_MAX], time[16];
    const struct edge_addition *before = edge_additions_find(&s->next.edge, &s->block);
    const char *verb = before == NULL ? "may connect" : "may still connect";

    if (s->balancer->config->edge_any)
        return refuse(s, 409, "everybody may connect already: allow = any");
    if (s->block.bits == 0)
        return refuse(s, 400, "%s is everybody: that is said in the configuration, allow = any",
                      s->text);
    if (!edge_additions_add(&s->next.edge, &item))
        return refuse(s, 409, "there are %d temporary additions already: remove some",
                      EDGE_ADDITIONS_MAX);
    return say(s, "%s %s for %s, until %.19sZ", s->text, verb,
               text_format_duration(s->order->seconds * 1000, time),
               clock_iso_us(item.until_s * 1000000, until));
}

static bool take_away(struct subject *s)
{
    struct edge_addition *item = edge_additions_find(&s->next.edge, &s->block);

    if (item == NULL)
        return refuse(s, 404,
                      "%s was not added for a while: `alb edge show` lists what was; what the "
                      "configuration admits is taken out there",
                      s->text);
    edge_additions_remove(&s->next.edge, item);
    return say(s,
               "%s may connect no more, but for what the configuration or another addition admits",
               s->text);
}

static bool keep(struct subject *s)
{
    struct order_answer *a = &s->outcome->answer;
    char why[512];

    if (!extend_filter(s->balancer, &s->next.edge, why, sizeof(why)))
        return refuse(s, 409, "%s", why);
    if (balancer_keep(s->balancer, &s->next, a))
        return true;
    if (extend_filter(s->balancer, &s->balancer->said.edge, why, sizeof(why))) /* as before */
        settle_filter(s->balancer);
    return false;
}

static void take(struct subject *s)
{
    struct balancer *b = s->balancer;
    const struct registrations before = b->said;

    b->said = s->next;
    s->next = before;
    log_info("edge addition %s block=%s seconds=%u", s->order->seconds > 0 ? "begins" : "removed",
             s->text, s->order->seconds);
    s->outcome->in_force = publish(b);
    set_timer(b);
}

void balancer_edge(struct balancer *b, const struct edge_order *order, struct edge_outcome *outcome)
{
    struct subject s = { .balancer = b, .order = order, .outcome = outcome };

    *outcome = (struct edge_outcome){ .answer.status = 200 };
    if (find(&s) && (order->seconds > 0 ? add(&s) : take_away(&s)) && keep(&s))
        take(&s);
    registrations_done(&s.next);
}
