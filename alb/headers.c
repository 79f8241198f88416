/* headers.c -- see headers.h. */
#include "alb/headers.h"

#include "http/canonical.h"

#include "alb/access_log.h"

/* What is written by us from what we know, never forwarded as it came. */
static bool is_ours(enum http_name id)
{
    switch (id) {
    case HTTP_N_HOST:
    case HTTP_N_X_FORWARDED_FOR:
    case HTTP_N_X_FORWARDED_PROTO:
    case HTTP_N_X_FORWARDED_PORT:
    case HTTP_N_X_AMZN_TRACE_ID:
    case HTTP_N_EXPECT: /* answered here */
        return true;
    default:
        return http_is_hop_by_hop(id);
    }
}

/* The addresses so far, then the peer's. */
static bool write_forwarded_for(struct buf *to, const struct http_message *m,
                                const struct access_client *client)
{
    char ip[IP_TEXT_MAX];
    bool ok = buf_put(to, SPAN("X-Forwarded-For: "));

    for (const struct http_field *f = http_find(m, HTTP_N_X_FORWARDED_FOR); f != NULL;
         f = http_find_next(m, f)) {
        if (f->value.len > 0)
            ok = ok && buf_put(to, f->value) && buf_put(to, SPAN(", "));
    }
    return ok && buf_put(to, span_text(ip_format(&client->ip, ip))) && buf_put(to, SPAN("\r\n"));
}

static bool write_upgrade(struct buf *to)
{
    return http_write_field(to, SPAN("Upgrade"), SPAN("websocket")) &&
           http_write_field(to, SPAN("Connection"), SPAN("Upgrade"));
}

static bool write_trace(struct buf *to, const char *trace)
{
    return http_write_field(to, http_name_text(HTTP_N_X_AMZN_TRACE_ID), span_text(trace));
}

static bool has(const struct http_message *m, enum http_name id)
{
    return http_find(m, id) != NULL;
}

bool headers_write_request(struct buf *to, const struct http_message *m,
                           const struct access_client *client, const char *trace, bool upgrade)
{
    bool ok = http_write_request_line(to, m) && http_write_field(to, SPAN("Host"), m->host);

    for (size_t i = 0; ok && i < m->field_count; i++) {
        const struct http_field *f = &m->fields[i];
        if (is_ours(f->id) || (m->names_fields && http_connection_lists(m, f->name)))
            continue;
        ok = http_write_field(to, f->name, f->value);
    }
    ok = ok && (upgrade ? write_upgrade(to) : http_write_framing(to, m));
    /* These two go on with what the client sent, if it did. */
    if (has(m, HTTP_N_X_FORWARDED_FOR))
        ok = ok && write_forwarded_for(to, m, client);
    if (has(m, HTTP_N_X_AMZN_TRACE_ID))
        ok = ok && write_trace(to, trace);
    return ok;
}

bool headers_write_hop(struct buf *to, const struct http_message *m,
                       const struct access_client *client, const char *trace)
{
    static const struct span proto[2] = {
        SPAN_INIT("X-Forwarded-Proto: http\r\nX-Forwarded-Port: "),
        SPAN_INIT("X-Forwarded-Proto: https\r\nX-Forwarded-Port: "),
    };

    return (has(m, HTTP_N_X_FORWARDED_FOR) || write_forwarded_for(to, m, client)) &&
           buf_put(to, proto[client->is_https]) && buf_put_number(to, client->listener_port) &&
           buf_put(to, SPAN("\r\n")) &&
           (has(m, HTTP_N_X_AMZN_TRACE_ID) || write_trace(to, trace)) && http_end_head(to);
}

/* A 1.1 client takes a persistent connection for granted. */
static bool write_connection(struct buf *to, const struct response_head *how)
{
    if (how->close)
        return http_write_field(to, SPAN("Connection"), SPAN("close"));
    return !how->client_is_1_0 || http_write_field(to, SPAN("Connection"), SPAN("keep-alive"));
}

bool headers_write_response(struct buf *to, const struct http_message *m,
                            const struct response_head *how)
{
    bool ok = http_write_status_line(to, m->status, m->reason_phrase);

    for (size_t i = 0; ok && i < m->field_count; i++) {
        const struct http_field *f = &m->fields[i];
        if (http_is_hop_by_hop(f->id) || (m->names_fields && http_connection_lists(m, f->name)))
            continue;
        ok = http_write_field(to, f->name, f->value);
    }
    for (int i = 0; ok && i < 2; i++) {
        if (how->cookies[i] != NULL)
            ok = http_write_field(to, SPAN("Set-Cookie"), span_text(how->cookies[i]));
    }
    if (how->upgrade)
        ok = ok && write_upgrade(to);
    else
        ok = ok && http_write_framing(to, m) && write_connection(to, how);
    return ok && http_end_head(to);
}
