/* client_upgrade.c -- requests for a WebSocket that are answered here, or by a rule. */
#include "ws/handshake.h"

#include "alb/client_private.h"
#include "alb/config.h"
#include "alb/doctor.h"
#include "alb/route.h"
#include "alb/rules.h"
#include "alb/upgrade_signs.h"
#include "alb/viewer.h"
#include "alb/worker.h"

static struct upgrade_case *case_of(struct client *c, const struct http_message *m,
                                    const struct route *route)
{
    if (m == NULL || !upgrade_is_asked(m))
        return NULL;
    return upgrade_case_new(&c->facts, c->listener, m, route, loop_wall_us(&c->worker->loop));
}

static enum rules_miss miss_of(struct client *c, const struct http_message *m,
                               const struct rule *answering)
{
    const struct listener_config *l = worker_listener_config(c->worker, c->listener);
    struct condition_request request;

    condition_request_init(&request, m, viewer_source(c->worker->config, &c->facts),
                           c->worker->regex);
    return l == NULL ? RULES_MISS_NOTHING : rules_miss_one(l, &request, answering);
}

/* The client has come by https, and only the last hop has not. */
static bool came_by_https(const struct client *c, const struct http_message *m)
{
    return c->facts.is_https || ws_behind_edge(m) ||
           (c->facts.is_believed &&
            span_equal_nocase(http_value(m, HTTP_N_X_FORWARDED_PROTO), SPAN("https")));
}

/* Take this off the front, in any case. */
static bool takes(struct span *url, struct span text)
{
    if (url->len < text.len || !span_equal_nocase(span_of(url->ptr, text.len), text))
        return false;
    *url = span_after(*url, text.len);
    return true;
}

/* A Location has its port always. */
static bool leads_back(const struct http_message *m, struct span url)
{
    return takes(&url, SPAN("https://")) && takes(&url, condition_host(m->host)) &&
           takes(&url, SPAN(":443")) && takes(&url, m->path) &&
           (m->query.len == 0 || takes(&url, SPAN("?"))) && span_equal(url, m->query);
}

static enum upgrade_failure failure_of(struct client *c, const struct http_message *m,
                                       const struct route *route)
{
    const enum rules_miss miss = miss_of(c, m, route->rule);

    if (miss != RULES_MISS_NOTHING)
        return miss == RULES_MISS_HOST ? UPGRADE_HOST_NOT_MATCHED : UPGRADE_HEADER_NOT_MATCHED;
    if (route->rule->action.kind == ACTION_FIXED_RESPONSE)
        return UPGRADE_FIXED_RESPONSE;
    return came_by_https(c, m) && leads_back(m, route->redirect_url) ? UPGRADE_REDIRECT_LOOP
                                                                     : UPGRADE_REDIRECTED;
}

void client_upgrade_missed(struct client *c, const struct http_message *m,
                           const struct route *route, struct http_reply *how, bool has_text,
                           struct doctor_text *text)
{
    struct upgrade_case *u = case_of(c, m, route);

    if (u == NULL)
        return;
    u->failure = (uint8_t)failure_of(c, m, route);
    doctor_comment(c->worker, u, how, has_text, text);
    doctor_record(c->worker, &u, (enum upgrade_failure)u->failure, how->status);
}

/* The answer, in the doctor's words. */
static void tell(struct client *c, struct upgrade_case *u, enum upgrade_failure failure, int status,
                 bool head_only)
{
    struct doctor_text text;
    struct http_reply how;

    u->failure = (uint8_t)failure;
    doctor_reply(c->worker, u, status, &how, &text);
    how.head_only = head_only;
    client_reply(c, &how);
    doctor_record(c->worker, &u, failure, status);
}

bool client_upgrade_refused(struct client *c, const struct http_message *m,
                            const struct route *route, enum upgrade_failure failure, int status,
                            const char *detail)
{
    struct upgrade_case *u = case_of(c, m, route);

    if (u == NULL)
        return false;
    u->detail = detail;
    tell(c, u, failure, status, m->method_id == HTTP_HEAD);
    return true;
}

/* NULL when it does not look as if it asked for a WebSocket. */
static struct upgrade_case *case_of_unread(struct client *c, struct span head, const char *why)
{
    struct upgrade_signs signs;

    upgrade_signs_read(head, &signs);
    if (!signs.asks)
        return NULL;
    struct upgrade_case *u =
        upgrade_case_unread(&c->facts, c->listener, &signs, loop_wall_us(&c->worker->loop));
    u->detail = why;
    return u;
}

bool client_upgrade_unread(struct client *c, struct span head, int status, const char *why)
{
    struct upgrade_case *u = case_of_unread(c, head, why);

    if (u == NULL)
        return false;
    tell(c, u, UPGRADE_REQUEST_REFUSED, status, false);
    return true;
}

void client_upgrade_torn(struct client *c, struct span head, const char *why)
{
    struct upgrade_case *u = case_of_unread(c, head, why);

    if (u == NULL)
        return;
    u->failure = UPGRADE_CLIENT_GONE;
    doctor_record(c->worker, &u, UPGRADE_CLIENT_GONE, 460);
}
