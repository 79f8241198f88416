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

static void set_text(struct access_entry *e, enum access_text which, struct span text)
{
    e->text[which] = text;
    e->texts_len += (uint32_t)text.len;
}

/* The host as it came, whatever a transform made of it. */
static struct span host_of(const struct http_message *m, const struct route *route)
{
    return route != NULL && route->transformed_host.len > 0 ? route->asked_host : m->host;
}

static struct span agent_of(const struct http_message *m)
{
    struct span agent = http_value(m, HTTP_N_USER_AGENT);

    if (agent.len > ACCESS_AGENT_MAX)
        agent.len = ACCESS_AGENT_MAX;
    return agent;
}

static void find_request(struct access_entry *e, const struct http_message *m,
                         const struct route *route)
{
    set_text(e, ACCESS_METHOD, m->method);
    set_text(e, ACCESS_TARGET, m->target);
    set_text(e, ACCESS_HOST, host_of(m, route));
    set_text(e, ACCESS_AGENT, agent_of(m));
    e->is_absolute = m->authority.len > 0;
}

static void find_route(struct access_entry *e, const struct route *route)
{
    const struct group_config *g = route->group;

    set_text(e, ACCESS_GROUP, g == NULL ? SPAN("") : span_of(g->name, g->name_len));
    set_text(e, ACCESS_REDIRECT_URL, route->redirect_url);
    set_text(e, ACCESS_TRANSFORMED_HOST, route->transformed_host);
    set_text(e, ACCESS_TRANSFORMED_URI, route->transformed_uri);
}

static void set_none(struct access_entry *e, enum access_text first, enum access_text last)
{
    for (unsigned i = first; i <= last; i++)
        e->text[i] = SPAN("");
}

static void copy_texts(struct access_entry *e)
{
    char *at = e->texts;

    for (int i = 0; i < ACCESS_TEXTS; i++) {
        char *const to = at;
        at = log_put_copy(at, e->text[i]);
        e->text[i].ptr = to;
    }
    e->texts_len = (uint32_t)(at - e->texts);
    e->ahead_len = 0;
}

/* With room for its texts. */
static struct access_entry *enlarge(struct worker *w, struct access_entry *e)
{
    const size_t size = sizeof(*e) + access_ahead_room(e) + LOG_PAD;

    if (size <= SPARE_BYTES)
        return e;
    struct access_entry *larger = mem_check(malloc(size));
    *larger = *e;
    larger->is_spare = false;
    give_block(w, e);
    return larger;
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

/* But for its texts, each of which is found. */
static struct access_entry *new_entry(struct worker *w, const struct access_client *client)
{
    struct access_entry *e = spares_take(&w->entries, SPARE_BYTES);

    memset(e, 0, offsetof(struct access_entry, text));
    e->client = client;
    e->is_spare = true;
    return e;
}

static int32_t priority_of(const struct route *route)
{
    if (route == NULL)
        return ACCESS_RULE_NONE;
    return route->rule == NULL ? ACCESS_RULE_ERROR : (int32_t)route->rule->priority;
}

static void set_numbers(struct access_entry *e, const struct worker *w,
                        const struct http_message *m, const struct route *route)
{
    e->created_wall_us = loop_wall_us(&w->loop);
    e->created_us = loop_mono_us(&w->loop);
    e->rule_priority = priority_of(route);
    if (route != NULL) {
        e->transform = route->transform_status;
        e->error = route->error;
    }
    if (m != NULL) {
        e->class_ = (uint8_t)m->class_;
        e->reason = (uint8_t)m->reason;
        e->minor = (uint8_t)m->minor_said;
    }
}

static void find_texts(struct access_entry *e, const struct http_message *m,
                       const struct route *route, struct span trace)
{
    if (m != NULL && http_is_understood(m))
        find_request(e, m, route);
    else
        set_none(e, ACCESS_METHOD, ACCESS_AGENT);
    set_text(e, ACCESS_TRACE, trace);
    if (route != NULL)
        find_route(e, route);
    else
        set_none(e, ACCESS_GROUP, ACCESS_TRANSFORMED_URI);
}

struct access_entry *access_entry_new(struct worker *w, struct access_client *client,
                                      const struct http_message *m, const struct route *route,
                                      struct span trace)
{
    if (!w->config->alb.access_logs)
        return NULL;
    if (client->peer_len == 0)
        write_client(client);

    struct access_entry *e = new_entry(w, client);
    set_numbers(e, w, m, route);
    find_texts(e, m, route, trace);
    e = enlarge(w, e);
    if (w->config->alb.access_logs_format == LOG_FORMAT_JSON)
        copy_texts(e);
    else
        access_row_ahead(e, &w->access_log);
    return e;
}

/* What is cut ends in "...". */
static void cut_texts(const struct access_entry *from, struct span to[ACCESS_TEXTS])
{
    for (int i = 0; i < ACCESS_TEXTS; i++) {
        to[i] = from->text[i];
        if (to[i].len > ACCESS_TUNNEL_MAX)
            to[i].len = ACCESS_TUNNEL_MAX;
    }
}

static void mark_cuts(struct access_entry *e, const struct access_entry *old)
{
    for (int i = 0; i < ACCESS_TEXTS; i++) {
        const struct span cut = e->text[i];
        if (cut.len < old->text[i].len)
            memcpy(e->texts + (cut.ptr - e->texts) + cut.len - 3, "...", 3);
    }
}

struct access_entry *access_entry_of(const struct access_entry *numbers,
                                     const struct span texts[ACCESS_TEXTS])
{
    struct access_entry *e = mem_check(malloc(sizeof(*e) + access_texts_len(texts) + LOG_PAD));

    *e = *numbers;
    e->is_spare = false;
    memcpy(e->text, texts, sizeof(e->text));
    copy_texts(e);
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

    *entry = NULL;
    if (e == NULL)
        return;
    if (w->config->alb.access_logs_format == LOG_FORMAT_JSON)
        access_row_json(&w->access_log, e, w->config->name, loop_wall_us(&w->loop));
    else
        access_row_alb(&w->access_log, e, w->config->name, loop_wall_us(&w->loop));
    access_entry_free(w, &e);
}

/* --- what both forms say ------------------------------------------------------ */

const struct span access_types[2][2] = { { LOG_PADDED("http"), LOG_PADDED("https") },
                                         { LOG_PADDED("ws"), LOG_PADDED("wss") } };

const struct span access_action_names[] = {
    [ACCESS_NONE] = LOG_PADDED("-"),
    [ACCESS_FORWARD] = LOG_PADDED("forward"),
    [ACCESS_REDIRECT] = LOG_PADDED("redirect"),
    [ACCESS_FIXED_RESPONSE] = LOG_PADDED("fixed-response"),
};

size_t access_texts_len(const struct span texts[ACCESS_TEXTS])
{
    size_t len = 0;

    for (int i = 0; i < ACCESS_TEXTS; i++)
        len += texts[i].len;
    return len;
}

bool access_is_safe(const struct access_entry *e)
{
    return log_are_safe(e->text, ACCESS_TEXTS);
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
    const char last = host.len == 0 ? '\0' : host.ptr[host.len - 1];

    return ((last >= '0' && last <= '9') || last == ':') && memchr(host.ptr, ':', host.len) != NULL;
}
