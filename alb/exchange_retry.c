/*
 * exchange_retry.c -- holding a target, and another one when it did not answer at all.
 *
 * Sent again is only what cannot do harm: an idempotent request without a body (RFC 9110
 * 9.2.2), of whose answer not one byte came. An upgrade is one; to it a 502 or 503 is no
 * answer either, but what a target says that starts, stops or is full. A kept connection that turns
 * out to be closed says nothing about the target, which gets the request once more over a fresh
 * one; then other targets, as many as retry.max says, none of them twice.
 */
#include "alb/exchange_private.h"

#include "alb/access_log.h"
#include "alb/balance.h"
#include "alb/config.h"
#include "alb/members.h"
#include "alb/target.h"
#include "alb/worker.h"

static bool is_idempotent(enum http_method method)
{
    return method == HTTP_GET || method == HTTP_HEAD || method == HTTP_OPTIONS ||
           method == HTTP_PUT || method == HTTP_DELETE;
}

/* Without a Host it is sent on with the target's address there. */
bool exchange_may_retry(const struct http_message *m, const struct group_options *options)
{
    return options->retry_max > 0 && m->framing == HTTP_BODY_NONE && is_idempotent(m->method_id) &&
           m->host.len > 0;
}

void exchange_hold(struct exchange *x, struct target *t)
{
    x->target = target_ref(t);
    metric_add(&t->counters.requests, 1);
    if (x->entry != NULL)
        x->entry->dispatched_us = 0;
}

void exchange_let_go(struct exchange *x)
{
    if (x->target == NULL)
        return;
    target_release(x->target);
    if (x->entry == NULL) {
        target_unref(&x->target);
        return;
    }
    target_unref(&x->entry->target); /* that of the try before */
    x->entry->target = x->target;
    x->target = NULL;
}

void exchange_name_target(struct exchange *x)
{
    if (x->entry == NULL || x->target == NULL)
        return;
    target_unref(&x->entry->target);
    x->entry->target = target_ref(x->target);
}

void exchange_dispatched(struct exchange *x)
{
    x->dispatched_us = loop_mono_us(&x->worker->loop);
    if (x->entry != NULL)
        x->entry->dispatched_us = x->dispatched_us;
    exchange_touch(x);
}

bool exchange_connect(struct exchange *x, bool fresh)
{
    const char *why = NULL;

    x->dispatched_us = 0;
    x->conn = target_conn_take(x->worker, x->target, x->tls, fresh, exchange_on_target, x, &why);
    if (x->conn == NULL) {
        metric_add(&x->target->counters.connection_errors, 1);
        return false;
    }
    if (!x->conn->is_connecting)
        exchange_dispatched(x);
    exchange_touch(x);
    return true;
}

/* --- another target ------------------------------------------------------------------ */

/* One of those that the group has now; NULL when none is left. */
static struct target *choose_other(const struct exchange *x)
{
    const struct worker *w = x->worker;
    const struct group_config *config = config_group(w->config, span_text(x->target->group));

    if (config == NULL)
        return NULL;
    const struct group *g = members_of(w->members, config);
    const struct choice choice = balance_choose_other(
        g, &(struct balance_again){ x->tried, x->tried_count, x->key, loop_mono_ms(&w->loop) });
    struct group_counters *n = &g->state->counters;
    metric_add(choice.target != NULL ? &n->retries : &n->retries_without_target, 1);
    return choice.target;
}

bool exchange_take_other(struct exchange *x)
{
    while (x->tries_left > 0) {
        x->tries_left--;
        x->tried[x->tried_count++] = x->target->id;
        struct target *other = choose_other(x);
        if (other == NULL)
            return false;
        target_conn_close(&x->conn);
        exchange_let_go(x);
        exchange_hold(x, other);
        sticky_move(&x->sticky);
        if (exchange_connect(x, true))
            return true;
    }
    return false;
}

/* The same target again, if only a kept connection was dead. */
static bool take_same(struct exchange *x)
{
    if (x->conn == NULL || !x->conn->was_used || x->conn->is_connecting)
        return false;
    target_conn_close(&x->conn);
    return exchange_connect(x, true);
}

/* Over the connection that it has now. */
static void send_again(struct exchange *x)
{
    x->scanned = 0;
    x->interim = 0;
    x->has_spoken = false;
    x->request_cut = false;
    buf_put(&x->conn->out, buf_data(&x->replay));
}

static bool try_again(struct exchange *x)
{
    if (buf_len(&x->replay) == 0 || x->has_spoken || !(take_same(x) || exchange_take_other(x)))
        return false;
    send_again(x);
    return true;
}

/* Nothing of it was said to the client, nor will be. */
static void forget_answer(struct exchange *x)
{
    struct access_entry *e = x->entry;

    if (e == NULL)
        return;
    e->answered_us = 0;
    e->target_status = e->elb_status = 0;
}

bool exchange_try_elsewhere(struct exchange *x, int status)
{
    if (!x->is_upgrade || (status != 502 && status != 503) || buf_len(&x->replay) == 0)
        return false;
    if (exchange_take_other(x)) {
        forget_answer(x);
        send_again(x);
        x->has_moved = true;
        return true;
    }
    if (x->conn != NULL)
        return false; /* there is no other: this is the answer */
    forget_answer(x);
    exchange_fail(x, 502, "target connect failed");
    return true;
}

void exchange_not_answered(struct exchange *x, int status, const char *why)
{
    if (x->state != EXCHANGE_RUNNING || try_again(x))
        return;
    x->is_unanswered = true;
    exchange_fail(x, status, why);
}
