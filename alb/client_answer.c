/*
 * client_answer.c -- what a request gets: the way through the rules to an action,
 * and the answers of our own.
 */
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "http/reply.h"
#include "ws/handshake.h"

#include "alb/client_private.h"
#include "alb/config.h"
#include "alb/doctor.h"
#include "alb/edge_secret.h"
#include "alb/headers.h"
#include "alb/leavers.h"
#include "alb/redirect.h"
#include "alb/regex.h"
#include "alb/route.h"
#include "alb/rules.h"
#include "alb/sticky.h"
#include "alb/viewer.h"
#include "alb/worker.h"

/* The Server field of all that alb says itself to clients: the managed balancer's. */
#define ALB_SERVER "awselb/2.0"

/* --- answers of our own ----------------------------------------------------- */

void client_count_status(struct client *c, int status)
{
    struct counters *n = &c->worker->counters;

    const struct {
        int status;
        metric_value *count;
    } errors[] = {
        { 500, &n->elb_500 }, { 502, &n->elb_502 }, { 503, &n->elb_503 }, { 504, &n->elb_504 }
    };

    for (size_t i = 0; status >= 500 && i < sizeof(errors) / sizeof(errors[0]); i++) {
        if (errors[i].status == status)
            metric_add(errors[i].count, 1);
    }
    if (status >= 500)
        metric_add(&n->elb_5xx, 1);
    else if (status >= 400)
        metric_add(&n->elb_4xx, 1);
    else if (status >= 300)
        metric_add(&n->elb_3xx, 1);
}

void client_count_class(struct client *c, const struct http_message *m)
{
    if (c->facts.ip.family == 6)
        metric_add(&c->worker->counters.ipv6_requests, 1);
    if (m->class_ != HTTP_COMPLIANT)
        metric_add(&c->worker->counters.desync_non_compliant, 1);
}

/* X-Amzn-Trace-Id of a request that no target sees, for the log: made as if one did. */
static struct span make_trace(const struct client *c, const struct http_message *m,
                              char text[TRACE_ID_MAX])
{
    if (!c->worker->config->alb.access_logs || m == NULL || !http_is_understood(m))
        return SPAN("");
    return headers_trace_id(m, loop_wall_us(&c->worker->loop) / 1000000, text);
}

/* The row of a request that never became an exchange; `m` is NULL when it did
 * not come whole. */
static void log_own(struct client *c, const struct http_message *m, const struct route *route,
                    int status, const char *why, enum access_action action)
{
    char text[TRACE_ID_MAX];
    const struct span trace = make_trace(c, m, text);
    struct access_entry *e = access_entry_new(c->worker, &c->facts, m, route, trace);
    if (e == NULL)
        return;
    e->elb_status = (uint16_t)status;
    e->received = c->asked;
    e->sent = buf_len(&c->out) - c->out_before;
    e->end = why;
    e->action = (uint8_t)action;
    access_log_row(c->worker, &e);
}

void client_log_own(struct client *c, const struct http_message *m, int status, const char *why)
{
    client_count_status(c, status);
    log_own(c, m, NULL, status, why, ACCESS_NONE);
}

void client_reply(struct client *c, struct http_reply *how)
{
    const struct listener_headers *listener = worker_listener_headers(c->worker, c->listener);

    how->server = listener->hides_server ? NULL : ALB_SERVER;
    how->more_fields = listener->lines;
    http_reply(&c->out, how);
    if (c->is_unproved)
        c->unproved_status = (uint16_t)how->status;
    else
        client_count_status(c, how->status);
}

void client_reply_error(struct client *c, int status, bool head_only)
{
    char page[HTTP_ERROR_PAGE_MAX];
    struct http_reply how = { .status = status, .head_only = head_only, .close = true };

    http_make_error_page(&how, page);
    client_reply(c, &how);
}

/* `route` is NULL when it did not come so far as to the rules; it has none when that failed. */
static void refuse(struct client *c, const struct http_message *m, const struct route *route,
                   int status, const char *why)
{
    const enum upgrade_failure failure =
        route == NULL ? UPGRADE_REQUEST_REFUSED : UPGRADE_RULE_FAILED;

    if (!client_upgrade_refused(c, m, route, failure, status, why))
        client_reply_error(c, status, m != NULL && m->method_id == HTTP_HEAD);
    log_own(c, m, route, status, why, ACCESS_NONE);
    client_change_state(c, LINGER);
}

void client_refuse(struct client *c, const struct http_message *m, int status, const char *why)
{
    refuse(c, m, NULL, status, why);
}

void client_refuse_head(struct client *c, const struct http_message *m, struct span head,
                        int status, const char *why)
{
    if (m != NULL && http_is_understood(m)) {
        client_refuse(c, m, status, why);
        return;
    }
    if (!client_upgrade_unread(c, head, status, why))
        client_reply_error(c, status, m != NULL && m->method_id == HTTP_HEAD);
    log_own(c, m, NULL, status, why, ACCESS_NONE);
    c->is_nonsense = true;
    client_change_state(c, LINGER);
}

static void refuse_upgrade(struct client *c, const struct http_message *m,
                           const struct route *route, enum ws_refusal refusal)
{
    const int status = ws_refusal_status(refusal);

    client_upgrade_refused(c, m, route, (enum upgrade_failure)refusal, status, NULL);
    log_own(c, m, NULL, status, ws_refusal_name(refusal), ACCESS_NONE);
    client_change_state(c, LINGER);
}

/* --- the actions ------------------------------------------------------------- */

static bool may_stay(const struct client *c)
{
    return !c->worker->is_draining && !(c->worker->is_leaving && c->stream.tls != NULL) &&
           !leaver_is_client(c->worker, &c->facts);
}

static bool may_keep_alive(const struct client *c, const struct http_message *m)
{
    const uint64_t age_ms = (clock_wall_us() - c->accepted_us) / 1000;

    if (worker_listener_is_gone(c->worker, c->listener))
        return false;
    return m->keep_alive && may_stay(c) && !m->must_close && age_ms < c->keep_alive_ms;
}

/* A body that came along is not read: the connection ends instead. */
static bool may_answer_and_go_on(const struct client *c, const struct http_message *m)
{
    return may_keep_alive(c, m) && m->framing == HTTP_BODY_NONE;
}

static void answer_fixed(struct client *c, const struct http_message *m, const struct route *route)
{
    const bool keep = may_answer_and_go_on(c, m);
    const struct action *a = &route->rule->action;
    struct doctor_text text;
    struct http_reply how = {
        .status = a->status,
        .content_type = span_text(a->content_type),
        .body = span_text(a->body),
        .head_only = m->method_id == HTTP_HEAD,
        .close = !keep,
    };

    client_upgrade_missed(c, m, route, &how, how.body.len > 0, &text);
    client_reply(c, &how);
    metric_add(&c->worker->counters.fixed_responses, 1);
    log_own(c, m, route, a->status, NULL, ACCESS_FIXED_RESPONSE);
    client_change_state(c, keep ? HEAD : LINGER);
}

static void send_redirect(struct client *c, const struct http_message *m, struct route *route,
                          struct span url)
{
    const bool keep = may_answer_and_go_on(c, m);
    const int status = route->rule->action.redirect->status;
    char page[HTTP_ERROR_PAGE_MAX], field[sizeof("Location: \r\n") + REDIRECT_LOCATION_MAX];
    struct doctor_text text;

    snprintf(field, sizeof(field), "Location: %.*s\r\n", SPAN_ARGS(url));
    struct http_reply how = {
        .status = status,
        .fields = field,
        .content_type = SPAN("text/html"),
        .body = http_error_page(status, page),
        .head_only = m->method_id == HTTP_HEAD,
        .close = !keep,
    };

    route->redirect_url = url;
    client_upgrade_missed(c, m, route, &how, false, &text);
    client_reply(c, &how);
    metric_add(&c->worker->counters.redirects, 1);
    log_own(c, m, route, status, NULL, ACCESS_REDIRECT);
    client_change_state(c, keep ? HEAD : LINGER);
}

static void answer_redirect(struct client *c, const struct http_message *m, struct route *route)
{
    const struct redirect_request request = {
        .is_https = c->facts.is_https,
        .host = condition_host(m->host),
        .port = c->facts.listener_port,
        .path = m->path,
        .query = m->query,
    };
    struct buf url;

    buf_init(&url, REDIRECT_LOCATION_MAX);
    switch (redirect_location(route->rule->action.redirect, &request, &url)) {
    case REDIRECT_MADE:
        send_redirect(c, m, route, buf_data(&url));
        break;
    case REDIRECT_TOO_LONG:
        metric_add(&c->worker->counters.redirects_too_long, 1);
        refuse(c, m, route, 414, "redirect URL too long");
        break;
    case REDIRECT_NO_HOST:
        refuse(c, m, route, 400, "no Host to redirect to");
        break;
    }
    buf_done(&url);
}

static void forward(struct client *c, const struct http_message *m, const struct route *route)
{
    const struct exchange_client lent = {
        .stream = &c->stream,
        .out = &c->out,
        .facts = &c->facts,
        .listener = c->listener,
        .wake = client_on_wake,
        .user = c,
        .keep_alive = may_keep_alive(c, m),
    };

    if (m->expect_continue && m->framing != HTTP_BODY_NONE)
        buf_put(&c->out, SPAN("HTTP/1.1 100 Continue\r\n\r\n"));
    const size_t said = buf_len(&c->out) - c->out_before;
    c->exchange = exchange_start(c->worker, &lent, m, route);
    exchange_count_sent(c->exchange, said);
    client_change_state(c, EXCHANGE);
}

/* What its rule changes, which group it is for, and there. */
static void rewrite_and_forward(struct client *c, struct http_message *m, struct route *route)
{
    struct worker *w = c->worker;
    enum ws_refusal refusal;

    if (ws_request_wants(m) && (refusal = ws_request_check(m)) != WS_OK) {
        refuse_upgrade(c, m, route, refusal);
        return;
    }
    if (!transform_apply(route->rule, m, w->config->alb.desync_mode == HTTP_STRICTEST, w->regex,
                         &w->rewritten, route)) {
        metric_add(&w->counters.transforms_failed, 1);
        refuse(c, m, route, 500, "transform failed");
        return;
    }
    sticky_choose_group(w, m, random_jitter(), route);
    const bool is_chosen = route->group != NULL;
    if (is_chosen && worker_listener_is_gone(w, c->listener)) /* then it is another snapshot's */
        route->group = config_group(w->config, span_text(route->group->name));
    if (!is_chosen)
        refuse(c, m, route, 503, "no target group has a weight");
    else if (route->group == NULL)
        refuse(c, m, route, 503, "target group removed");
    else if (route->group->options.protocol_version != VERSION_HTTP1)
        refuse(c, m, route, 464, "target group does not speak HTTP/1.1");
    else
        forward(c, m, route);
}

/* What no rule was found for must not go to the default: a rule that guards something may
 * have been meant. */
static void refuse_unfound(struct client *c, const struct http_message *m)
{
    const struct route none = { .rule = NULL };

    metric_add(&c->worker->counters.rules_too_costly, 1);
    refuse(c, m, &none, 500, "to find its rule costs too much");
}

/* It stays open for whoever may connect and only has the wrong secret, as behind any other page. */
static void refuse_secret(struct client *c, const struct http_message *m, const char *why)
{
    bool keep = may_answer_and_go_on(c, m);
    char page[HTTP_ERROR_PAGE_MAX];
    struct http_reply how = { .status = 403,
                              .head_only = m->method_id == HTTP_HEAD,
                              .no_store = true };

    if (client_upgrade_refused(c, m, NULL, UPGRADE_SECRET_NOT_MATCHED, 403, why)) {
        keep = false;
    } else {
        how.close = !keep;
        http_make_error_page(&how, page);
        client_reply(c, &how);
    }
    log_own(c, m, NULL, 403, why, ACCESS_NONE);
    client_change_state(c, keep ? HEAD : LINGER);
}

/* The header goes out of the message here, before anything else sees that. */
static bool refuse_without_secret(struct client *c, struct http_message *m)
{
    struct worker *w = c->worker;

    if (w->config->secret == NULL)
        return false;
    const enum secret_verdict verdict = edge_secret_take(w->config->secret, m);
    metric_add(&w->counters.secrets[verdict], 1);
    if (!secret_is_right(verdict))
        refuse_secret(c, m, secret_verdict_text(verdict));
    return !secret_is_right(verdict);
}

/* Requests that no rule sees. True when it was one, and is answered. */
static bool refuse_unrouted(struct client *c, const struct http_message *m,
                            const struct listener_config *listener)
{
    const char *why = "listener removed";
    const int status = listener == NULL ? 503 : rules_unrouted(m, &why);

    if (status != 0)
        client_refuse(c, m, status, why);
    return status != 0;
}

/* routing.http.drop_invalid_header_fields.enabled. */
static void treat_invalid_names(struct client *c, struct http_message *m)
{
    struct worker *w = c->worker;

    if (m->invalid_names == 0)
        return;
    if (w->config->alb.drop_invalid_header_fields) {
        http_drop_invalid_names(m);
        metric_add(&w->counters.dropped_invalid_header, 1);
    } else {
        metric_add(&w->counters.forwarded_invalid_header, 1);
    }
}

static void learn_viewer(struct client *c, const struct http_message *m)
{
    if (!viewer_learn(c->worker->config, m, &c->facts))
        metric_add(&c->worker->counters.viewers_unreadable, 1);
}

static void carry_out(struct client *c, struct http_message *m, struct route route)
{
    switch (route.rule->action.kind) {
    case ACTION_FORWARD:
        rewrite_and_forward(c, m, &route);
        break;
    case ACTION_REDIRECT:
        answer_redirect(c, m, &route);
        break;
    case ACTION_FIXED_RESPONSE:
        answer_fixed(c, m, &route);
        break;
    }
}

static void answer_by_rule(struct client *c, const struct listener_config *listener,
                           struct http_message *m)
{
    struct worker *w = c->worker;
    struct condition_request request;

    condition_request_init(&request, m, viewer_source(w->config, &c->facts), w->regex);
    const struct route route = { .rule = rules_match(listener, &request) };
    metric_add(&w->counters.rule_evaluations, rules_evaluated(listener, route.rule));
    const bool is_twofold = w->config->alb.desync_mode == HTTP_STRICTEST &&
                            rules_read_otherwise(listener, &request, route.rule);
    if (condition_request_is_spent(&request))
        refuse_unfound(c, m);
    else if (is_twofold)
        client_refuse(c, m, 400, RULES_WHY_TWOFOLD);
    else
        carry_out(c, m, route);
}

/* The way of a request: rules, then its action. */
void client_answer(struct client *c, struct http_message *m)
{
    const struct listener_config *listener = worker_listener_config(c->worker, c->listener);

    client_count_class(c, m);
    treat_invalid_names(c, m);
    learn_viewer(c, m);
    if (refuse_without_secret(c, m))
        return;
    if (refuse_unrouted(c, m, listener))
        return;
    headers_choose_host(m, &c->worker->config->alb);
    answer_by_rule(c, listener, m);
    const uint64_t exceeded = regex_scratch_take_exceeded(c->worker->regex);
    if (exceeded > 0)
        metric_add(&c->worker->counters.regex_exceeded, exceeded);
}
