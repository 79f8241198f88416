/* health_log.c -- see health_log.h. */
#include "alb/health_log.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/bug.h"
#include "base/clock.h"

#include "alb/health_check.h"
#include "alb/log_fields.h"
#include "alb/target.h"

const char *health_log_reason(const struct health_record *r)
{
    if (r->passed)
        return NULL;
    switch (r->result->outcome) {
    case HEALTH_ANSWERED:
        return r->result->status >= 500 ? "TargetError" : "ResponseCodeMismatch";
    case HEALTH_PONGED: /* which always passes */
        return NULL;
    case HEALTH_TIMED_OUT:
        return r->result->was_connected ? "RequestTimedOut" : "ConnectionTimedOut";
    case HEALTH_CUT:
        return "ConnectionReset";
    case HEALTH_FAILED:
        return "TargetError";
    case HEALTH_NOT_MADE:
        return "InternalError";
    }
    bug("unknown outcome of a health check");
}

/* When the check began, as the managed balancer has it. */
static void write_time(const struct health_record *r, char out[CLOCK_TEXT_MAX])
{
    clock_iso_us(clock_wall_us() - r->result->took_us, out);
}

/* A Unix socket gets a port here as it does in the access log. */
static void write_address(const struct addr *a, char *out, size_t size)
{
    char text[ADDR_TEXT_MAX];

    snprintf(out, size, "%s%s", addr_format(a, text), a->sa.sa_family == AF_UNIX ? ":0" : "");
}

void health_log_row(struct log_buffer *b, const struct alb_options *o,
                    const struct health_record *r)
{
    char time[CLOCK_TEXT_MAX], latency[32], address[ADDR_TEXT_MAX + 2], status[12] = "";
    const uint64_t us = r->result->took_us;

    if (!o->health_check_logs)
        return;
    write_time(r, time);
    write_address(r->probed, address, sizeof(address));
    snprintf(latency, sizeof(latency), "%" PRIu64 ".%06" PRIu64, us / 1000000, us % 1000000);
    if (r->result->outcome == HEALTH_ANSWERED || r->result->outcome == HEALTH_PONGED)
        snprintf(status, sizeof(status), "%d", r->result->status);
    const struct log_field fields[] = {
        { "type", LOG_WORD, r->is_https ? "https" : "http" },
        { "time", LOG_WORD, time },
        { "latency", LOG_NUMBER, latency },
        { "target_addr", LOG_WORD, address },
        { "target_group_id", LOG_WORD, r->target->group },
        { "status", LOG_WORD, r->passed ? "PASS" : "FAIL" },
        { "status_code", LOG_NUMBER, status },
        { "reason_code", LOG_WORD, health_log_reason(r) },
    };
    log_fields_row(b, (enum log_format)o->access_logs_format, fields,
                   sizeof(fields) / sizeof(fields[0]));
}
