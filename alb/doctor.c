/* doctor.c -- see doctor.h. */
#include "alb/doctor.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"

#include "alb/balancer.h"
#include "alb/config.h"
#include "alb/edge.h"
#include "alb/log_put.h"
#include "alb/target.h"
#include "alb/worker.h"

static void write_line(const struct upgrade_case *c)
{
    const struct upgrade_symptoms s = upgrade_case_symptoms(c);
    char client[IP_TEXT_MAX + 16], rule[16] = "-";

    char *end = log_put_ip(client, &c->client, true);
    if (c->rule >= 0)
        snprintf(rule, sizeof rule, "%d", (int)c->rule);
    log_info("upgrade failed reason=%s status=%u client=%.*s:%u edge=%s listener=%s rule=%s "
             "group=%s target=%s target_status=%u host=\"%s\" path=\"%s\" detail=\"%s\"",
             upgrade_failure_name(s.failure), c->status, (int)(end - client), client, c->port,
             c->behind_edge ? "yes" : "no", c->listener->name, rule,
             c->group[0] == '\0' ? "-" : c->group, c->target == NULL ? "-" : c->target->text,
             c->target_status, c->host, c->path, upgrade_detail(&s));
}

static void log_case(struct worker *w, const struct upgrade_case *c)
{
    struct doctor_lines *lines = &w->doctor_lines;
    const uint64_t second = UINT64_C(1000000000);

    if (!admission_take(&lines->pace, second / DOCTOR_LINES_A_SECOND, second,
                        loop_mono_us(&w->loop) * 1000)) {
        lines->left_out++;
        return;
    }
    if (lines->left_out > 0)
        log_info("upgrades failed count=%" PRIu64 " without a line each", lines->left_out);
    lines->left_out = 0;
    write_line(c);
}

void doctor_record(struct worker *w, struct upgrade_case **c, enum upgrade_failure failure,
                   int status)
{
    if (*c == NULL)
        return;
    (*c)->failure = (uint8_t)failure;
    (*c)->status = (uint16_t)status;
    if (failure != UPGRADE_ENDED_AT_ONCE)
        metric_add(&w->counters.upgrades_failed, 1);
    metric_add(&w->counters.upgrades_failed_by[failure], 1);
    log_case(w, *c);
    upgrade_ring_add(&w->balancer->failed_upgrades, c);
}

/* allow = any names nobody. */
static bool is_peer(const struct worker *w, const struct ip *ip)
{
    return !w->edge->is_any && edge_has(w->edge, ip);
}

static void put_fields(const struct upgrade_case *c, int status, char *out, size_t size)
{
    size_t n = 0;

    out[0] = '\0';
    if (status == 426)
        n += (size_t)snprintf(out + n, size - n,
                              "Sec-WebSocket-Version: 13\r\n"
                              "Upgrade: websocket\r\nConnection: Upgrade\r\n");
    if (c->retry_after_s != 0)
        snprintf(out + n, size - n, "Retry-After: %u\r\n", (unsigned)c->retry_after_s);
}

/* The reason, and to a peer its cause and cure. */
static void put_body(const struct worker *w, const struct upgrade_case *c, struct http_reply *reply,
                     struct doctor_text *text)
{
    const struct upgrade_symptoms s = upgrade_case_symptoms(c);
    char cause[UPGRADE_TEXT_MAX], cure[UPGRADE_TEXT_MAX];
    const size_t size = sizeof text->text;

    const int n = snprintf(text->text, size, "WebSocket upgrade failed: %s\n",
                           upgrade_failure_name(s.failure));
    if (is_peer(w, &c->client))
        snprintf(text->text + n, size - (size_t)n, "%s\n%s\n", upgrade_cause(&s, cause),
                 upgrade_cure(&s, cure));
    reply->content_type = SPAN("text/plain; charset=utf-8");
    reply->body = span_text(text->text);
}

void doctor_reply(const struct worker *w, const struct upgrade_case *c, int status,
                  struct http_reply *reply, struct doctor_text *text)
{
    put_fields(c, status, text->fields, sizeof text->fields);
    *reply = (struct http_reply){
        .status = status, .fields = text->fields, .close = true, .no_store = true
    };
    put_body(w, c, reply, text);
}

void doctor_comment(const struct worker *w, const struct upgrade_case *c, struct http_reply *reply,
                    bool has_text, struct doctor_text *text)
{
    reply->no_store = true;
    if (!has_text)
        put_body(w, c, reply, text);
}
