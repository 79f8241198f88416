/* headers.c -- see headers.h. */
#include "alb/headers.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/random.h"
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

static void new_trace(const char *name, char out[64])
{
    uint64_t id[2];

    id[0] = random_jitter();
    id[1] = random_jitter();
    snprintf(out, 64, "%s=1-%08x-%016" PRIx64 "%08x", name, (unsigned)(clock_wall_ms() / 1000),
             id[0], (unsigned)id[1]);
}

/* The parts of a trace id, without those called `name`. True if one was Root. */
static bool keep_parts(struct span value, struct buf *to)
{
    bool has_root = false;
    struct span rest = value, part;

    while (span_next(&rest, ';', &part)) {
        if (part.len == 0 || span_starts_with(part, SPAN("Self=")))
            continue;
        has_root |= span_starts_with(part, SPAN("Root="));
        buf_put(to, SPAN(";"));
        buf_put(to, part);
    }
    return has_root;
}

void headers_trace_id(const struct http_message *m, char out[TRACE_ID_MAX])
{
    char ours[64];
    struct buf kept;
    struct span value = http_value(m, HTTP_N_X_AMZN_TRACE_ID);

    if (value.len > TRACE_ID_MAX - sizeof(ours))
        value = SPAN(""); /* far too long for one of ours: begin anew */
    buf_init(&kept, 2 * TRACE_ID_MAX);
    new_trace(keep_parts(value, &kept) ? "Self" : "Root", ours);
    snprintf(out, TRACE_ID_MAX, "%s%.*s", ours, SPAN_ARGS(buf_data(&kept)));
    buf_done(&kept);
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
    return ok && buf_print(to, "%s\r\n", ip_format(&client->ip, ip));
}

static bool write_hop(struct buf *to, const struct http_message *m,
                      const struct access_client *client, const char *trace)
{
    char port[8];

    snprintf(port, sizeof(port), "%u", client->listener_port);
    return write_forwarded_for(to, m, client) &&
           http_write_field(to, SPAN("X-Forwarded-Proto"),
                            client->is_https ? SPAN("https") : SPAN("http")) &&
           http_write_field(to, SPAN("X-Forwarded-Port"), span_text(port)) &&
           http_write_field(to, SPAN("X-Amzn-Trace-Id"), span_text(trace));
}

static bool write_upgrade(struct buf *to)
{
    return http_write_field(to, SPAN("Upgrade"), SPAN("websocket")) &&
           http_write_field(to, SPAN("Connection"), SPAN("Upgrade"));
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
    ok = ok && write_hop(to, m, client, trace);
    if (upgrade)
        ok = ok && write_upgrade(to);
    else
        ok = ok && http_write_framing(to, m);
    return ok && http_end_head(to);
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
