/* admin_routes.c -- what the admin port and the control socket answer. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/ip.h"
#include "base/mem.h"
#include "base/problems.h"
#include "base/text.h"
#include "http/message.h"

#include "alb/admin_private.h"
#include "alb/balancer.h"
#include "alb/caller.h"
#include "alb/config.h"

static const char text_type[] = "text/plain; charset=utf-8";
static const char json_text_type[] = "application/json";

static void say(struct admin_answer *a, int status, const char *sentence)
{
    a->status = status;
    a->type = text_type;
    buf_print(&a->body, "%s\n", sentence);
}

void admin_answer_json(struct admin_answer *a, int status, json_t *json)
{
    char *text = json == NULL ? NULL : json_dumps(json, JSON_COMPACT);

    if (text != NULL)
        buf_print(&a->body, "%s\n", text);
    free(text);
    json_decref(json);
    a->type = json_text_type;
    a->status = status;
}

bool admin_refuses_query(const struct admin_request *r, struct admin_answer *a)
{
    enum { SHOWN_MOST = 80 };
    const struct span query = r->head->query;
    char why[256];
    size_t len = 0;

    if (query.len == 0)
        return false;
    while (len < query.len && len < SHOWN_MOST && query.ptr[len] != '=' && query.ptr[len] != '&')
        len++;
    snprintf(why, sizeof(why), "%.*s: there is no such parameter: %.*s takes none", (int)len,
             query.ptr, (int)r->head->path.len, r->head->path.ptr);
    admin_answer_json(a, 400, json_pack("{s:b,s:[s]}", "ok", 0, "errors", why));
    return true;
}

json_t *admin_order_json(const struct order_answer *order)
{
    if (order->status != 200)
        return json_pack("{s:b,s:[s]}", "ok", 0, "errors", order->text);
    json_t *warnings = json_array();
    if (order->warning != NULL)
        json_array_append_new(warnings, json_string(order->warning));
    return json_pack("{s:b,s:s,s:o}", "ok", 1, "message", order->text, "warnings", warnings);
}

/* --- the routes ------------------------------------------------------------------ */

static void get_health(struct balancer *b, const struct admin_request *r, struct admin_answer *a)
{
    (void)r;
    (void)b;
    say(a, 200, "ok");
}

static void get_metrics(struct balancer *b, const struct admin_request *r, struct admin_answer *a)
{
    (void)r;
    balancer_metrics(b, &a->body);
    a->type = "text/plain; version=0.0.4; charset=utf-8";
}

static void get_status(struct balancer *b, const struct admin_request *r, struct admin_answer *a)
{
    (void)r;
    balancer_status(b, &a->body);
    a->type = json_text_type;
}

/* The texts of the errors, or of the warnings, as a JSON array. They quote the
 * file, which need not be UTF-8. */
static void put_texts(struct buf *to, const struct problems *problems, bool warnings)
{
    const char *before = "";

    buf_put(to, SPAN("["));
    for (size_t i = 0; i < problems->count; i++) {
        const struct problem *p = &problems->items[i];
        if (p->is_warning != warnings)
            continue;
        const size_t size = strlen(p->text) * 6 + 1;
        char *escaped = mem_zero(size);
        text_json_escape(span_text(p->text), escaped, size);
        buf_print(to, "%s\"%s\"", before, escaped);
        free(escaped);
        before = ",";
    }
    buf_put(to, SPAN("]"));
}

/* How a reload is wanted. */
struct reload_query {
    bool is_dry_run, is_forced;
};

/* False when there is something else in it. */
static bool read_query(struct span query, struct reload_query *q)
{
    *q = (struct reload_query){ .is_dry_run = false };
    while (query.len > 0) {
        const char *end = memchr(query.ptr, '&', query.len);
        const struct span word =
            span_of(query.ptr, end == NULL ? query.len : (size_t)(end - query.ptr));
        bool *flag = span_equal(word, SPAN("dry_run=1")) ? &q->is_dry_run
                     : span_equal(word, SPAN("force=1")) ? &q->is_forced
                                                         : NULL;
        if (flag == NULL || *flag)
            return false;
        *flag = true;
        query = span_after(query, end == NULL ? word.len : word.len + 1);
    }
    return true;
}

static bool is_dry_run(const struct admin_request *r)
{
    struct reload_query q;

    return read_query(r->head->query, &q) && q.is_dry_run;
}

static void refuse_query(struct admin_answer *a)
{
    admin_answer_json(
        a, 400,
        json_pack("{s:b,s:[s]}", "ok", 0, "errors", "reload takes dry_run=1, force=1 or nothing"));
}

static void reload(struct balancer *b, const struct reload_order *order, struct admin_answer *a)
{
    struct problems problems;

    problems_init(&problems, b->path == NULL ? "alb quick" : b->path);
    const bool ok = balancer_reload_by(b, order, &problems);
    a->status = ok ? 200 : 400;
    a->type = json_text_type;
    a->in_force = ok ? b->published : 0;
    buf_print(&a->body, "{\"ok\":%s,\"%s\":", ok ? "true,\"message\":\"reloaded\"" : "false",
              ok ? "warnings" : "errors");
    put_texts(&a->body, &problems, ok);
    buf_put(&a->body, SPAN("}\n"));
    problems_done(&problems);
}

/* A body is the text of a new configuration. */
static void post_reload(struct balancer *b, const struct admin_request *r, struct admin_answer *a)
{
    struct reload_query query;

    if (!read_query(r->head->query, &query)) {
        refuse_query(a);
        return;
    }
    a->is_later = b->publishing != NULL;
    if (a->is_later)
        return;
    const struct reload_order order = { .text = r->body.len > 0 ? &r->body : NULL,
                                        .from = { r->caller, r->head, query.is_forced } };
    if (query.is_dry_run)
        admin_dry_run(b, &order, a);
    else
        reload(b, &order, a);
}

/* Where a route is to be had: everywhere; where changes are taken; at the control socket. */
enum reach { EVERYWHERE, WITH_CHANGES, LOCALLY };

static const struct route {
    enum http_method method;
    struct span path;
    enum reach reach;
    admin_handler *run;
    const char *help;
} routes[] = {
    { HTTP_GET, SPAN_INIT("/health"), EVERYWHERE, get_health, "ok while this process answers" },
    { HTTP_GET, SPAN_INIT("/metrics"), EVERYWHERE, get_metrics, "counters, for Prometheus" },
    { HTTP_GET, SPAN_INIT("/status"), EVERYWHERE, get_status, "listeners and targets, as JSON" },
    { HTTP_GET, SPAN_INIT("/tunnels"), EVERYWHERE, admin_get_tunnels, "live WebSockets, as JSON" },
    { HTTP_GET, SPAN_INIT("/closed"), EVERYWHERE, admin_get_closed,
      "those that ended last, as JSON" },
    { HTTP_GET, SPAN_INIT("/upgrades/failed"), EVERYWHERE, admin_get_failed_upgrades,
      "WebSocket upgrades that failed last, and why, as JSON" },
    { HTTP_GET, SPAN_INIT("/edge"), EVERYWHERE, admin_get_edge, "who may connect, as JSON" },
    { HTTP_GET, SPAN_INIT("/edge/refused"), EVERYWHERE, admin_get_refused,
      "who tried to and may not, as JSON" },
    { HTTP_GET, SPAN_INIT("/edge/check"), EVERYWHERE, admin_get_edge_check,
      "may ?address=IP connect, as JSON" },
    { HTTP_POST, SPAN_INIT("/edge/add"), WITH_CHANGES, admin_post_edge_add,
      "somebody may connect for a while" },
    { HTTP_POST, SPAN_INIT("/edge/remove"), WITH_CHANGES, admin_post_edge_remove, "no longer so" },
    { HTTP_POST, SPAN_INIT("/reload"), WITH_CHANGES, post_reload,
      "read the configuration file again" },
    { HTTP_POST, SPAN_INIT("/upgrade"), LOCALLY, admin_post_upgrade, "another process takes over" },
    { HTTP_POST, SPAN_INIT("/register"), WITH_CHANGES, admin_post_register, "a target comes" },
    { HTTP_POST, SPAN_INIT("/deregister"), WITH_CHANGES, admin_post_deregister, "a target goes" },
    { HTTP_POST, SPAN_INIT("/drain"), WITH_CHANGES, admin_post_drain, "targets get nothing new" },
    { HTTP_POST, SPAN_INIT("/undrain"), WITH_CHANGES, admin_post_undrain, "they do again" },
};

enum { ROUTES = sizeof(routes) / sizeof(routes[0]) };

/* --- finding one ----------------------------------------------------------------- */

/* "[::1]", "127.0.0.1" or "localhost". */
static bool is_literal(struct span name)
{
    struct ip ip;

    if (name.len > 2 && name.ptr[0] == '[' && name.ptr[name.len - 1] == ']')
        return ip_parse(span_of(name.ptr + 1, name.len - 2), &ip);
    return span_equal_nocase(name, SPAN("localhost")) || (ip_parse(name, &ip) && ip.family == 4);
}

/* A page that makes its own name resolve to this address must not read what is
 * here, so names are no good (DNS rebinding); such a page cannot use a literal. */
static bool is_our_host(struct span host, uint16_t port)
{
    const char *colon = host.len == 0 ? NULL : memrchr(host.ptr, ':', host.len);
    uint64_t named;

    if (colon == NULL || host.ptr[host.len - 1] == ']')
        return is_literal(host);
    const size_t len = (size_t)(colon - host.ptr);
    return text_u64(span_after(host, len + 1), &named) && named == port &&
           is_literal(span_of(host.ptr, len));
}

/* HEAD is a GET whose body is not sent. */
static enum http_method asked_for(const struct http_message *m)
{
    return m->method_id == HTTP_HEAD ? HTTP_GET : m->method_id;
}

static bool has(enum caller_place place, const struct route *route)
{
    return place == AT_CONTROL_SOCKET || route->reach == EVERYWHERE ||
           (place == AT_MANAGEMENT && route->reach == WITH_CHANGES);
}

static void list_routes(struct admin_answer *a, enum caller_place place)
{
    say(a, 404, "There is no such page. These are here:");
    for (size_t i = 0; i < ROUTES; i++) {
        if (has(place, &routes[i]))
            buf_print(&a->body, "%s %.*s  %s\n", routes[i].method == HTTP_GET ? "GET " : "POST",
                      SPAN_ARGS(routes[i].path), routes[i].help);
    }
}

static void refuse_method(struct admin_answer *a, bool is_get)
{
    say(a, 405, is_get ? "This page takes GET only." : "This command takes POST only.");
    a->fields = is_get ? "Allow: GET, HEAD\r\n" : "Allow: POST\r\n";
}

static void refuse(struct admin_answer *a, int status, const char *why)
{
    admin_answer_json(a, status, json_pack("{s:b,s:[s]}", "ok", 0, "errors", why));
}

static enum log_format format_of(const struct balancer *b)
{
    return (enum log_format)b->config->alb.access_logs_format;
}

static bool is_change(const struct route *route, const struct admin_request *r)
{
    return route->method == HTTP_POST && !(route->run == post_reload && is_dry_run(r));
}

static struct audit_change change_of(const struct balancer *b, const struct route *route,
                                     const struct admin_request *r)
{
    struct reload_query q = { .is_forced = false };

    if (route->run == post_reload)
        read_query(r->head->query, &q);
    return (struct audit_change){ .caller = r->caller,
                                  .command = span_after(route->path, 1),
                                  .mark = q.is_forced ? "force" : "",
                                  .body = r->body,
                                  .format = format_of(b) };
}

static void deny(struct balancer *b, const struct route *route, const struct admin_request *r,
                 struct admin_answer *a)
{
    char why[CALLER_WHO_MAX + 32];

    const struct audit_change change = change_of(b, route, r);
    audit_deny(&b->audit, &change);
    snprintf(why, sizeof(why), "%s may only read", r->caller->who);
    refuse(a, 403, why);
}

/* Is it written down who wants it? Once for a request, however often it has to be asked again. */
static bool is_noted(struct balancer *b, const struct route *route, const struct admin_request *r,
                     struct admin_answer *a)
{
    const struct audit_change change = change_of(b, route, r);
    char why[1024];

    if (!is_change(route, r) || r->audit->is_open ||
        audit_begin(&b->audit, r->audit, &change, why, sizeof(why)))
        return true;
    refuse(a, 503, why);
    return false;
}

static void run_route(struct balancer *b, const struct route *route, const struct admin_request *r,
                      struct admin_answer *a)
{
    a->status = 200;
    if (route->method == HTTP_POST && !r->caller->may_change)
        deny(b, route, r, a);
    else if (is_noted(b, route, r, a))
        route->run(b, r, a);
    if (buf_len(&a->body) == 0 && !a->is_later && a->pending == NULL)
        say(a, 500, "The answer could not be made: it has more than 16 MB.");
}

static void find_and_run(struct balancer *b, const struct admin_request *r, struct admin_answer *a)
{
    const struct http_message *m = r->head;

    for (size_t i = 0; i < ROUTES; i++) {
        const struct route *route = &routes[i];
        if (!span_equal(m->path, route->path) || !has(r->caller->place, route))
            continue;
        if (asked_for(m) == route->method)
            run_route(b, route, r, a);
        else
            refuse_method(a, route->method == HTTP_GET);
        return;
    }
    list_routes(a, r->caller->place);
}

void admin_answer_init(struct admin_answer *a)
{
    *a = (struct admin_answer){ .status = 0 };
    buf_init(&a->body, ADMIN_BODY_MAX);
}

void admin_route(struct balancer *b, const struct admin_request *r, struct admin_answer *a)
{
    const bool is_admin_port = r->caller->place == AT_ADMIN_PORT;

    admin_answer_init(a);
    if (is_admin_port && !is_our_host(r->head->host, r->port)) {
        say(a, 403,
            "Ask for this page by an IP address or as localhost, with the port of the "
            "admin setting: other names in Host are refused, so that no web page can "
            "read it.");
    } else if (is_admin_port && asked_for(r->head) != HTTP_GET) {
        say(a, 405,
            "The admin port is for reading only (GET and HEAD): commands go to the "
            "control socket.");
        a->fields = "Allow: GET, HEAD\r\n";
    } else {
        find_and_run(b, r, a);
    }
}
