/* access_log.c -- see access_log.h. */
#include "alb/access_log.h"

#include "base/mem.h"
#include "http/message.h"

#include "alb/access_row.h"
#include "alb/config.h"
#include "alb/log_put.h"
#include "alb/route.h"
#include "alb/target.h"
#include "alb/worker.h"

/* Entries of most requests are at most so large, and their blocks are used again. */
enum { SPARE_BYTES = 1024 };

static struct access_entry *take_block(struct worker *w, size_t size)
{
    const bool is_spare = size <= SPARE_BYTES;
    struct access_entry *e =
        is_spare ? spares_take(&w->entries, SPARE_BYTES) : mem_check(malloc(size));

    memset(e, 0, sizeof(*e));
    e->is_spare = is_spare;
    return e;
}

static void free_client(struct access_entry *e)
{
    if (e->owns_client)
        free((void *)(uintptr_t)e->client);
}

static void give_block(struct worker *w, struct access_entry *e)
{
    if (e->is_spare)
        spares_give(&w->entries, e);
    else
        free(e);
}

/* The host as it came, whatever a transform made of it. */
static void find_request(const struct http_message *m, const struct route *route,
                         struct span texts[ACCESS_TEXTS])
{
    texts[ACCESS_METHOD] = m->method;
    texts[ACCESS_TARGET] = m->target;
    texts[ACCESS_HOST] = m->host;
    if (route != NULL && route->transformed_host.len > 0)
        texts[ACCESS_HOST] = route->asked_host;
    texts[ACCESS_AGENT] = http_value(m, HTTP_N_USER_AGENT);
    if (texts[ACCESS_AGENT].len > ACCESS_AGENT_MAX)
        texts[ACCESS_AGENT].len = ACCESS_AGENT_MAX;
}

static void find_route(const struct route *route, struct span texts[ACCESS_TEXTS])
{
    texts[ACCESS_REDIRECT_URL] = route->redirect_url;
    texts[ACCESS_TRANSFORMED_HOST] = route->transformed_host;
    texts[ACCESS_TRANSFORMED_URI] = route->transformed_uri;
    if (route->group != NULL)
        texts[ACCESS_GROUP] = span_text(route->group->name);
}

static void copy_texts(struct access_entry *e, const struct span texts[ACCESS_TEXTS])
{
    uint32_t at = 0;

    for (int i = 0; i < ACCESS_TEXTS; i++) {
        if (texts[i].len > 0)
            memcpy(e->texts + at, texts[i].ptr, texts[i].len);
        at += (uint32_t)texts[i].len;
        e->text_at[i + 1] = at;
    }
}

static size_t size_of(const struct span texts[ACCESS_TEXTS])
{
    size_t size = sizeof(struct access_entry) + LOG_PAD;

    for (int i = 0; i < ACCESS_TEXTS; i++)
        size += texts[i].len;
    return size;
}

static void write_client(struct access_client *c)
{
    char *at = log_put_ip(c->peer, &c->ip, true);

    *at++ = ':';
    at = log_put_number(at, c->port);
    c->peer_len = (uint8_t)(at - c->peer);
    at = log_put_hex(log_put_hex(LOG_PUT(c->id, "TID_"), c->conn_id[0]), c->conn_id[1]);
    c->id_len = (uint8_t)(at - c->id);
    c->node_len = (uint8_t)(log_put_ip(c->node, &c->local, false) - c->node);
}

static int32_t priority_of(const struct route *route)
{
    if (route == NULL)
        return ACCESS_RULE_NONE;
    return route->rule == NULL ? ACCESS_RULE_ERROR : (int32_t)route->rule->priority;
}

struct access_entry *access_entry_new(struct worker *w, struct access_client *client,
                                      const struct http_message *m, const struct route *route,
                                      const char *trace)
{
    struct span texts[ACCESS_TEXTS] = { 0 };
    const bool understood = m != NULL && http_is_understood(m);

    if (!w->config->alb.access_logs)
        return NULL;
    if (understood)
        find_request(m, route, texts);
    if (route != NULL)
        find_route(route, texts);
    texts[ACCESS_TRACE] = span_text(trace);

    struct access_entry *e = take_block(w, size_of(texts));
    copy_texts(e, texts);
    if (client->peer_len == 0)
        write_client(client);
    e->client = client;
    e->created_wall_us = loop_wall_us(&w->loop);
    e->created_us = loop_mono_us(&w->loop);
    e->rule_priority = priority_of(route);
    e->transform = route == NULL ? NULL : route->transform_status;
    e->error = route == NULL ? NULL : route->error;
    if (m != NULL) {
        e->class_ = (uint8_t)m->class_;
        e->reason = (uint8_t)m->reason;
        e->minor = (uint8_t)m->minor_said;
        e->is_absolute = understood && m->authority.len > 0;
    }
    return e;
}

/* What is cut ends in "...". */
static void cut_texts(const struct access_entry *from, struct span to[ACCESS_TEXTS])
{
    for (int i = 0; i < ACCESS_TEXTS; i++) {
        to[i] = access_text(from, (enum access_text)i);
        if (to[i].len > ACCESS_TUNNEL_MAX)
            to[i].len = ACCESS_TUNNEL_MAX;
    }
}

static void mark_cuts(struct access_entry *e, const struct access_entry *old)
{
    for (int i = 0; i < ACCESS_TEXTS; i++) {
        const struct span cut = access_text(e, (enum access_text)i);
        if (cut.len < access_text(old, (enum access_text)i).len)
            memcpy(e->texts + e->text_at[i + 1] - 3, "...", 3);
    }
}

struct access_entry *access_entry_of(const struct access_entry *numbers,
                                     const struct span texts[ACCESS_TEXTS])
{
    struct access_entry *e = mem_check(malloc(size_of(texts)));

    *e = *numbers;
    e->is_spare = false;
    e->text_at[0] = 0;
    copy_texts(e, texts);
    return e;
}

void access_entry_shrink(struct worker *w, struct access_entry **entry)
{
    struct access_entry *old = *entry;
    struct span texts[ACCESS_TEXTS];

    if (old == NULL)
        return;
    cut_texts(old, texts);
    struct access_entry *e = access_entry_of(old, texts);
    struct access_client *client = mem_new(struct access_client);
    *client = *old->client;
    e->owns_client = true;
    e->client = client;
    mark_cuts(e, old);
    *entry = e;
    give_block(w, old);
}

void access_entry_free(struct worker *w, struct access_entry **entry)
{
    struct access_entry *e = *entry;

    *entry = NULL;
    if (e == NULL)
        return;
    target_unref(&e->target);
    free_client(e);
    give_block(w, e);
}

void access_log_row(struct worker *w, struct access_entry **entry)
{
    struct access_entry *e = *entry;
    const struct alb_options *o = &w->config->alb;

    *entry = NULL;
    if (e == NULL)
        return;
    if (o->access_logs_format == LOG_FORMAT_JSON)
        access_row_json(&w->access_log, e, span_text(o->name), loop_wall_us(&w->loop));
    else
        access_row_alb(&w->access_log, e, span_text(o->name), loop_wall_us(&w->loop));
    access_entry_free(w, &e);
}

/* --- what both forms say ------------------------------------------------------ */

static const struct span types[2][2] = { { LOG_PADDED("http"), LOG_PADDED("https") },
                                         { LOG_PADDED("ws"), LOG_PADDED("wss") } };

struct span access_type(const struct access_entry *e)
{
    return types[e->is_websocket][e->client->is_https];
}

static const struct span actions[] = {
    [ACCESS_NONE] = LOG_PADDED("-"),
    [ACCESS_FORWARD] = LOG_PADDED("forward"),
    [ACCESS_REDIRECT] = LOG_PADDED("redirect"),
    [ACCESS_FIXED_RESPONSE] = LOG_PADDED("fixed-response"),
};

struct span access_actions(const struct access_entry *e)
{
    return actions[e->action];
}

static uint64_t passed(uint64_t from, uint64_t to)
{
    return to > from ? to - from : 0; /* answered before it was sent */
}

bool access_times(const struct access_entry *e, uint64_t out[3])
{
    if (e->answered_us == 0)
        return false;
    out[0] = passed(e->created_us, e->dispatched_us);
    out[1] = passed(e->dispatched_us, e->answered_us);
    out[2] = e->begun_us == 0 ? 0 : passed(e->answered_us, e->begun_us);
    return true;
}

char *access_put_viewer(char *at, const struct viewer *viewer)
{
    at = log_put_ip(at, &viewer->ip, viewer->port != 0);
    if (viewer->port == 0)
        return at;
    *at++ = ':';
    return log_put_number(at, viewer->port);
}

bool access_host_has_port(struct span host)
{
    return host.len > 0 && host.ptr[host.len - 1] != ']' && memchr(host.ptr, ':', host.len) != NULL;
}
