/*
 * access_json.c -- the access log as one JSON object a line; see access_row.h.
 *
 * The fields' names are the managed balancer's. Numbers are numbers; what has a dash in
 * the other form is null. Texts are UTF-8 whatever came.
 */
#include "alb/access_row.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "http/message.h"

#include "alb/log_buffer.h"
#include "alb/log_json.h"
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

static void put_request(struct log_json *j, const struct access_entry *e, size_t size)
{
    char *line = mem_check(malloc(size)), ip[IP_TEXT_MAX], port[8] = "";
    const struct span host = access_text(e, ACCESS_HOST);
    const char *const scheme = e->client->is_https ? "https" : "http";
    int n;

    if (!access_host_has_port(host))
        snprintf(port, sizeof(port), ":%u", e->client->listener_port);
    ip_format(&e->client->local, ip);
    const struct span name = host.len > 0 ? host : span_text(ip);
    if (access_text(e, ACCESS_METHOD).len == 0)
        n = snprintf(line, size, "- %s://%.*s%s- -", scheme, SPAN_ARGS(name), port);
    else if (e->is_absolute)
        n = snprintf(line, size, "%.*s %.*s HTTP/1.%u", SPAN_ARGS(access_text(e, ACCESS_METHOD)),
                     SPAN_ARGS(access_text(e, ACCESS_TARGET)), e->minor);
    else
        n = snprintf(line, size, "%.*s %s://%.*s%s%.*s HTTP/1.%u",
                     SPAN_ARGS(access_text(e, ACCESS_METHOD)), scheme, SPAN_ARGS(name), port,
                     SPAN_ARGS(access_text(e, ACCESS_TARGET)), e->minor);
    log_json_text(j, "request", span_of(line, (size_t)n < size ? (size_t)n : size - 1));
    free(line);
}

static void put_first(struct log_json *j, const struct access_entry *e, struct span elb,
                      uint64_t now_us)
{
    char when[CLOCK_TEXT_MAX];

    log_json_text(j, "type", access_type(e));
    log_json_text(j, "time", span_text(clock_iso_us(now_us, when)));
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
    char when[CLOCK_TEXT_MAX];

    log_json_text_or_null(j, "user_agent", access_text(e, ACCESS_AGENT));
    log_json_text_or_null(j, "ssl_cipher", span_text(e->client->cipher));
    log_json_text_or_null(j, "ssl_protocol", span_text(e->client->protocol));
    log_json_text_or_null(j, "target_group_arn", access_text(e, ACCESS_GROUP));
    log_json_text_or_null(j, "trace_id", access_text(e, ACCESS_TRACE));
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
    log_json_text(j, "request_creation_time", span_text(clock_iso_us(e->created_wall_us, when)));
    log_json_text_or_null(j, "actions_executed",
                          e->action == ACCESS_NONE ? SPAN("") : access_actions(e));
    log_json_text_or_null(j, "redirect_url", access_text(e, ACCESS_REDIRECT_URL));
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
    log_json_text_or_null(j, "transformed_host", access_text(e, ACCESS_TRANSFORMED_HOST));
    log_json_text_or_null(j, "transformed_uri", access_text(e, ACCESS_TRANSFORMED_URI));
    log_json_text_or_null(j, "request_transform_status", span_text(e->transform));
    log_json_text(j, "ip_address", span_of(e->client->node, e->client->node_len));
}

static void put_ours(struct log_json *j, const struct access_entry *e)
{
    log_json_text_or_null(j, "end", span_text(e->end));
    if (!e->is_websocket)
        return;
    log_json_number(j, "client_frames", e->frames[0]);
    log_json_number(j, "target_frames", e->frames[1]);
    log_json_number(j, "client_close", e->close_code[0]);
    log_json_number(j, "target_close", e->close_code[1]);
}

void access_row_json(struct log_buffer *b, const struct access_entry *e, struct span elb,
                     uint64_t now_us)
{
    struct log_json j;
    size_t texts = e->text_at[ACCESS_TEXTS] + elb.len;

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
