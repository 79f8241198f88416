/*
 * balancer_drain.c -- `alb drain` and `alb undrain`: what is said, kept and begun.
 *
 * A drained target keeps its place in its group and its health checks; it gets nothing new
 * until it is undrained. As with registrations, what is said is in the state file before it
 * counts.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"

#include "alb/balancer_private.h"
#include "alb/config.h"
#include "alb/group_health.h"
#include "alb/inherit.h"
#include "alb/members.h"
#include "alb/upgrade.h"

/* What an order is about. */
struct subject {
    struct balancer *balancer;
    const struct drain_request *order;
    struct drain_outcome *outcome;
    struct registrations next; /* what is to be */
    struct target **changed;   /* borrowed: those that it changes, group by group */
    size_t count;
};

#define refuse(s, ...) balancer_refuse(&(s)->outcome->answer, __VA_ARGS__)

/* "10.0.1.10:9001 of app", "app", "all target groups" */
static const char *name_of(const struct subject *s, char out[512])
{
    const struct drain_request *o = s->order;

    if (o->group == NULL)
        return "all target groups";
    if (o->target == NULL)
        return o->group;
    snprintf(out, 512, "%s of %s", s->count > 0 ? s->changed[0]->text : o->target, o->group);
    return out;
}

/* --- whom it changes ------------------------------------------------------------------------ */

static bool say(struct subject *s, struct target *t)
{
    struct registration item = { .is_drain = true };
    struct registration *said = registrations_find_drain(&s->next, t->group, t->text);
    char why[256];

    if ((said != NULL) == s->order->is_drain)
        return true;
    s->changed[s->count++] = t;
    if (said != NULL) {
        registrations_remove(&s->next, said);
        return true;
    }
    snprintf(item.group, sizeof(item.group), "%s", t->group);
    if (!target_name_parse(span_text(t->text), 0, &item.name, why, sizeof(why)))
        return refuse(s, 500, "%s", why);
    if (registrations_add(&s->next, &item))
        return true;
    return refuse(s, 409, "there are %d registered or drained targets already", REGISTRATIONS_MAX);
}

static bool say_group(struct subject *s, const struct group *g)
{
    for (size_t i = 0; i < g->count; i++) {
        if (!say(s, g->targets[i]))
            return false;
    }
    return true;
}

/* What was said of targets that are not there now goes as well. */
static void forget_absent(struct subject *s, const char *group)
{
    for (size_t i = s->next.count; i-- > 0;) {
        struct registration *item = &s->next.items[i];
        if (item->is_drain && (group == NULL || strcmp(item->group, group) == 0))
            registrations_remove(&s->next, item);
    }
}

static bool choose_groups(struct subject *s)
{
    const struct members *members = s->balancer->members;
    bool is_known = s->order->group == NULL;

    for (size_t i = 0; i < members->group_count; i++) {
        const struct group *g = &members->groups[i];
        if (s->order->group != NULL && strcmp(g->config->name, s->order->group) != 0)
            continue;
        is_known = true;
        if (!say_group(s, g))
            return false;
    }
    if (!is_known)
        return refuse(s, 404, "there is no target group of that name: `alb status` lists them");
    if (!s->order->is_drain)
        forget_absent(s, s->order->group);
    return true;
}

static bool choose_target(struct subject *s)
{
    const struct group_config *g = config_group(s->balancer->config, span_text(s->order->group));
    struct target_name name;
    char why[512];

    if (g == NULL)
        return refuse(s, 404, "there is no target group of that name: `alb status` lists them");
    if (strlen(s->order->target) >= TARGET_NAME_MAX)
        return refuse(s, 400, "a target has at most %d characters", TARGET_NAME_MAX - 1);
    if (!target_name_parse(span_text(s->order->target), g->options.port, &name, why, sizeof(why)))
        return refuse(s, 400, "%s", why);
    struct target *t = members_find(s->balancer->members, g, name.text);
    if (t == NULL)
        return refuse(s, 404, "%s is no target of %s: `alb status` lists them", name.text,
                      s->order->group);
    return say(s, t);
}

static bool choose(struct subject *s)
{
    const struct members *members = s->balancer->members;
    char name[512];
    size_t most = 0;

    if (s->balancer->state != RUN_SERVING)
        return refuse(s, 503, "the balancer is shutting down");
    if (upgrade_is_running(s->balancer) || inherit_is_taking_over(s->balancer->inherit))
        return refuse(s, 409, "an upgrade is under way: try again");
    for (size_t i = 0; i < members->group_count; i++)
        most += members->groups[i].count;
    s->changed = mem_array(struct target *, most);
    s->next = registrations_copy(&s->balancer->said);
    if (!(s->order->target != NULL ? choose_target(s) : choose_groups(s)))
        return false;
    if (s->count == 0)
        return refuse(s, 409,
                      s->order->is_drain ? "%s: drained already, or without targets"
                                         : "%s: not drained",
                      name_of(s, name));
    return true;
}

/* --- making it so ----------------------------------------------------------------------------- */

static void add_outlook(struct drain_outlook *to, const struct drain_outlook *o)
{
    to->targets += o->targets;
    to->tunnels += o->tunnels;
    to->cut_at_end += o->cut_at_end;
    to->rate = o->rate;
    to->is_cut = o->is_cut;
    to->window_ms = o->window_ms > to->window_ms ? o->window_ms : to->window_ms;
    to->delay_ms = o->delay_ms > to->delay_ms ? o->delay_ms : to->delay_ms;
}

static size_t same_group(const struct subject *s, size_t first)
{
    size_t n = 1;

    while (first + n < s->count &&
           strcmp(s->changed[first + n]->group, s->changed[first]->group) == 0)
        n++;
    return n;
}

static void begin_drains(struct subject *s)
{
    struct balancer *b = s->balancer;
    struct drain_plan plan = { .cause = DRAIN_COMMAND };

    balancer_share_pace(b, &plan, &b->config->alb.tunnel);
    for (size_t i = 0, n; i < s->count; i += n) {
        n = same_group(s, i);
        const struct group_options *options =
            &config_group(b->config, span_text(s->changed[i]->group))->options;
        plan.options = &options->tunnel;
        plan.delay_ms = options->deregistration_delay_ms;
        const struct drain_outlook o = balancer_drain_begin(b, s->changed + i, n, &plan);
        add_outlook(&s->outcome->outlook, &o);
    }
    pace_unref(&plan.shared);
}

static void mark(struct subject *s)
{
    for (size_t i = 0; i < s->count; i++) {
        struct target *t = s->changed[i];
        const struct group_config *config = config_group(s->balancer->config, span_text(t->group));
        group_set_drained(members_of(s->balancer->members, config), t, s->order->is_drain,
                          clock_mono_ms());
        if (!s->order->is_drain)
            balancer_drain_leave(s->balancer, t);
    }
}

/* "120 WebSockets: over 1m48s" */
static void describe_drain(struct subject *s)
{
    const struct drain_outlook *o = &s->outcome->outlook;
    char name[512], window[16], delay[16], how[64];

    if (o->is_cut)
        snprintf(how, sizeof(how), "they stay until then");
    else if (o->rate == 0)
        snprintf(how, sizeof(how), "told to come again over %s",
                 text_format_duration(o->window_ms, window));
    else
        snprintf(how, sizeof(how), "told to come again, %u a second at most", o->rate);
    snprintf(s->outcome->answer.text, sizeof(s->outcome->answer.text),
             "%s drains: %u target%s, %u WebSocket%s, %s; about %u will be cut at the end of %s",
             name_of(s, name), o->targets, o->targets == 1 ? "" : "s", o->tunnels,
             o->tunnels == 1 ? "" : "s", how, o->cut_at_end,
             text_format_duration(o->delay_ms, delay));
}

static void take(struct subject *s)
{
    const struct registrations before = s->balancer->said;
    char name[512];

    s->balancer->said = s->next;
    s->next = before;
    mark(s);
    if (s->order->is_drain) {
        begin_drains(s);
        describe_drain(s);
    } else {
        s->outcome->outlook.targets = (uint32_t)s->count;
        snprintf(s->outcome->answer.text, sizeof(s->outcome->answer.text),
                 "%s is not drained any more: %zu target%s", name_of(s, name), s->count,
                 s->count == 1 ? "" : "s");
    }
    log_info("%s outcome=\"%s\"", s->order->is_drain ? "drain" : "undrain",
             s->outcome->answer.text);
}

/* --- all of it: not before /ready has been 503 for a while
 * ---------------------------------------- */

static bool is_of_all(const struct drain_request *order)
{
    return order->group == NULL && order->target == NULL;
}

static void carry_out(struct balancer *b, const struct drain_request *order,
                      struct drain_outcome *outcome)
{
    struct subject s = { .balancer = b, .order = order, .outcome = outcome };

    if (choose(&s) && balancer_keep(b, &s.next, &outcome->answer))
        take(&s);
    registrations_done(&s.next);
    free(s.changed);
}

static void drain_all(struct balancer *b)
{
    const struct drain_request order = { .is_drain = true };
    struct drain_outcome outcome = { .answer.status = 200 };

    carry_out(b, &order, &outcome);
    if (outcome.answer.status != 200)
        log_warn("drain refused reason=\"%s\"", outcome.answer.text);
}

static void describe_wait(const struct subject *s)
{
    struct drain_outlook *o = &s->outcome->outlook;
    char wait[16];

    o->wait_ms = s->balancer->config->alb.shutdown_delay_ms;
    o->targets = (uint32_t)s->count;
    for (size_t i = 0; i < s->count; i++)
        o->tunnels += (uint32_t)target_tunnels(s->changed[i]);
    balancer_say(&s->outcome->answer,
                 "all target groups drain in %s: %u target%s, %u WebSocket%s now; until then "
                 "/ready is 503, and new connections are served",
                 text_format_duration(o->wait_ms, wait), o->targets, o->targets == 1 ? "" : "s",
                 o->tunnels, o->tunnels == 1 ? "" : "s");
}

/* False: it is to be carried out now, or refused. */
static bool is_to_wait(struct balancer *b, const struct drain_request *order,
                       struct drain_outcome *outcome)
{
    struct drain_outcome tried = { .answer.status = 200 };
    struct subject s = { .balancer = b, .order = order, .outcome = &tried };
    const bool waits =
        choose(&s) && !balancer_delays(b) && balancer_delay_begin(b, "drain", drain_all);

    if (waits) {
        describe_wait(&s);
        *outcome = tried;
    }
    registrations_done(&s.next);
    free(s.changed);
    return waits;
}

/* Nothing was drained yet, or what was before is not any more. */
static void call_off(struct balancer *b, const struct drain_request *order,
                     struct drain_outcome *outcome)
{
    balancer_delay_cancel(b);
    carry_out(b, order, outcome);
    if (outcome->answer.status != 409)
        return;
    outcome->answer.status = 200;
    balancer_say(&outcome->answer, "the drain of all target groups had not begun, and will not");
    log_info("undrain outcome=\"%s\"", outcome->answer.text);
}

void balancer_drain(struct balancer *b, const struct drain_request *order,
                    struct drain_outcome *outcome)
{
    const bool delays = is_of_all(order) && balancer_delays(b);

    *outcome = (struct drain_outcome){ .answer.status = 200 };
    if (delays && b->state == RUN_WAITING && order->is_drain) {
        balancer_delay_end(b);
        balancer_say(&outcome->answer, "it was about to stop, and drains now");
    } else if (delays && b->state == RUN_SERVING && !order->is_drain) {
        call_off(b, order, outcome);
    } else if (!is_of_all(order) || !order->is_drain || !is_to_wait(b, order, outcome)) {
        if (delays && b->state == RUN_SERVING)
            balancer_delay_cancel(b);
        carry_out(b, order, outcome);
    }
}
