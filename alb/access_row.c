/*
 * access_row.c -- the managed balancer's own form; see access_row.h.
 *
 * A field that it quotes is quoted here, and no others.
 */
#include "alb/access_row.h"

#include "http/message.h"

#include "alb/log_buffer.h"
#include "alb/log_put.h"
#include "alb/target.h"

/* What a row needs beside its texts: 34 fields, of which no other is longer than a
 * name or an address, and ours. */
enum { FIXED_BOUND = 2048 };

/* What its fields are made from. */
struct row {
    const struct access_entry *e;
    struct span target; /* its text; empty without one */
    bool is_safe;       /* of no text is a byte to be escaped */
};

static char *put_text(char *at, const struct row *r, enum access_text which)
{
    const struct span text = access_text(r->e, which);

    if (text.len == 0)
        return LOG_PUT(at, "-");
    return r->is_safe ? log_put_padded(at, text) : log_put_safe(at, text);
}

static char *put_quoted(char *at, const struct row *r, enum access_text which)
{
    *at++ = '"';
    at = put_text(at, r, which);
    return LOG_PUT(at, "\" ");
}

/* NULL and "" are a dash. */
static char *put_quoted_literal(char *at, const char *text)
{
    if (text == NULL || text[0] == '\0')
        return LOG_PUT(at, "\"-\" ");
    *at++ = '"';
    at = log_put_safe(at, span_text(text));
    return LOG_PUT(at, "\" ");
}

/* Three digits, which every status has. */
static char *put_status(char *at, uint16_t status)
{
    return status == 0 ? LOG_PUT(at, "-") : log_put_digits(at, status);
}

/* A target on a Unix socket gets a port, which the readers of this field expect. Its
 * path has no blanks. */
static char *put_target(char *at, const struct row *r)
{
    if (r->target.len == 0)
        return LOG_PUT(at, "-");
    if (r->e->target->addr.sa.sa_family != AF_UNIX)
        return log_put_text(at, r->target);
    return LOG_PUT(log_put_safe(at, r->target), ":0");
}

static char *put_times(char *at, const struct access_entry *e)
{
    uint64_t us[3];

    if (!access_times(e, us))
        return LOG_PUT(at, "-1 -1 -1 ");
    if (us[0] < 1000 && us[1] < 1000 && us[2] < 1000)
        return LOG_PUT(at, "0.000 0.000 0.000 ");
    for (int i = 0; i < 3; i++) {
        at = log_put_seconds(at, us[i]);
        *at++ = ' ';
    }
    return at;
}

/* scheme://host:port */
static char *put_origin(char *at, const struct row *r)
{
    const struct access_client *c = r->e->client;
    const struct span host = access_text(r->e, ACCESS_HOST);

    at = c->is_https ? LOG_PUT(at, "https://") : LOG_PUT(at, "http://");
    at = host.len > 0 ? put_text(at, r, ACCESS_HOST) : log_put_ip(at, &c->local, true);
    if (access_host_has_port(host))
        return at;
    *at++ = ':';
    return log_put_number(at, c->listener_port);
}

/* METHOD scheme://host:port/uri HTTP/x.y */
static char *put_request(char *at, const struct row *r)
{
    *at++ = '"';
    if (access_text(r->e, ACCESS_METHOD).len == 0) {
        at = put_origin(LOG_PUT(at, "- "), r);
        return LOG_PUT(at, "- -\" ");
    }
    at = put_text(at, r, ACCESS_METHOD);
    *at++ = ' ';
    if (!r->e->is_absolute)
        at = put_origin(at, r);
    if (access_text(r->e, ACCESS_TARGET).len > 0)
        at = put_text(at, r, ACCESS_TARGET);
    at = LOG_PUT(at, " HTTP/1.");
    *at++ = (char)('0' + r->e->minor);
    return LOG_PUT(at, "\" ");
}

/* 1 to 12 */
static char *put_numbers(char *at, const struct row *r, struct log_buffer *b, struct span elb,
                         uint64_t now_us)
{
    const struct access_entry *e = r->e;

    at = log_put_padded(at, access_type(e));
    *at++ = ' ';
    at = log_buffer_time(b, LOG_TIME_WRITTEN, at, now_us);
    *at++ = ' ';
    at = log_put_text(at, elb);
    *at++ = ' ';
    at = log_put_padded(at, span_of(e->client->peer, e->client->peer_len));
    *at++ = ' ';
    at = put_target(at, r);
    *at++ = ' ';
    at = put_times(at, e);
    at = put_status(at, e->elb_status);
    *at++ = ' ';
    at = put_status(at, e->target_status);
    *at++ = ' ';
    at = log_put_number(at, e->received);
    *at++ = ' ';
    at = log_put_number(at, e->sent);
    *at++ = ' ';
    return at;
}

static char *put_priority(char *at, const struct access_entry *e)
{
    if (e->rule_priority == ACCESS_RULE_ERROR)
        at = LOG_PUT(at, "-1");
    else if (e->rule_priority == ACCESS_RULE_NONE)
        at = LOG_PUT(at, "-");
    else
        at = log_put_number(at, (uint64_t)e->rule_priority);
    *at++ = ' ';
    return at;
}

/* 15 and 16 */
static char *put_tls(char *at, const struct access_client *c)
{
    const struct span fields[2] = { span_text(c->cipher), span_text(c->protocol) };

    for (int i = 0; i < 2; i++) {
        at = fields[i].len == 0 ? LOG_PUT(at, "-") : log_put_text(at, fields[i]);
        *at++ = ' ';
    }
    return at;
}

/* 19 and 20 */
static char *put_certificate(char *at, const struct access_client *c)
{
    at = put_quoted_literal(at, c->sni);
    return put_quoted_literal(at, c->resumed ? "session-reused" : c->chosen_cert);
}

/* 13 to 22 */
static char *put_texts(char *at, const struct row *r, struct log_buffer *b)
{
    const struct access_client *c = r->e->client;

    at = put_request(at, r);
    at = put_quoted(at, r, ACCESS_AGENT);
    at = c->is_https ? put_tls(at, c) : LOG_PUT(at, "- - ");
    at = put_text(at, r, ACCESS_GROUP);
    *at++ = ' ';
    at = put_quoted(at, r, ACCESS_TRACE);
    at = c->is_https ? put_certificate(at, c) : LOG_PUT(at, "\"-\" \"-\" ");
    at = put_priority(at, r->e);
    at = log_buffer_time(b, LOG_TIME_CREATED, at, r->e->created_wall_us);
    *at++ = ' ';
    return at;
}

/* 23 to 29 */
static char *put_outcome(char *at, const struct row *r)
{
    const struct access_entry *e = r->e;

    *at++ = '"';
    at = log_put_padded(at, access_actions(e));
    at = LOG_PUT(at, "\" ");
    at = put_quoted(at, r, ACCESS_REDIRECT_URL);
    at = put_quoted_literal(at, e->error);
    *at++ = '"';
    at = put_target(at, r);
    at = LOG_PUT(at, "\" \"");
    at = put_status(at, e->target_status);
    at = LOG_PUT(at, "\" ");
    if (e->class_ == HTTP_COMPLIANT)
        return LOG_PUT(at, "\"-\" \"-\" ");
    at = put_quoted_literal(at, http_class_name((enum http_class)e->class_));
    return put_quoted_literal(at, http_reason_name((enum http_reason)e->reason));
}

/* 30 to 34 */
static char *put_last(char *at, const struct row *r)
{
    const struct access_client *c = r->e->client;

    at = log_put_padded(at, span_of(c->id, c->id_len));
    *at++ = ' ';
    if (r->e->transform == NULL) {
        at = LOG_PUT(at, "\"-\" \"-\" \"-\" ");
    } else {
        at = put_quoted(at, r, ACCESS_TRANSFORMED_HOST);
        at = put_quoted(at, r, ACCESS_TRANSFORMED_URI);
        at = put_quoted_literal(at, r->e->transform);
    }
    return log_put_padded(at, span_of(c->node, c->node_len));
}

/* Ours of a tunnel, as key=value. */
static char *put_tunnel(char *at, const struct access_entry *e)
{
    at = log_put_number(LOG_PUT(at, " client_frames="), e->frames[0]);
    at = log_put_number(LOG_PUT(at, " target_frames="), e->frames[1]);
    at = log_put_number(LOG_PUT(at, " client_close="), e->close_code[0]);
    return log_put_number(LOG_PUT(at, " target_close="), e->close_code[1]);
}

/* Who announced the client, as key=value. */
static char *put_announced(char *at, const struct announced *a)
{
    if (a->via.family == 0)
        return at;
    at = log_put_ip(LOG_PUT(at, " via="), &a->via, true);
    *at++ = ':';
    at = log_put_number(at, a->via_port);
    return a->endpoint_id[0] == '\0'
               ? at
               : log_put_safe(LOG_PUT(at, " vpce="), span_text(a->endpoint_id));
}

static char *put_ours(char *at, const struct access_entry *e)
{
    at = put_announced(at, &e->client->announced);
    if (e->end != NULL) {
        at = LOG_PUT(at, " end=\"");
        at = log_put_safe(at, span_text(e->end));
        *at++ = '"';
    }
    if (e->is_websocket)
        at = put_tunnel(at, e);
    if (e->client->viewer.ip.family != 0)
        at = access_put_viewer(LOG_PUT(at, " viewer="), &e->client->viewer);
    *at++ = '\n';
    return at;
}

static size_t bound_of(const struct row *r, struct span elb)
{
    const struct access_client *c = r->e->client;
    size_t texts = r->e->text_at[ACCESS_TEXTS] + 2 * r->target.len;

    if (c->sni != NULL)
        texts += strlen(c->sni);
    if (c->chosen_cert != NULL)
        texts += strlen(c->chosen_cert);
    return FIXED_BOUND + LOG_SAFE_FACTOR * texts + elb.len;
}

void access_row_alb(struct log_buffer *b, const struct access_entry *e, struct span elb,
                    uint64_t now_us)
{
    struct row r = { .e = e };

    r.is_safe = log_is_safe(span_of(e->texts, e->text_at[ACCESS_TEXTS]));
    if (e->target != NULL)
        r.target = span_text(e->target->text);
    char *const row = log_buffer_begin(b, bound_of(&r, elb));
    char *at = put_numbers(row, &r, b, elb, now_us);
    at = put_texts(at, &r, b);
    at = put_outcome(at, &r);
    at = put_last(at, &r);
    at = put_ours(at, e);
    log_buffer_end(b, (size_t)(at - row));
}
