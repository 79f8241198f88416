/*
 * access_json.c -- the access log as one JSON object a line; see access_row.h.
 *
 * The fields' names are the managed balancer's. Numbers are numbers; what has a dash in
 * the other form is null. Texts are UTF-8 whatever came.
 */
#include "alb/access_row.h"

#include "base/mem.h"
#include "http/message.h"

#include "alb/log_buffer.h"
#include "alb/log_json.h"
#include "alb/log_put.h"
#include "alb/target.h"

enum { FIXED_BOUND = 4096 };

static void put_status(struct log_json *j, const char *name, uint16_t status)
{
    if (status == 0)
        log_json_null(j, name);
    else
        log_json_number(j, name, status);
}

static void put_times(struct log_json *j, const struct access_entry *e)
{
    static const char *const names[3] = { "request_processing_time", "target_processing_time",
                                          "response_processing_time" };
    uint64_t us[3];
    const bool known = access_times(e, us);

    for (int i = 0; i < 3; i++) {
        if (known)
            log_json_seconds(j, names[i], us[i]);
        else
            log_json_raw(j, names[i], SPAN("-1"));
    }
}

/* scheme://host:port */
static char *put_origin(char *at, const struct access_entry *e)
{
    const struct span host = e->text[ACCESS_HOST];

    at = e->client->is_https ? LOG_PUT(at, "https://") : LOG_PUT(at, "http://");
    at = host.len > 0 ? log_put_text(at, host) : log_put_ip(at, &e->client->local, true);
    if (access_host_has_port(host))
        return at;
    *at++ = ':';
    return log_put_number(at, e->client->listener_port);
}

/* METHOD scheme://host:port/uri HTTP/x.y, as it came. */
static char *put_line(char *at, const struct access_entry *e)
{
    if (e->text[ACCESS_METHOD].len == 0)
        return LOG_PUT(put_origin(LOG_PUT(at, "- "), e), "- -");
    at = log_put_text(at, e->text[ACCESS_METHOD]);
    *at++ = ' ';
    if (!e->is_absolute)
        at = put_origin(at, e);
    at = LOG_PUT(log_put_text(at, e->text[ACCESS_TARGET]), " HTTP/1.");
    *at++ = (char)('0' + e->minor);
    return at;
}

static void put_request(struct log_json *j, const struct access_entry *e, size_t size)
{
    if (access_is_safe(e)) {
        log_json_name(j, "request");
        *j->at++ = '"';
        j->at = put_line(j->at, e);
        *j->at++ = '"';
        return;
    }
    char *const line = mem_check(malloc(size));
    log_json_text(j, "request", span_of(line, (size_t)(put_line(line, e) - line)));
    free(line);
}

static void put_time(struct log_json *j, const char *name, enum log_time which, uint64_t us)
{
    log_json_name(j, name);
    *j->at++ = '"';
    j->at = log_buffer_time(j->buffer, which, j->at, us);
    *j->at++ = '"';
}

static void put_first(struct log_json *j, const struct access_entry *e, struct span elb,
                      uint64_t now_us)
{
    log_json_text(j, "type", access_type(e));
    put_time(j, "time", LOG_TIME_WRITTEN, now_us);
    log_json_text(j, "elb", elb);
    log_json_text(j, "client:port", span_of(e->client->peer, e->client->peer_len));
    log_json_text_or_null(j, "target:port", span_text(e->target == NULL ? "" : e->target->text));
    put_times(j, e);
    put_status(j, "elb_status_code", e->elb_status);
    put_status(j, "target_status_code", e->target_status);
    log_json_number(j, "received_bytes", e->received);
    log_json_number(j, "sent_bytes", e->sent);
}

static void put_rest(struct log_json *j, const struct access_entry *e)
{
    log_json_text_or_null(j, "user_agent", e->text[ACCESS_AGENT]);
    log_json_text_or_null(j, "ssl_cipher", span_text(e->client->cipher));
    log_json_text_or_null(j, "ssl_protocol", span_text(e->client->protocol));
    log_json_text_or_null(j, "target_group_arn", e->text[ACCESS_GROUP]);
    log_json_text_or_null(j, "trace_id", e->text[ACCESS_TRACE]);
    log_json_text_or_null(j, "domain_name", span_text(e->client->sni));
    log_json_text_or_null(
        j, "chosen_cert_arn",
        span_text(e->client->resumed ? "session-reused" : e->client->chosen_cert));
    if (e->rule_priority == ACCESS_RULE_ERROR)
        log_json_raw(j, "matched_rule_priority", SPAN("-1"));
    else if (e->rule_priority == ACCESS_RULE_NONE)
        log_json_null(j, "matched_rule_priority");
    else
        log_json_number(j, "matched_rule_priority", (uint64_t)e->rule_priority);
    put_time(j, "request_creation_time", LOG_TIME_CREATED, e->created_wall_us);
    log_json_text_or_null(j, "actions_executed",
                          e->action == ACCESS_NONE ? SPAN("") : access_actions(e));
    log_json_text_or_null(j, "redirect_url", e->text[ACCESS_REDIRECT_URL]);
    log_json_text_or_null(j, "error_reason", span_text(e->error));
}

static void put_last(struct log_json *j, const struct access_entry *e)
{
    const bool odd = e->class_ != HTTP_COMPLIANT;

    log_json_text_or_null(j, "target:port_list",
                          span_text(e->target == NULL ? "" : e->target->text));
    put_status(j, "target_status_code_list", e->target_status);
    log_json_text_or_null(j, "classification",
                          odd ? span_text(http_class_name((enum http_class)e->class_)) : SPAN(""));
    log_json_text_or_null(j, "classification_reason",
                          odd ? span_text(http_reason_name((enum http_reason)e->reason))
                              : SPAN(""));
    log_json_text(j, "conn_trace_id", span_of(e->client->id, e->client->id_len));
    log_json_text_or_null(j, "transformed_host", e->text[ACCESS_TRANSFORMED_HOST]);
    log_json_text_or_null(j, "transformed_uri", e->text[ACCESS_TRANSFORMED_URI]);
    log_json_text_or_null(j, "request_transform_status", span_text(e->transform));
    log_json_text(j, "ip_address", span_of(e->client->node, e->client->node_len));
}

/* Nothing when nobody was. */
static void put_announced(struct log_json *j, const struct announced *a)
{
    if (a->via.family == 0)
        return;
    log_json_name(j, "via");
    *j->at++ = '"';
    j->at = log_put_ip(j->at, &a->via, true);
    *j->at++ = ':';
    j->at = log_put_number(j->at, a->via_port);
    *j->at++ = '"';
    log_json_text_or_null(j, "vpce", span_text(a->endpoint_id));
}

static void put_tunnel(struct log_json *j, const struct access_entry *e)
{
    log_json_number(j, "client_frames", e->frames[0]);
    log_json_number(j, "target_frames", e->frames[1]);
    log_json_number(j, "client_close", e->close_code[0]);
    log_json_number(j, "target_close", e->close_code[1]);
}

static void put_viewer(struct log_json *j, const struct viewer *viewer)
{
    char text[ACCESS_VIEWER_MAX];

    log_json_text(j, "viewer", span_of(text, (size_t)(access_put_viewer(text, viewer) - text)));
}

static void put_ours(struct log_json *j, const struct access_entry *e)
{
    put_announced(j, &e->client->announced);
    log_json_text_or_null(j, "end", span_text(e->end));
    if (e->is_websocket)
        put_tunnel(j, e);
    if (e->client->viewer.ip.family != 0)
        put_viewer(j, &e->client->viewer);
}

void access_row_json(struct log_buffer *b, const struct access_entry *e, struct span elb,
                     uint64_t now_us)
{
    struct log_json j;
    size_t texts = access_texts_len(e->text) + elb.len;

    if (e->client->sni != NULL)
        texts += strlen(e->client->sni);
    if (e->client->chosen_cert != NULL)
        texts += strlen(e->client->chosen_cert);
    if (e->target != NULL)
        texts += 2 * strlen(e->target->text);
    log_json_begin(&j, b, FIXED_BOUND + LOG_JSON_FACTOR * texts);
    put_first(&j, e, elb, now_us);
    put_request(&j, e, texts + 128);
    put_rest(&j, e);
    put_last(&j, e);
    put_ours(&j, e);
    log_json_end(&j);
}
