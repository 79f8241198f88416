/* connection_log.c -- see connection_log.h. */
#include "alb/connection_log.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "net/handshake.h"
#include "net/tls_peer_cert.h"

#include "alb/balancer.h"
#include "alb/config.h"
#include "alb/log_buffer.h"
#include "alb/log_json.h"
#include "alb/log_put.h"

/* How a field is written in the two forms. */
enum kind { WORD, QUOTED, NUMBER };

struct field {
    const char *name;
    enum kind kind;
    const char *value; /* NULL or "": there is none */
};

enum { FIELDS = 15 };

static const struct tls_peer_cert no_cert;

/* The texts of the fields that are not texts already. */
struct texts {
    char time[CLOCK_TEXT_MAX], client[IP_TEXT_MAX], local[IP_TEXT_MAX];
    char port[8], listener_port[8], latency[24], id[40];
};

static void find_local(const struct listener *listener, int fd, struct ip *local)
{
    static const struct ip none;
    struct addr addr;

    *local = none;
    if ((!addr_ip(&listener->bound, local) ||
         memcmp(local->bytes, none.bytes, sizeof(none.bytes)) == 0) &&
        fd != -1 && addr_local(fd, &addr))
        addr_ip(&addr, local);
}

static void write_texts(struct texts *t, const struct listener *listener,
                        const struct handshake_result *r)
{
    struct ip client = { 0 }, local;

    addr_ip(&r->peer, &client);
    find_local(listener, r->fd, &local);
    clock_iso_us(clock_wall_us(), t->time);
    ip_format(&client, t->client);
    ip_format(&local, t->local);
    snprintf(t->port, sizeof(t->port), "%u", addr_port(&r->peer));
    snprintf(t->listener_port, sizeof(t->listener_port), "%u", addr_port(&listener->bound));
    t->latency[0] = '\0';
    if (r->tls != NULL)
        *log_put_seconds(t->latency, r->took_us) = '\0';
    snprintf(t->id, sizeof(t->id), "TID_%016" PRIx64 "%016" PRIx64, r->id[0], r->id[1]);
}

static void put_alb(struct log_buffer *b, const struct field fields[FIELDS], size_t bound)
{
    char *const row = log_buffer_begin(b, bound), *at = row;

    for (int i = 0; i < FIELDS; i++) {
        const struct field *f = &fields[i];
        const bool is_empty = f->value == NULL || f->value[0] == '\0';
        if (f->kind == QUOTED)
            *at++ = '"';
        at = is_empty ? LOG_PUT(at, "-") : log_put_safe(at, span_text(f->value));
        if (f->kind == QUOTED)
            *at++ = '"';
        *at++ = i == FIELDS - 1 ? '\n' : ' ';
    }
    log_buffer_end(b, (size_t)(at - row));
}

static void put_json(struct log_buffer *b, const struct field fields[FIELDS], size_t bound)
{
    struct log_json j;

    log_json_begin(&j, b, bound);
    for (int i = 0; i < FIELDS; i++) {
        const struct field *f = &fields[i];
        if (f->kind == NUMBER && f->value[0] != '\0')
            log_json_raw(&j, f->name, span_text(f->value));
        else
            log_json_text_or_null(&j, f->name, span_text(f->value));
    }
    log_json_end(&j);
}

static void put_fields(struct log_buffer *b, const struct config *config,
                       const struct field fields[FIELDS])
{
    size_t bound = 0;

    for (int i = 0; i < FIELDS; i++) {
        const size_t text = fields[i].value == NULL ? 1 : strlen(fields[i].value);
        bound += strlen(fields[i].name) + LOG_JSON_FACTOR * text + 16;
    }
    if (config->alb.access_logs_format == LOG_FORMAT_JSON)
        put_json(b, fields, bound);
    else
        put_alb(b, fields, bound);
}

/* Of a plain connection there is none; a plain request on a TLS port is one more handshake
 * that failed. */
static const char *verify_status(const struct handshake_result *r)
{
    if (r->seen != NULL)
        return tls_session_verify_status(r->seen);
    return r->why == NULL ? NULL : "Failed:UnmappedConnectionError";
}

void connection_log_row(struct log_buffer *b, const struct config *config,
                        const struct listener *listener, const struct handshake_result *r)
{
    const struct tls_peer_cert *cert = r->seen == NULL ? NULL : tls_session_peer_cert(r->seen);
    struct texts t;

    if (!config->alb.connection_logs)
        return;
    if (cert == NULL)
        cert = &no_cert;
    write_texts(&t, listener, r);
    const struct field fields[FIELDS] = {
        { "timestamp", WORD, t.time },
        { "client_ip", WORD, t.client },
        { "client_port", NUMBER, t.port },
        { "listener_port", NUMBER, t.listener_port },
        { "tls_protocol", WORD, r->tls == NULL ? NULL : tls_session_version(r->tls) },
        { "tls_cipher", WORD, r->tls == NULL ? NULL : tls_session_cipher(r->tls) },
        { "tls_handshake_latency", NUMBER, t.latency },
        { "leaf_client_cert_subject", QUOTED, cert->text[TLS_CERT_SUBJECT] },
        { "leaf_client_cert_validity", WORD, cert->text[TLS_CERT_VALIDITY] },
        { "leaf_client_cert_serial_number", WORD, cert->text[TLS_CERT_SERIAL_NUMBER] },
        { "tls_verify_status", WORD, verify_status(r) },
        { "conn_trace_id", WORD, t.id },
        { "tls_keyexchange", WORD, r->tls == NULL ? NULL : tls_session_group(r->tls) },
        { "elb", WORD, config->alb.name },
        { "ip_address", WORD, t.local },
    };
    put_fields(b, config, fields);
}
