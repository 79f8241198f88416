/* headers.c -- which fields pass and which do not; see headers.h. */
#include "http/canonical.h"

#include "alb/config.h"
#include "alb/headers_private.h"

/* --- the request ------------------------------------------------------------ */

/* The operator calls one of our fields so: nobody else may. */
static bool is_renamed_to(const struct listener_headers *listener, struct span name)
{
    for (int i = 0; i < REQUEST_HEADERS; i++) {
        if (http_name_is_alike(name, listener->request_names[i]))
            return true;
    }
    return false;
}

/* What is written by us from what we know, never forwarded as it came. A
 * client's certificate is a matter of trust, so that goes for its fields on
 * listeners that ask for none as well. */
static bool is_ours(const struct http_field *f, const struct request_head *how)
{
    switch (f->id) {
    case HTTP_N_HOST:
    case HTTP_N_X_FORWARDED_PROTO:
    case HTTP_N_X_FORWARDED_PORT:
    case HTTP_N_X_AMZN_TRACE_ID:
    case HTTP_N_X_AMZN_MTLS_CLIENTCERT:
    case HTTP_N_X_AMZN_MTLS_CLIENTCERT_SERIAL_NUMBER:
    case HTTP_N_X_AMZN_MTLS_CLIENTCERT_ISSUER:
    case HTTP_N_X_AMZN_MTLS_CLIENTCERT_SUBJECT:
    case HTTP_N_X_AMZN_MTLS_CLIENTCERT_VALIDITY:
    case HTTP_N_X_AMZN_MTLS_CLIENTCERT_LEAF:
    case HTTP_N_EXPECT: /* answered here */
        return true;
    case HTTP_N_X_FORWARDED_FOR:
        return how->alb->xff_mode != XFF_PRESERVE;
    case HTTP_N_X_AMZN_TLS_VERSION:
    case HTTP_N_X_AMZN_TLS_CIPHER_SUITE:
        return how->alb->tls_headers;
    default:
        return http_is_hop_by_hop(f->id);
    }
}

static bool write_upgrade(struct buf *to)
{
    return http_write_field(to, SPAN("Upgrade"), SPAN("websocket")) &&
           http_write_field(to, SPAN("Connection"), SPAN("Upgrade"));
}

static bool write_trace(struct buf *to, const struct request_head *how)
{
    return http_write_field(to, http_name_text(HTTP_N_X_AMZN_TRACE_ID), how->trace);
}

static bool has(const struct http_message *m, enum http_name id)
{
    return http_find(m, id) != NULL;
}

static bool write_fields(struct buf *to, const struct http_message *m,
                         const struct request_head *how)
{
    const struct listener_headers *listener = how->listener;
    bool ok = true;

    for (size_t i = 0; ok && i < m->field_count; i++) {
        const struct http_field *f = &m->fields[i];
        if (is_ours(f, how) || http_is_listed(m, f) ||
            (listener->renames && is_renamed_to(listener, f->name)))
            continue;
        ok = http_write_field(to, f->name, f->value);
    }
    return ok;
}

bool headers_write_request(struct buf *to, const struct http_message *m,
                           const struct request_head *how)
{
    bool ok = http_write_request_line(to, m) && headers_write_host(to, m, how) &&
              write_fields(to, m, how) &&
              (how->upgrade ? write_upgrade(to) : http_write_framing(to, m));

    if (has(m, HTTP_N_X_FORWARDED_FOR) && how->alb->xff_mode == XFF_APPEND)
        ok = ok && headers_write_forwarded_for(to, m, how);
    if (has(m, HTTP_N_X_AMZN_TRACE_ID))
        ok = ok && write_trace(to, how);
    return ok;
}

bool headers_write_hop(struct buf *to, const struct http_message *m, const struct request_head *how)
{
    bool ok = true;

    if (!has(m, HTTP_N_X_FORWARDED_FOR) && how->alb->xff_mode == XFF_APPEND)
        ok = headers_write_forwarded_for(to, m, how);
    ok = ok && headers_write_listener(to, how);
    if (!has(m, HTTP_N_X_AMZN_TRACE_ID))
        ok = ok && write_trace(to, how);
    return ok && headers_write_tls(to, how) && http_end_head(to);
}

/* --- the response ------------------------------------------------------------ */

static const struct span response_names[RESPONSE_HEADERS] = {
    [RESPONSE_STRICT_TRANSPORT_SECURITY] = SPAN_INIT("Strict-Transport-Security"),
    [RESPONSE_ALLOW_ORIGIN] = SPAN_INIT("Access-Control-Allow-Origin"),
    [RESPONSE_ALLOW_METHODS] = SPAN_INIT("Access-Control-Allow-Methods"),
    [RESPONSE_ALLOW_HEADERS] = SPAN_INIT("Access-Control-Allow-Headers"),
    [RESPONSE_ALLOW_CREDENTIALS] = SPAN_INIT("Access-Control-Allow-Credentials"),
    [RESPONSE_EXPOSE_HEADERS] = SPAN_INIT("Access-Control-Expose-Headers"),
    [RESPONSE_MAX_AGE] = SPAN_INIT("Access-Control-Max-Age"),
    [RESPONSE_CONTENT_SECURITY_POLICY] = SPAN_INIT("Content-Security-Policy"),
    [RESPONSE_CONTENT_TYPE_OPTIONS] = SPAN_INIT("X-Content-Type-Options"),
    [RESPONSE_FRAME_OPTIONS] = SPAN_INIT("X-Frame-Options"),
};

struct span headers_response_name(enum response_header which)
{
    return response_names[which];
}

/* The listener's own value goes out in place of this field. */
static bool is_replaced(const struct http_field *f, const struct response_head *how)
{
    if (f->id == HTTP_N_SERVER)
        return how->listener->hides_server;
    for (int i = 0; !how->upgrade && i < RESPONSE_HEADERS; i++) {
        if ((how->listener->inserted & (1U << i)) && span_equal_nocase(f->name, response_names[i]))
            return true;
    }
    return false;
}

/* A 1.1 client takes a persistent connection for granted. */
static bool write_connection(struct buf *to, const struct response_head *how)
{
    if (how->close)
        return http_write_field(to, SPAN("Connection"), SPAN("close"));
    return !how->client_is_1_0 || http_write_field(to, SPAN("Connection"), SPAN("keep-alive"));
}

/* Of a 101 only what WebSocket needs: a browser shows it to no page, and some
 * clients take every field more for a fault. */
static bool write_end(struct buf *to, const struct http_message *m, const struct response_head *how)
{
    if (how->upgrade)
        return write_upgrade(to) && http_end_head(to);
    return buf_put(to, span_text(how->listener->lines)) && http_write_framing(to, m) &&
           write_connection(to, how) && http_end_head(to);
}

bool headers_write_response(struct buf *to, const struct http_message *m,
                            const struct response_head *how)
{
    const struct listener_headers *listener = how->listener;
    const bool replaces = listener->hides_server || listener->inserted != 0;
    bool ok = http_write_status_line(to, m->status, m->reason_phrase);

    for (size_t i = 0; ok && i < m->field_count; i++) {
        const struct http_field *f = &m->fields[i];
        if (http_is_hop_by_hop(f->id) || http_is_listed(m, f) || (replaces && is_replaced(f, how)))
            continue;
        ok = http_write_field(to, f->name, f->value);
    }
    for (const char *const *c = how->cookies; ok && c != NULL && *c != NULL; c++)
        ok = http_write_field(to, SPAN("Set-Cookie"), span_text(*c));
    return ok && write_end(to, m, how);
}
