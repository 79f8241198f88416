/*
 * health.c -- see health.h.
 *
 *     INITIAL ----- one pass -----> HEALTHY
 *        |                           ^   |
 *        |     healthy_threshold     |   | unhealthy_threshold
 *        |     passes in a row       |   | failures in a row
 *        +-- unhealthy_threshold --> UNHEALTHY
 *            failures in a row
 */
#include "alb/health.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "http/message.h"

#include "alb/anomaly_watch.h"
#include "alb/heartbeat_watch.h"
#include "alb/config.h"
#include "alb/group_health.h"
#include "alb/health_check.h"
#include "alb/members.h"
#include "alb/target.h"

enum { FIRST_CHECK_WITHIN_MS = 1000, DESCRIPTION_MAX = 160 };

struct health {
    struct ev_loop *loop;
    const struct members *members; /* borrowed: the newest; NULL at first */
    ev_timer look;                 /* for anomalies */
    struct list probes;
    struct http_message answer; /* scratch of one parse */
    health_told_fn *told;       /* NULL: nobody is */
    void *told_user;
    health_watch_fn *changed; /* NULL at first */
    void *changed_user;
};

struct probe {
    struct health *health;
    struct target *target;             /* borrowed: forgotten before it goes */
    const struct group *group;         /* borrowed: of the newest members */
    const struct group_config *config; /* borrowed: its */
    struct list link;
    ev_timer tick;
    struct health_check check;
    struct addr probed;        /* by the last check */
    bool is_https;             /* it was */
    uint32_t interval_ms;      /* that `tick` has */
    uint32_t passes, failures; /* in a row */
    bool is_followed;          /* by the configuration that is looked at */
    const char *reason;        /* of the last failure; a literal */
    char description[DESCRIPTION_MAX];
};

static void set_state(struct health *h, const struct group *g, struct target *t,
                      enum target_state state, const char *seen)
{
    if (!group_set_state(g, t, state, clock_mono_ms()))
        return;
    log_info("target %s group=%s target=%s check=\"%s\"", target_state_name(state), t->group,
             t->text, seen);
    if (h->changed != NULL)
        h->changed(h->changed_user, g);
}

static void count_pass(struct probe *p, const char *seen)
{
    const enum target_state state = target_health_of(p->target);

    p->failures = 0;
    p->passes++;
    if (state == TARGET_INITIAL ||
        (state == TARGET_UNHEALTHY && p->passes >= p->config->options.healthy_threshold))
        set_state(p->health, p->group, p->target, TARGET_HEALTHY, seen);
}

static void count_failure(struct probe *p)
{
    p->passes = 0;
    p->failures++;
    if (p->failures >= p->config->options.unhealthy_threshold)
        set_state(p->health, p->group, p->target, TARGET_UNHEALTHY, p->description);
}

static bool matches(const struct group_config *config, int status)
{
    for (size_t i = 0; i < config->matcher_count; i++) {
        if (status >= config->matcher[i].low && status <= config->matcher[i].high)
            return true;
    }
    return false;
}

/* Of a check for a WebSocket no status is a good one. */
static bool has_passed(const struct probe *p, const struct health_result *result)
{
    return result->outcome == HEALTH_PONGED ||
           (result->outcome == HEALTH_ANSWERED && !p->check.is_websocket &&
            matches(p->config, result->status));
}

static void tell(const struct probe *p, const struct health_result *result)
{
    const struct health_record record = {
        .target = p->target,
        .probed = &p->probed,
        .is_https = p->is_https,
        .passed = has_passed(p, result),
        .result = result,
    };

    if (p->health->told != NULL)
        p->health->told(p->health->told_user, &record);
}

static void on_answer(struct probe *p, const struct health_result *result)
{
    char seen[40];

    if (has_passed(p, result)) {
        snprintf(seen, sizeof(seen), "%s%d in %" PRIu64 " ms",
                 result->outcome == HEALTH_PONGED ? "pong after " : "", result->status,
                 result->took_us / 1000);
        count_pass(p, seen);
        return;
    }
    p->reason = "Target.ResponseCodeMismatch";
    snprintf(p->description, sizeof(p->description),
             "Health checks failed with these codes: [%d]%s", result->status,
             p->check.is_websocket ? ", which opens no WebSocket" : "");
    count_failure(p);
}

/* The length of a sentence, or of a part of one. */
static size_t without_stop(const char *why)
{
    const size_t len = strlen(why);

    return len > 0 && why[len - 1] == '.' ? len - 1 : len;
}

static void on_result(void *user, const struct health_result *result)
{
    struct probe *p = user;

    tell(p, result);
    switch (result->outcome) {
    case HEALTH_ANSWERED:
    case HEALTH_PONGED:
        on_answer(p, result);
        return;
    case HEALTH_TIMED_OUT:
        p->reason = "Target.Timeout";
        snprintf(p->description, sizeof(p->description), "%s", result->why);
        count_failure(p);
        return;
    case HEALTH_CUT:
    case HEALTH_FAILED:
        p->reason = "Target.FailedHealthChecks";
        snprintf(p->description, sizeof(p->description), "Health checks failed: %.*s",
                 (int)without_stop(result->why), result->why);
        count_failure(p);
        return;
    case HEALTH_NOT_MADE:
        log_warn("health check not made group=%s target=%s reason=\"%s\"", p->target->group,
                 p->target->text, result->why);
        return;
    }
    bug("unknown outcome of a health check");
}

/* A check that still runs (its timeout is longer than the interval) keeps its
 * turn: the rhythm does not shift. */
static void on_tick(struct ev_loop *loop, ev_timer *timer, int revents)
{
    struct probe *p = timer->data;
    const struct group_config *config = p->config;
    (void)loop;
    (void)revents;

    if (p->check.is_running)
        return;
    p->probed = p->target->addr;
    if (config->health_port != 0)
        addr_set_port(&p->probed, config->health_port);
    p->is_https = config->health_tls != NULL;
    const struct health_question q = {
        .target = &p->probed,
        .path = config->options.health_path,
        .timeout_ms = config->options.health_timeout_ms,
        .is_websocket = config->options.health_websocket,
        .tls = config->health_tls,
        .resume = p->target->tls,
    };
    health_check_start(&p->check, &q);
}

/* --- starting, changing, stopping ----------------------------------------------- */

/* At random within the interval, but at most a second: a new target should not
 * wait for its turn. */
static void set_rhythm(struct probe *p, uint32_t interval_ms)
{
    const uint32_t within =
        interval_ms < FIRST_CHECK_WITHIN_MS ? interval_ms : FIRST_CHECK_WITHIN_MS;
    const double first_ms = (double)(random_jitter() % within);

    p->interval_ms = interval_ms;
    ev_timer_stop(p->health->loop, &p->tick);
    ev_timer_set(&p->tick, first_ms / 1000.0, interval_ms / 1000.0);
    ev_timer_start(p->health->loop, &p->tick);
}

static struct probe *probe_new(struct health *h, struct target *t)
{
    struct probe *p = mem_new(struct probe);

    p->health = h;
    p->target = t;
    t->probe = p;
    list_append(&h->probes, &p->link);
    ev_timer_init(&p->tick, on_tick, 0, 0);
    p->tick.data = p;
    health_check_init(&p->check, h->loop, &h->answer, on_result, p);
    atomic_store(&t->state, TARGET_INITIAL);
    return p;
}

static void probe_free(struct probe *p)
{
    health_check_cancel(&p->check);
    ev_timer_stop(p->health->loop, &p->tick);
    list_remove(&p->link);
    p->target->probe = NULL;
    free(p);
}

/* The managed balancer lets no target start slowly that was registered while the group had
 * nobody else: `had_warm` is about the time before. */
static void follow_new(struct target *t, bool had_warm)
{
    if (t->probe == NULL && target_health_of(t) == TARGET_INITIAL)
        t->starts_warm = !had_warm;
}

static void follow_target(struct health *h, const struct group *g, struct target *t, bool had_warm)
{
    const struct group_options *options = &g->config->options;

    follow_new(t, had_warm);
    if (!g->config->is_used || !options->health_enabled) {
        health_forget(h, t);
        set_state(h, g, t, g->config->is_used ? TARGET_UNAVAILABLE : TARGET_UNUSED, "off");
        return;
    }
    struct probe *p = t->probe != NULL ? t->probe : probe_new(h, t);
    p->group = g;
    p->config = g->config;
    p->is_followed = true;
    if (p->interval_ms != options->health_interval_ms)
        set_rhythm(p, options->health_interval_ms);
}

void health_follow(struct health *h, const struct members *members)
{
    h->members = members;
    list_each (at, &h->probes)
        list_entry(at, struct probe, link)->is_followed = false;
    for (size_t i = 0; i < members->group_count; i++) {
        const struct group *g = &members->groups[i];
        const bool had_warm = group_has_warm(g, clock_mono_ms());
        for (size_t j = 0; j < g->count; j++)
            follow_target(h, g, g->targets[j], had_warm);
        group_review(g);
    }
    list_each_safe (at, after, &h->probes) {
        struct probe *p = list_entry(at, struct probe, link);
        if (!p->is_followed)
            probe_free(p);
    }
}

void health_forget(struct health *h, struct target *target)
{
    (void)h;
    if (target->probe != NULL)
        probe_free(target->probe);
}

static void on_look(struct ev_loop *loop, ev_timer *timer, int revents)
{
    const struct health *h = timer->data;
    (void)loop;
    (void)revents;

    if (h->members == NULL)
        return;
    anomaly_watch_look(h->members);
    heartbeat_watch_look(h->members);
}

struct health *health_new(struct ev_loop *loop)
{
    struct health *h = mem_new(struct health);

    h->loop = loop;
    list_init(&h->probes);
    ev_timer_init(&h->look, on_look, ANOMALY_LOOK_MS / 1000.0, ANOMALY_LOOK_MS / 1000.0);
    h->look.data = h;
    ev_timer_start(loop, &h->look);
    return h;
}

void health_tell(struct health *h, health_told_fn *told, void *user)
{
    h->told = told;
    h->told_user = user;
}

void health_watch(struct health *h, health_watch_fn *changed, void *user)
{
    h->changed = changed;
    h->changed_user = user;
}

void health_free(struct health **health)
{
    struct health *h = *health;

    *health = NULL;
    if (h == NULL)
        return;
    ev_timer_stop(h->loop, &h->look);
    list_each_safe (at, after, &h->probes)
        probe_free(list_entry(at, struct probe, link));
    free(h);
}

/* --- for people ------------------------------------------------------------------ */

/* Here, and not only in the process before this one. */
static bool has_failed(const struct target *t)
{
    return t->probe != NULL && t->probe->reason != NULL;
}

const char *health_reason(const struct target *t)
{
    switch (target_state_of(t)) {
    case TARGET_INITIAL:
        return t->probe == NULL ? "Elb.RegistrationInProgress" : "Elb.InitialHealthChecking";
    case TARGET_HEALTHY:
        return "";
    case TARGET_UNHEALTHY:
        return has_failed(t) ? t->probe->reason : "Target.FailedHealthChecks";
    case TARGET_UNUSED:
        return "Target.NotInUse";
    case TARGET_DRAINING:
        return target_is_drained(t) ? "Target.Drained" : "Target.DeregistrationInProgress";
    case TARGET_UNAVAILABLE:
        return "Target.HealthCheckDisabled";
    }
    bug("unknown target state");
}

const char *health_description(const struct target *t)
{
    switch (target_state_of(t)) {
    case TARGET_INITIAL:
        return t->probe == NULL ? "Target registration is in progress"
                                : "Initial health checks in progress";
    case TARGET_HEALTHY:
        return "";
    case TARGET_UNHEALTHY:
        return has_failed(t) ? t->probe->description : "Health checks failed";
    case TARGET_UNUSED:
        return "Target group is not configured to receive traffic from the load balancer";
    case TARGET_DRAINING:
        return target_is_drained(t) ? "Drained by command until `alb undrain`"
                                    : "Target deregistration is in progress";
    case TARGET_UNAVAILABLE:
        return "Health checks are disabled for this target";
    }
    bug("unknown target state");
}
