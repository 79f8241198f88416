/*
 * exchange_upgrade.c -- an exchange that asks for a WebSocket: what is kept of the request until
 * it has one, and why it got none.
 */
#include "base/random.h"
#include "http/message.h"

#include "alb/access_log.h"
#include "alb/config.h"
#include "alb/doctor.h"
#include "alb/exchange_private.h"
#include "alb/members.h"
#include "alb/route.h"
#include "alb/rules.h"
#include "alb/target.h"
#include "alb/worker.h"

/* The request is as it came: the default action rewrites nothing. */
static enum rules_miss miss_of(const struct exchange *x, const struct http_message *m)
{
    const struct listener_config *l = worker_listener_config(x->worker, x->client.listener);
    struct condition_request request;

    condition_request_init(&request, m, &x->client.facts->ip, x->worker->regex);
    return l == NULL ? RULES_MISS_NOTHING : rules_miss_one(l, &request, &l->fallback);
}

void exchange_upgrade_begin(struct exchange *x, const struct http_message *m,
                            const struct route *route)
{
    if (!upgrade_is_asked(m))
        return;
    x->upgrade = upgrade_case_new(x->client.facts, x->client.listener, m, route,
                                  loop_wall_us(&x->worker->loop));
    if (x->upgrade->rule == 0)
        x->upgrade->misses = (uint8_t)miss_of(x, m);
}

static uint64_t interval_ns(const struct group_config *group)
{
    const uint32_t rate = group->options.tunnel.upgrade_rate;

    return rate == 0 ? 0 : UINT64_C(1000000000) / rate;
}

void exchange_upgrade_put_off(struct exchange *x, const struct group_config *group)
{
    struct group_state *state = members_of(x->worker->members, group)->state;
    const uint64_t now_ns = loop_mono_us(&x->worker->loop) * 1000;

    metric_add(&state->counters.upgrades_limited, 1);
    x->upgrade_failure = UPGRADE_RATE_LIMITED;
    if (x->upgrade != NULL)
        x->upgrade->retry_after_s =
            admission_wait_s(&state->upgrades, interval_ns(group), now_ns, random_jitter());
}

bool exchange_upgrade_admit(struct exchange *x, const struct group_config *group)
{
    struct group_state *state = members_of(x->worker->members, group)->state;
    const uint64_t now_ns = loop_mono_us(&x->worker->loop) * 1000;

    if (!x->is_upgrade ||
        admission_take(&state->upgrades, interval_ns(group), UINT64_C(1000000000), now_ns))
        return true;
    exchange_upgrade_put_off(x, group);
    exchange_fail(x, 503, "websocket.upgrade_rate is reached");
    return false;
}

/* By where it stood when it ended, and the status that means. */
static enum upgrade_failure failure_of(const struct exchange *x)
{
    if (x->upgrade_failure != UPGRADE_FINE)
        return (enum upgrade_failure)x->upgrade_failure;
    if (x->status == 460)
        return UPGRADE_CLIENT_GONE;
    if (x->is_aborted)
        return UPGRADE_INTERRUPTED;
    if (x->status == 400)
        return UPGRADE_REQUEST_REFUSED;
    if (x->target == NULL)
        return UPGRADE_NO_TARGET;
    if (x->dispatched_us == 0)
        return UPGRADE_TARGET_UNREACHABLE;
    if (x->status == 504)
        return UPGRADE_TARGET_TIMEOUT;
    return x->is_unanswered ? UPGRADE_TARGET_NO_ANSWER : UPGRADE_TARGET_BAD_ANSWER;
}

/* The case has all that is known now. */
static void fill_in(struct exchange *x)
{
    struct upgrade_case *c = x->upgrade;

    c->failure = (uint8_t)failure_of(x);
    c->detail = c->failure < WS_REFUSALS ? NULL : x->why;
    target_key_unref(&c->target);
    c->target = x->target == NULL ? NULL : target_key_ref(x->target->key);
}

const struct upgrade_case *exchange_upgrade_failed(struct exchange *x)
{
    if (x->upgrade != NULL)
        fill_in(x);
    return x->upgrade;
}

void exchange_upgrade_answered(struct exchange *x, int status)
{
    if (x->upgrade == NULL)
        return;
    const uint8_t asked_wrongly = x->upgrade->failure;
    x->upgrade_failure = asked_wrongly != UPGRADE_FINE ? asked_wrongly : UPGRADE_TARGET_STATUS;
    x->upgrade->target_status = (uint16_t)status;
    fill_in(x);
    x->upgrade->detail = NULL;
    doctor_record(x->worker, &x->upgrade, (enum upgrade_failure)x->upgrade_failure, status);
}

struct upgrade_case *exchange_upgrade_take(struct exchange *x)
{
    struct upgrade_case *c = x->upgrade;

    if (c != NULL)
        fill_in(x);
    x->upgrade = NULL;
    return c;
}

void exchange_upgrade_end(struct exchange *x)
{
    if (x->upgrade != NULL && (x->state == EXCHANGE_FAILED || x->state == EXCHANGE_BROKEN)) {
        fill_in(x);
        doctor_record(x->worker, &x->upgrade, (enum upgrade_failure)x->upgrade->failure, x->status);
    }
    upgrade_case_free(&x->upgrade);
}
