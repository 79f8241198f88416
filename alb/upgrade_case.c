/* upgrade_case.c -- see upgrade_case.h. */
#include "alb/upgrade_case.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "http/message.h"
#include "ws/handshake.h"

#include "alb/access_log.h"
#include "alb/balancer.h"
#include "alb/config.h"
#include "alb/log_put.h"
#include "alb/route.h"
#include "alb/target.h"
#include "alb/upgrade_signs.h"

enum { HOST_MAX = 255, PATH_MAX_KEPT = 1024 };

static bool is_websocket_field(const struct http_field *f)
{
    const struct span start = SPAN("Sec-WebSocket-");

    return f->name.len >= start.len && span_equal_nocase(span_of(f->name.ptr, start.len), start);
}

bool upgrade_is_asked(const struct http_message *m)
{
    bool lists = false;

    if (ws_request_wants(m))
        return true;
    for (size_t i = 0; i < m->field_count; i++) {
        const struct http_field *f = &m->fields[i];
        if (is_websocket_field(f))
            return true;
        if (f->id == HTTP_N_CONNECTION && f->value.len >= sizeof("upgrade") - 1)
            lists |= http_list_has(f->value, SPAN("upgrade"));
    }
    return lists && http_find(m, HTTP_N_UPGRADE) == NULL;
}

/* --- making one ------------------------------------------------------------------------ */

static struct span cut(struct span text, size_t most)
{
    return span_of(text.ptr, text.len < most ? text.len : most);
}

/* Of what was asked for, in whatever form; a rule may have changed the message's own. */
static struct span asked_path(const struct http_message *m)
{
    struct span path = m->target;

    if (path.len > 0 && path.ptr[0] != '/' && m->authority.len > 0)
        path = span_after(path, (size_t)(m->authority.ptr + m->authority.len - path.ptr));
    const char *query = path.len == 0 ? NULL : memchr(path.ptr, '?', path.len);
    if (query != NULL)
        path.len = (size_t)(query - path.ptr);
    return path.len == 0 ? SPAN("/") : path;
}

static struct span asked_host(const struct http_message *m, const struct route *route)
{
    return route != NULL && route->transformed_host.len > 0 ? route->asked_host : m->host;
}

/* With a NUL, and NULs within made harmless. */
static char *put_text(char *at, struct span text, const char **out)
{
    *out = at;
    for (size_t i = 0; i < text.len; i++)
        *at++ = text.ptr[i] == '\0' ? '?' : text.ptr[i];
    *at++ = '\0';
    return at;
}

static int32_t rule_of(const struct route *route)
{
    if (route == NULL)
        return ACCESS_RULE_NONE;
    return route->rule == NULL ? ACCESS_RULE_ERROR : (int32_t)route->rule->priority;
}

struct upgrade_case *upgrade_case_of(const struct upgrade_case *facts,
                                     const struct upgrade_case_texts *texts)
{
    const struct span host = cut(texts->host, HOST_MAX);
    const struct span path = cut(texts->path, PATH_MAX_KEPT);
    const struct span detail = cut(texts->detail, PATH_MAX_KEPT);
    struct upgrade_case *c =
        mem_zero(sizeof(*c) + host.len + path.len + texts->group.len + detail.len + 4);
    char *at = (char *)(c + 1);

    *c = *facts;
    at = put_text(at, host, &c->host);
    at = put_text(at, path, &c->path);
    at = put_text(at, texts->group, &c->group);
    if (detail.len > 0)
        put_text(at, detail, &c->detail);
    return c;
}

static struct upgrade_case facts_of(const struct access_client *client,
                                    const struct listener *listener, uint64_t wall_us)
{
    return (struct upgrade_case){
        .when_us = wall_us,
        .id = { client->conn_id[0], client->conn_id[1] },
        .listener = listener,
        .rule = ACCESS_RULE_NONE,
        .client = client->ip,
        .port = client->port,
    };
}

struct upgrade_case *upgrade_case_unread(const struct access_client *client,
                                         const struct listener *listener,
                                         const struct upgrade_signs *signs, uint64_t wall_us)
{
    struct upgrade_case facts = facts_of(client, listener, wall_us);

    facts.behind_edge = signs->behind_edge;
    facts.offers_protocol = signs->offers_protocol;
    return upgrade_case_of(
        &facts, &(struct upgrade_case_texts){ .host = signs->host, .path = signs->path });
}

struct upgrade_case *upgrade_case_new(const struct access_client *client,
                                      const struct listener *listener, const struct http_message *m,
                                      const struct route *route, uint64_t wall_us)
{
    struct upgrade_case facts = facts_of(client, listener, wall_us);

    facts.rule = rule_of(route);
    facts.failure = (uint8_t)ws_request_check(m);
    facts.behind_edge = ws_behind_edge(m);
    facts.offers_protocol = http_find(m, HTTP_N_SEC_WEBSOCKET_PROTOCOL) != NULL;
    const struct upgrade_case_texts texts = {
        .host = asked_host(m, route),
        .path = asked_path(m),
        .group = route == NULL || route->group == NULL ? SPAN("") : span_text(route->group->name),
    };

    return upgrade_case_of(&facts, &texts);
}

void upgrade_case_free(struct upgrade_case **c)
{
    if (*c != NULL)
        target_key_unref(&(*c)->target);
    mem_free(*c);
}

struct upgrade_symptoms upgrade_case_symptoms(const struct upgrade_case *c)
{
    return (struct upgrade_symptoms){
        .failure = (enum upgrade_failure)c->failure,
        .behind_edge = c->behind_edge,
        .misses = (enum rules_miss)c->misses,
        .target_status = c->target_status,
        .detail = c->detail,
    };
}

/* --- JSON ------------------------------------------------------------------------------- */

static bool put_string(struct buf *to, const char *name, const char *text)
{
    char escaped[6 * PATH_MAX_KEPT + 1];

    text_json_escape(span_text(text), escaped, sizeof escaped);
    return buf_print(to, ",\"%s\":\"%s\"", name, escaped);
}

/* null for none. */
static bool put_number(struct buf *to, const char *name, int n, bool is_there)
{
    return is_there ? buf_print(to, ",\"%s\":%d", name, n) : buf_print(to, ",\"%s\":null", name);
}

static bool put_client(struct buf *to, const struct upgrade_case *c)
{
    char text[IP_TEXT_MAX + 16];
    char *end = log_put_ip(text, &c->client, true);

    return buf_print(to, ",\"client\":\"%.*s:%u\",\"id\":\"TID_%016llx%016llx\"", (int)(end - text),
                     text, c->port, (unsigned long long)c->id[0], (unsigned long long)c->id[1]);
}

static bool put_way(struct buf *to, const struct upgrade_case *c)
{
    return put_string(to, "host", c->host) && put_string(to, "path", c->path) &&
           put_string(to, "listener", c->listener->name) &&
           put_number(to, "rule", c->rule, c->rule >= 0) && put_string(to, "group", c->group) &&
           put_string(to, "target", c->target == NULL ? "" : c->target->text) &&
           put_number(to, "status", c->status, c->status != 0) &&
           put_number(to, "target_status", c->target_status, c->target_status != 0);
}

bool upgrade_case_put(struct buf *to, const struct upgrade_case *c)
{
    const struct upgrade_symptoms s = upgrade_case_symptoms(c);
    char cause[UPGRADE_TEXT_MAX], cure[UPGRADE_TEXT_MAX], when[CLOCK_TEXT_MAX];

    return buf_print(to, "{\"when\":\"%s\",\"reason\":\"%s\"", clock_iso_us(c->when_us, when),
                     upgrade_failure_name(s.failure)) &&
           put_string(to, "cause", upgrade_cause(&s, cause)) &&
           put_string(to, "cure", upgrade_cure(&s, cure)) && put_client(to, c) && put_way(to, c) &&
           buf_print(to, ",\"edge\":%s}", c->behind_edge ? "true" : "false");
}
