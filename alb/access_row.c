/*
 * access_row.c -- the managed balancer's own form; see access_row.h.
 *
 * A field that it quotes is quoted here, and no others.
 */
#include "alb/access_row.h"

#include "base/mem.h"
#include "http/message.h"

#include "alb/headers.h"
#include "alb/log_buffer.h"
#include "alb/log_put.h"
#include "alb/target.h"

/* What a row needs beside its texts: 34 fields, of which no other is longer than a
 * name or an address, and ours. */
enum { FIXED_BOUND = 2048 };

static char *put_text(char *at, struct span text)
{
    return text.len == 0 ? LOG_PUT(at, "-") : log_put_copy(at, text);
}

static char *put_quoted(char *at, struct span text)
{
    *at++ = '"';
    at = put_text(at, text);
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

/* --- what is known when a request comes ---------------------------------------- */

/* Those of a redirect and of a transform. */
static bool has_rare_texts(const struct access_entry *e)
{
    const struct span *rare = e->text + ACCESS_REDIRECT_URL;

    return (rare[0].len | rare[1].len | rare[2].len) != 0;
}

/* From now on it is there. */
static char *move_text(char *at, struct span *text)
{
    char *const end = log_put_copy(at, *text);

    text->ptr = at;
    return end;
}

static char *move_or_dash(char *at, struct span *text)
{
    return text->len == 0 ? LOG_PUT(at, "-") : move_text(at, text);
}

/* scheme://host:port */
static char *put_origin(char *at, const struct access_client *c, struct span *host)
{
    const bool has_port = access_host_has_port(*host);

    at = c->is_https ? LOG_PUT(at, "https://") : LOG_PUT(at, "http://");
    at = host->len > 0 ? move_text(at, host) : log_put_ip(at, &c->local, true);
    if (has_port)
        return at;
    *at++ = ':';
    return log_put_number(at, c->listener_port);
}

/* METHOD scheme://host:port/uri HTTP/x.y */
static char *put_request(char *at, struct access_entry *e)
{
    struct span *const texts = e->text;
    const bool is_known = texts[ACCESS_METHOD].len > 0;

    *at++ = '"';
    at = move_or_dash(at, &texts[ACCESS_METHOD]);
    *at++ = ' ';
    if (!e->is_absolute || !is_known)
        at = put_origin(at, e->client, &texts[ACCESS_HOST]);
    if (!is_known)
        return LOG_PUT(at, "- -\" ");
    at = move_text(at, &texts[ACCESS_TARGET]);
    at = LOG_PUT(at, " HTTP/1.");
    *at++ = (char)('0' + e->minor);
    return LOG_PUT(at, "\" ");
}

static char *put_priority(char *at, const struct access_entry *e)
{
    if (e->rule_priority == ACCESS_RULE_ERROR)
        return LOG_PUT(at, "-1 ");
    if (e->rule_priority == ACCESS_RULE_NONE)
        return LOG_PUT(at, "- ");
    return log_put_number_blank(at, (uint64_t)e->rule_priority);
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
static char *put_asked(char *at, struct access_entry *e, struct log_buffer *b)
{
    struct span *const texts = e->text;
    const struct access_client *c = e->client;

    at = put_request(at, e);
    *at++ = '"';
    at = move_or_dash(at, &texts[ACCESS_AGENT]);
    at = LOG_PUT(at, "\" ");
    at = c->is_https ? put_tls(at, c) : LOG_PUT(at, "- - ");
    at = move_or_dash(at, &texts[ACCESS_GROUP]);
    at = LOG_PUT(at, " \"");
    at = move_or_dash(at, &texts[ACCESS_TRACE]);
    at = LOG_PUT(at, "\" ");
    at = c->is_https ? put_certificate(at, c) : LOG_PUT(at, "\"-\" \"-\" ");
    at = put_priority(at, e);
    at = log_buffer_time(b, LOG_TIME_CREATED, at, e->created_wall_us);
    *at++ = ' ';
    return at;
}

/* Of the client's certificate and ours, which are escaped whatever the texts are. */
static size_t bound_of_names(const struct access_client *c)
{
    size_t bytes = 0;

    if (c->sni != NULL)
        bytes += strlen(c->sni);
    if (c->chosen_cert != NULL)
        bytes += strlen(c->chosen_cert);
    return LOG_SAFE_FACTOR * bytes;
}

/* Beside the texts: an address, a port, the names of a cipher and a protocol, a time. */
enum { AHEAD_BOUND = 256 };

size_t access_ahead_room(const struct access_entry *e)
{
    return AHEAD_BOUND + (e->client->is_https ? bound_of_names(e->client) : 0) + e->texts_len;
}

/* Those that are not in these fields. */
static char *move_others(char *at, struct access_entry *e)
{
    if (e->is_absolute)
        at = move_text(at, &e->text[ACCESS_HOST]);
    if (!has_rare_texts(e))
        return at;
    for (int i = ACCESS_REDIRECT_URL; i < ACCESS_TEXTS; i++)
        at = move_text(at, &e->text[i]);
    return at;
}

/* The texts stand behind each other afterwards. True when all are in these fields. */
static bool write_ahead(struct access_entry *e, struct log_buffer *b)
{
    char *const end = put_asked(e->texts, e, b), *const all = move_others(end, e);

    e->ahead_len = (uint32_t)(end - e->texts);
    e->texts_len = (uint32_t)(all - e->texts);
    return all == end;
}

/* The texts of put_request() as one, with what is between them. */
static struct span line_of(const struct span t[ACCESS_TEXTS])
{
    const char *const line = t[ACCESS_METHOD].ptr, *const target = t[ACCESS_TARGET].ptr;

    return t[ACCESS_METHOD].len == 0
               ? t[ACCESS_HOST]
               : span_of(line, (size_t)(target - line) + t[ACCESS_TARGET].len);
}

/* A trace id is mostly ours alone. */
static bool fields_are_safe(const struct span t[ACCESS_TEXTS])
{
    const struct span trace = t[ACCESS_TRACE];
    const struct span parts[] = { line_of(t), t[ACCESS_AGENT], t[ACCESS_GROUP],
                                  headers_trace_is_ours(trace) ? SPAN("") : trace };

    return log_are_safe(parts, sizeof(parts) / sizeof(parts[0]));
}

void access_row_ahead(struct access_entry *e, struct log_buffer *b)
{
    const bool are_all = write_ahead(e, b);

    if (!fields_are_safe(e->text) || !(are_all || access_is_safe(e)))
        e->ahead_len = 0;
}

/* --- when it has been answered ------------------------------------------------- */

/* With a blank. Every status has three digits. */
static inline char *put_status(char *at, uint16_t status)
{
    return status == 0 ? LOG_PUT(at, "- ") : log_put_triple(at, status);
}

/* A target on a Unix socket gets a port, which the readers of this field expect. Its
 * path has no blanks. */
static char *put_path(char *at, const struct target *t)
{
    return LOG_PUT(log_put_safe(at, span_of(t->text, t->text_len)), ":0");
}

static inline char *put_target(char *at, const struct target *t)
{
    if (t == NULL)
        return LOG_PUT(at, "-");
    return t->addr.sa.sa_family == AF_UNIX ? put_path(at, t)
                                           : log_put_copy(at, span_of(t->text, t->text_len));
}

static char *put_times(char *at, const struct access_entry *e)
{
    uint64_t us[3];

    if (!access_times(e, us))
        return LOG_PUT(at, "-1 -1 -1 ");
    at = log_put_seconds_blank(at, us[0]);
    at = log_put_seconds_blank(at, us[1]);
    return log_put_seconds_blank(at, us[2]);
}

/* 1 to 12 */
static char *put_numbers(char *at, const struct access_entry *e, struct log_buffer *b,
                         struct span elb, uint64_t now_us)
{
    at = log_put_block(at, access_type(e));
    *at++ = ' ';
    at = log_buffer_time(b, LOG_TIME_WRITTEN, at, now_us);
    *at++ = ' ';
    at = log_put_copy(at, elb);
    *at++ = ' ';
    at = log_put_padded(at, span_of(e->client->peer, e->client->peer_len));
    *at++ = ' ';
    at = put_target(at, e->target);
    *at++ = ' ';
    at = put_times(at, e);
    at = put_status(at, e->elb_status);
    at = put_status(at, e->target_status);
    at = log_put_number_blank(at, e->received);
    return log_put_number_blank(at, e->sent);
}

/* 23 to 29 */
static char *put_outcome(char *at, const struct access_entry *e)
{
    *at++ = '"';
    at = log_put_block(at, access_actions(e));
    at = LOG_PUT(at, "\" ");
    if (e->text[ACCESS_REDIRECT_URL].len == 0 && e->error == NULL) {
        at = LOG_PUT(at, "\"-\" \"-\" ");
    } else {
        at = put_quoted(at, e->text[ACCESS_REDIRECT_URL]);
        at = put_quoted_literal(at, e->error);
    }
    *at++ = '"';
    at = put_target(at, e->target);
    at = LOG_PUT(at, "\" \"");
    at = put_status(at, e->target_status) - 1;
    at = LOG_PUT(at, "\" ");
    if (e->class_ == HTTP_COMPLIANT)
        return LOG_PUT(at, "\"-\" \"-\" ");
    at = put_quoted_literal(at, http_class_name((enum http_class)e->class_));
    return put_quoted_literal(at, http_reason_name((enum http_reason)e->reason));
}

/* 30 to 34 */
static char *put_last(char *at, const struct access_entry *e)
{
    const struct access_client *c = e->client;

    at = log_put_padded(at, span_of(c->id, c->id_len));
    *at++ = ' ';
    if (e->transform == NULL) {
        at = LOG_PUT(at, "\"-\" \"-\" \"-\" ");
    } else {
        at = put_quoted(at, e->text[ACCESS_TRANSFORMED_HOST]);
        at = put_quoted(at, e->text[ACCESS_TRANSFORMED_URI]);
        at = put_quoted_literal(at, e->transform);
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

/* The names of a client with TLS are among the texts that were written ahead. */
static size_t bound_of(const struct access_entry *e, struct span elb)
{
    const size_t target = e->target == NULL ? 0 : e->target->text_len;

    return FIXED_BOUND + e->texts_len + LOG_SAFE_FACTOR * 2 * target + elb.len;
}

/* None of its texts has anything to be escaped. */
static void write_row(struct log_buffer *b, const struct access_entry *e, struct span elb,
                      uint64_t now_us)
{
    char *const row = log_buffer_begin(b, bound_of(e, elb));
    char *at = put_numbers(row, e, b, elb, now_us);

    at = log_put_text(at, span_of(e->texts, e->ahead_len));
    at = put_outcome(at, e);
    at = put_last(at, e);
    at = put_ours(at, e);
    log_buffer_end(b, (size_t)(at - row));
}

/* Of one that has only its texts: another, which has them escaped and the fields ahead. */
static struct access_entry *make_late(struct log_buffer *b, const struct access_entry *e)
{
    const size_t most = LOG_SAFE_FACTOR * e->texts_len + LOG_SAFE_SPARE;
    char *const escaped = mem_check(malloc(most)), *end = escaped;
    struct access_entry *late = mem_check(malloc(sizeof(*e) + access_ahead_room(e) + most));

    *late = *e;
    for (int i = 0; i < ACCESS_TEXTS; i++) {
        char *const begin = end;
        end = log_put_safe(begin, e->text[i]);
        late->text[i] = span_of(begin, (size_t)(end - begin));
    }
    write_ahead(late, b);
    free(escaped);
    return late;
}

void access_row_alb(struct log_buffer *b, const struct access_entry *e, struct span elb,
                    uint64_t now_us)
{
    struct access_entry *late = e->ahead_len > 0 ? NULL : make_late(b, e);

    write_row(b, late == NULL ? e : late, elb, now_us);
    free(late);
}
