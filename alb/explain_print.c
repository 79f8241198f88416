/* explain_print.c -- see explain.h: the rules, one by one, and what comes of them. */
#include <stdio.h>

#include "base/buf.h"
#include "base/mem.h"
#include "ws/handshake.h"

#include "alb/explain_private.h"
#include "alb/redirect.h"
#include "alb/regex.h"
#include "alb/route.h"
#include "alb/rules.h"
#include "alb/transform.h"
#include "alb/viewer.h"

static void print_span(struct span text)
{
    printf("%.*s", SPAN_ARGS(text));
}

/* --- the request ------------------------------------------------------------------------ */

static void print_class(const struct http_message *m)
{
    if (m->class_ == HTTP_COMPLIANT)
        printf("class     Compliant\n");
    else
        printf("class     %s: %s\n", http_class_name(m->class_), http_reason_name(m->reason));
}

static void print_peer(const struct explanation *x)
{
    char text[IP_TEXT_MAX];

    printf("from      %s%s\n", ip_format(&x->client.ip, text),
           x->has_peer ? "" : " (say --from IP for another)");
    if (x->has_peer && !config_admits(x->config, &x->client.ip))
        printf("          not in the edge set: nothing of it would be read\n");
}

/* By whose address source-ip goes, if that is not the peer's. */
static void print_viewer(const struct explanation *x)
{
    const bool is_source = x->config->edge_options.source_ip == SOURCE_VIEWER;
    const struct ip *viewer = &x->client.viewer.ip;
    char text[IP_TEXT_MAX];

    if (viewer->family != 0)
        printf("viewer    %s%s\n", ip_format(viewer, text),
               is_source ? ", which source-ip compares" : "");
    else if (is_source)
        printf("viewer    not known: %s\n",
               x->client.is_believed ? "no source-ip holds" : "trust does not name the peer");
    if (!x->viewer_is_readable)
        printf("          what the peer says of the viewer cannot be read\n");
}

static void print_request(const struct explanation *x)
{
    const struct http_message *m = x->message;

    printf("request   %.*s %.*s%s%.*s\n", SPAN_ARGS(m->method), SPAN_ARGS(m->path),
           m->has_query ? "?" : "", m->has_query ? (int)m->query.len : 0,
           m->has_query ? m->query.ptr : "");
    printf("host      %.*s\n", SPAN_ARGS(m->host));
    for (size_t i = 0; i < m->field_count; i++) {
        if (m->fields[i].id != HTTP_N_HOST)
            printf("header    %.*s: %.*s\n", SPAN_ARGS(m->fields[i].name),
                   SPAN_ARGS(m->fields[i].value));
    }
    print_class(m);
    print_peer(x);
    print_viewer(x);
    printf("listener  %s (%s %s), %s\n", x->listener->name,
           x->listener->options.protocol == PROTOCOL_HTTPS ? "HTTPS" : "HTTP",
           x->listener->options.bind, x->listener_why);
}

/* The header itself is taken out already. False: the request gets no further. */
static bool print_secret(const struct explanation *x)
{
    const struct span header =
        x->config->secret == NULL ? SPAN("") : edge_secret_header(x->config->secret);

    if (header.len == 0)
        return true;
    if (x->secret == SECRET_MISSING)
        printf(
            "secret    %.*s is asked for: 403 to whoever does not send it; from here on as if it "
            "were there\n",
            SPAN_ARGS(header));
    else if (secret_is_right(x->secret))
        printf("secret    %.*s has the value on line %d of secret_file\n", SPAN_ARGS(header),
               x->secret == SECRET_RIGHT_FIRST ? 1 : 2);
    else
        printf("answer    403 before any rule: %s in %.*s\n", secret_verdict_text(x->secret),
               SPAN_ARGS(header));
    return x->secret != SECRET_WRONG;
}

void explain_print_refused(const struct explanation *x)
{
    print_class(x->message);
    printf("answer    %d before any rule: %s\n", x->message->refuse_status, x->message->refuse_why);
}

/* --- conditions ------------------------------------------------------------------------- */

static void print_condition(const struct condition *c)
{
    printf("  %s", c->setting);
    if (c->name != NULL)
        printf(" %s", c->name);
    for (size_t i = 0; i < c->count; i++) {
        const struct condition_value *v = &c->values[i];
        printf("%s %s%s%s", i == 0 ? "" : " or", v->key == NULL ? "" : v->key,
               v->key == NULL ? "" : "=", v->text);
    }
}

static void print_header(const struct condition *c, const struct http_message *m)
{
    const struct http_field *f = http_find_named(m, span_text(c->name), NULL);

    if (f == NULL)
        printf("there is no %s", c->name);
    for (; f != NULL; f = http_find_named(m, span_text(c->name), f)) {
        printf("%s is ", c->name);
        print_span(f->value);
        if (http_find_named(m, span_text(c->name), f) != NULL)
            printf(", ");
    }
}

/* What the request has where a condition looks. */
static void print_found(const struct condition *c, struct condition_request *r)
{
    const struct http_message *m = r->message;
    char ip[IP_TEXT_MAX];

    switch (c->kind) {
    case CONDITION_HOST:
        printf("the host is %.*s", SPAN_ARGS(r->host));
        break;
    case CONDITION_PATH:
        printf("the path is %.*s", SPAN_ARGS(m->path));
        break;
    case CONDITION_METHOD:
        printf("the method is %.*s", SPAN_ARGS(m->method));
        break;
    case CONDITION_SOURCE_IP:
        printf("the address is %s", ip_format(r->peer, ip));
        break;
    case CONDITION_HEADER:
        print_header(c, m);
        break;
    case CONDITION_QUERY:
        printf(m->has_query ? "the query is " : "there is no query");
        print_span(m->has_query ? m->query : SPAN(""));
        break;
    }
}

/* Up to the first that does not hold. */
static bool print_rule(const struct explanation *x, const struct rule *rule,
                       struct condition_request *r)
{
    printf("\nrule %s, priority %u (%s:%d)\n", rule->name, rule->priority, x->file, rule->line);
    for (size_t i = 0; i < rule->condition_count; i++) {
        const bool holds = condition_holds(&rule->conditions[i], r);
        print_condition(&rule->conditions[i]);
        printf(": %s: ", holds ? "yes" : "no");
        print_found(&rule->conditions[i], r);
        printf(regex_scratch_take_exceeded(r->scratch) > 0 ? " (the regex gave up)\n" : "\n");
        if (!holds)
            return false;
    }
    printf("  it answers\n");
    return true;
}

/* --- actions ---------------------------------------------------------------------------- */

static void print_targets(const struct explanation *x, const struct group_config *g)
{
    uint32_t sum = 0;

    for (size_t i = 0; i < g->target_count; i++)
        sum += g->targets[i].weight;
    if (g->target_count == 0)
        printf("    no target in the file\n");
    for (size_t i = 0; i < g->target_count; i++) {
        const struct target_config *t = &g->targets[i];
        printf("    target %s, weight %u: %.1f %%\n", t->name.text, t->weight,
               sum == 0 ? 0.0 : 100.0 * t->weight / sum);
    }
    if (g->target_count > 0)
        printf("    of those that are healthy, which only a running alb knows\n");
    if (g->options.algorithm == CONSISTENT_HASH)
        explain_print_hash(x, g);
    if (g->options.stickiness)
        printf("    a client with %s goes back to its target\n",
               g->options.stickiness_type == STICKINESS_TYPE_APP_COOKIE
                   ? "the application's cookie and that of this group"
                   : "a cookie of this group");
}

static bool print_transforms(const struct explanation *x, struct route *route,
                             struct regex_scratch *scratch)
{
    struct transform_texts *texts = mem_new(struct transform_texts);
    const bool strictest = x->config->alb.desync_mode == HTTP_STRICTEST;
    const bool ok = transform_apply(route->rule, x->message, strictest, scratch, texts, route);

    if (route->transformed_host.len > 0)
        printf("transform host-header-rewrite: Host: %.*s\n", SPAN_ARGS(route->transformed_host));
    if (route->transformed_uri.len > 0)
        printf("transform url-rewrite: %.*s\n", SPAN_ARGS(route->transformed_uri));
    if (!ok)
        printf("answer    500: %s\n", route->transform_status);
    else if (route->transform_status == NULL &&
             (route->rule->host_rewrite != NULL || route->rule->url_rewrite != NULL))
        printf("transform none matches\n");
    mem_free(texts);
    return ok;
}

static void print_forward(const struct explanation *x, struct route *route,
                          struct regex_scratch *scratch)
{
    const struct action *a = &route->rule->action;
    enum ws_refusal refusal;

    if (ws_request_wants(x->message) && (refusal = ws_request_check(x->message)) != WS_OK) {
        printf("answer    %d: the upgrade is refused: %s\n          %s\n",
               ws_refusal_status(refusal), ws_refusal_name(refusal), ws_refusal_cause(refusal));
        return;
    }
    if (!print_transforms(x, route, scratch))
        return;
    printf("action    forward%s\n", x->message->is_websocket ? " a WebSocket upgrade" : "");
    for (size_t i = 0; i < a->group_count; i++) {
        const struct forward_group *g = &a->groups[i];
        printf("  group %s, weight %u: %.1f %%\n", g->group->name, g->weight,
               a->weights == 0 ? 0.0 : 100.0 * g->weight / a->weights);
        if (g->group->options.protocol_version == VERSION_HTTP1)
            print_targets(x, g->group);
        else
            printf("    answer 464: it does not speak HTTP/1.1\n");
    }
    if (a->stickiness_s > 0)
        printf("  a client with a cookie of one of these groups (%s) goes back to it\n",
               x->config->group_cookie.cookie_name);
    if (a->weights == 0)
        printf("answer    503: no target group has a weight\n");
}

static void print_redirect(const struct explanation *x, const struct action *a)
{
    const struct redirect_request request = {
        .is_https = x->listener->options.protocol == PROTOCOL_HTTPS,
        .host = condition_host(x->message->host),
        .port = addr_port(&x->listener->bind),
        .path = x->message->path,
        .query = x->message->query,
    };
    struct buf url;

    buf_init(&url, REDIRECT_LOCATION_MAX);
    switch (redirect_location(a->redirect, &request, &url)) {
    case REDIRECT_MADE:
        printf("action    redirect %u to %.*s\n", a->redirect->status, SPAN_ARGS(buf_data(&url)));
        break;
    case REDIRECT_TOO_LONG:
        printf("answer    414: the redirect's URL has more than %d bytes\n", REDIRECT_LOCATION_MAX);
        break;
    case REDIRECT_NO_HOST:
        printf("answer    400: no Host to redirect to\n");
        break;
    }
    buf_done(&url);
}

static void print_action(const struct explanation *x, const struct rule *rule,
                         struct regex_scratch *scratch)
{
    struct route route = { .rule = rule };

    printf("\n");
    switch (rule->action.kind) {
    case ACTION_FORWARD:
        print_forward(x, &route, scratch);
        break;
    case ACTION_REDIRECT:
        print_redirect(x, &rule->action);
        break;
    case ACTION_FIXED_RESPONSE:
        printf("action    fixed-response %u %s \"%s\"\n", rule->action.status,
               rule->action.content_type, rule->action.body);
        break;
    }
}

/* In strictest, what a target might take the path for. */
static bool reads_otherwise(const struct explanation *x, struct condition_request *r,
                            const struct rule *rule)
{
    if (x->config->alb.desync_mode != HTTP_STRICTEST || !rules_read_otherwise(x->listener, r, rule))
        return false;
    printf("\nanswer    400: %s\n", RULES_WHY_TWOFOLD);
    return true;
}

/* NULL when that costs too much. */
static const struct rule *print_rules(const struct explanation *x, struct condition_request *r)
{
    const struct listener_config *l = x->listener;

    for (size_t i = 0; i < l->rule_count; i++) {
        const bool holds = print_rule(x, &l->rules[i], r);
        if (condition_request_is_spent(r))
            return NULL;
        if (holds)
            return &l->rules[i];
    }
    printf("\ndefault_action of [listener %s] (%s:%d)\n  it answers\n", l->name, x->file,
           l->fallback.line);
    return &l->fallback;
}

/* True when a rule or the default answers. */
static bool print_answer(const struct explanation *x, struct regex_scratch *scratch)
{
    struct condition_request r;

    condition_request_init(&r, x->message, viewer_source(x->config, &x->client), scratch);
    const struct rule *rule = print_rules(x, &r);
    if (rule != NULL && reads_otherwise(x, &r, rule))
        return false;
    if (rule == NULL || condition_request_is_spent(&r)) {
        printf("\nanswer    500: to find its rule costs too much\n");
        return false;
    }
    print_action(x, rule, scratch);
    return true;
}

bool explain_print(const struct explanation *x)
{
    const char *why;

    print_request(x);
    if (!print_secret(x))
        return false;
    const int unrouted = rules_unrouted(x->message, &why);
    if (unrouted != 0) {
        printf("answer    %d before any rule: %s\n", unrouted, why);
        return false;
    }
    struct regex_scratch *scratch = regex_scratch_new();
    const bool is_answered = print_answer(x, scratch);
    regex_scratch_free(&scratch);
    return is_answered;
}
