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

static char *put_or_dash(char *at, struct span text)
{
    return text.len == 0 ? LOG_PUT(at, "-") : log_put_safe(at, text);
}

static char *put_quoted(char *at, struct span text)
{
    if (text.len == 0)
        return LOG_PUT(at, "\"-\" ");
    *at++ = '"';
    at = log_put_safe(at, text);
    return LOG_PUT(at, "\" ");
}

static char *put_literal(char *at, const char *text)
{
    if (text == NULL || text[0] == '\0')
        return LOG_PUT(at, "- ");
    at = log_put_text(at, span_text(text));
    *at++ = ' ';
    return at;
}

static char *put_quoted_literal(char *at, const char *text)
{
    if (text == NULL)
        return LOG_PUT(at, "\"-\" ");
    *at++ = '"';
    at = log_put_text(at, span_text(text));
    return LOG_PUT(at, "\" ");
}

/* Three digits, which every status has. */
static char *put_status(char *at, uint16_t status)
{
    return status == 0 ? LOG_PUT(at, "-") : log_put_digits(at, status);
}

/* A target on a Unix socket gets a port, which the readers of this field expect. Its
 * path has no blanks. */
static char *put_target(char *at, const struct target *t)
{
    if (t == NULL)
        return LOG_PUT(at, "-");
    if (t->addr.sa.sa_family != AF_UNIX)
        return log_put_text(at, span_text(t->text));
    return LOG_PUT(log_put_safe(at, span_text(t->text)), ":0");
}

static char *put_times(char *at, const struct access_entry *e)
{
    uint64_t us[3];

    if (!access_times(e, us))
        return LOG_PUT(at, "-1 -1 -1 ");
    for (int i = 0; i < 3; i++) {
        if (us[i] < 1000) {
            at = LOG_PUT(at, "0.000 ");
            continue;
        }
        at = log_put_seconds(at, us[i]);
        *at++ = ' ';
    }
    return at;
}

/* scheme://host:port */
static char *put_origin(char *at, const struct access_entry *e, struct span host)
{
    at = e->client->is_https ? LOG_PUT(at, "https://") : LOG_PUT(at, "http://");
    at = host.len > 0 ? log_put_safe(at, host) : log_put_ip(at, &e->client->local, true);
    if (access_host_has_port(host))
        return at;
    *at++ = ':';
    return log_put_number(at, e->client->listener_port);
}

/* METHOD scheme://host:port/uri HTTP/x.y */
static char *put_request(char *at, const struct access_entry *e, const struct span *text)
{
    *at++ = '"';
    if (text[ACCESS_METHOD].len == 0) {
        at = put_origin(LOG_PUT(at, "- "), e, text[ACCESS_HOST]);
        return LOG_PUT(at, "- -\" ");
    }
    at = log_put_text(at, text[ACCESS_METHOD]); /* a token */
    *at++ = ' ';
    if (!e->is_absolute)
        at = put_origin(at, e, text[ACCESS_HOST]);
    at = log_put_safe(at, text[ACCESS_TARGET]);
    at = LOG_PUT(at, " HTTP/1.");
    *at++ = (char)('0' + e->minor);
    return LOG_PUT(at, "\" ");
}

/* access_type(), of which the last letter alone tells TLS. */
static char *put_type(char *at, const struct access_entry *e)
{
    at = e->is_websocket ? LOG_PUT(at, "ws") : LOG_PUT(at, "http");
    if (e->client->is_https)
        *at++ = 's';
    *at++ = ' ';
    return at;
}

/* 1 to 12. The target's name is for put_lists() as well. */
static char *put_numbers(char *at, struct log_buffer *b, const struct access_entry *e,
                         struct span elb, uint64_t now_us, struct span *target)
{
    at = put_type(at, e);
    at = log_buffer_time(b, at, now_us);
    *at++ = ' ';
    at = log_put_text(at, elb);
    *at++ = ' ';
    at = log_put_array(at, e->client->peer, e->client->peer_len);
    *at++ = ' ';
    target->ptr = at;
    at = put_target(at, e->target);
    target->len = (size_t)(at - target->ptr);
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

/* 19 and 20: only TLS has them. */
static char *put_names(char *at, const struct access_client *c)
{
    if (!c->is_https)
        return LOG_PUT(at, "\"-\" \"-\" ");
    at = put_quoted(at, span_text(c->sni));
    return put_quoted(at, span_text(c->resumed ? "session-reused" : c->chosen_cert));
}

/* 13 to 25 */
static char *put_texts(char *at, struct log_buffer *b, const struct access_entry *e,
                       const struct span *text)
{
    at = put_request(at, e, text);
    at = put_quoted(at, text[ACCESS_AGENT]);
    at = put_literal(at, e->client->cipher);
    at = put_literal(at, e->client->protocol);
    at = put_or_dash(at, text[ACCESS_GROUP]);
    *at++ = ' ';
    at = put_quoted(at, text[ACCESS_TRACE]);
    at = put_names(at, e->client);
    at = put_priority(at, e);
    at = log_buffer_time(b, at, e->created_us);
    *at++ = ' ';
    at = put_quoted_literal(at, access_actions(e));
    at = put_quoted(at, text[ACCESS_REDIRECT_URL]);
    return put_quoted_literal(at, e->error);
}

/* 26 to 34 */
static char *put_lists(char *at, const struct access_entry *e, const struct span *text,
                       struct span target)
{
    *at++ = '"';
    at = log_put_array(at, target.ptr, target.len);
    at = LOG_PUT(at, "\" \"");
    at = put_status(at, e->target_status);
    at = LOG_PUT(at, "\" ");
    if (e->class_ == HTTP_COMPLIANT) {
        at = LOG_PUT(at, "\"-\" \"-\" ");
    } else {
        at = put_quoted_literal(at, http_class_name((enum http_class)e->class_));
        at = put_quoted_literal(at, http_reason_name((enum http_reason)e->reason));
    }
    at = log_put_array(at, e->client->id, e->client->id_len);
    *at++ = ' ';
    at = put_quoted(at, text[ACCESS_TRANSFORMED_HOST]);
    at = put_quoted(at, text[ACCESS_TRANSFORMED_URI]);
    at = put_quoted_literal(at, e->transform);
    return log_put_array(at, e->client->node, e->client->node_len);
}

/* Ours, as key=value. */
static char *put_extras(char *at, const struct access_entry *e)
{
    const struct {
        struct span name;
        uint64_t value;
    } tunnel[] = {
        { SPAN_INIT(" client_frames="), e->frames[0] },
        { SPAN_INIT(" target_frames="), e->frames[1] },
        { SPAN_INIT(" client_close="), e->close_code[0] },
        { SPAN_INIT(" target_close="), e->close_code[1] },
    };

    if (e->end != NULL) {
        at = LOG_PUT(at, " end=\"");
        at = log_put_safe(at, span_text(e->end));
        *at++ = '"';
    }
    for (size_t i = 0; e->is_websocket && i < sizeof(tunnel) / sizeof(tunnel[0]); i++)
        at = log_put_number(log_put_text(at, tunnel[i].name), tunnel[i].value);
    *at++ = '\n';
    return at;
}

static size_t bound_of(const struct access_entry *e, struct span elb)
{
    size_t texts = e->texts_len;

    if (e->client->sni != NULL)
        texts += strlen(e->client->sni);
    if (e->client->chosen_cert != NULL)
        texts += strlen(e->client->chosen_cert);
    if (e->target != NULL)
        texts += 2 * strlen(e->target->text);
    return FIXED_BOUND + LOG_SAFE_FACTOR * texts + elb.len;
}

void access_row_alb(struct log_buffer *b, const struct access_entry *e, struct span elb,
                    uint64_t now_us)
{
    struct span text[ACCESS_TEXTS], target;
    char *const row = log_buffer_begin(b, bound_of(e, elb));

    access_texts(e, text);
    char *at = put_numbers(row, b, e, elb, now_us, &target);
    at = put_texts(at, b, e, text);
    at = put_lists(at, e, text, target);
    at = put_extras(at, e);
    log_buffer_end(b, (size_t)(at - row));
}
