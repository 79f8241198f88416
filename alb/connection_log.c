/* connection_log.c -- see connection_log.h. */
#include "alb/connection_log.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/random.h"
#include "net/handshake.h"
#include "net/tls_peer_cert.h"

#include "alb/balancer.h"
#include "alb/config.h"
#include "alb/log_fields.h"
#include "alb/log_put.h"
#include "alb/usher.h"
#include "alb/worker.h"

static const struct tls_peer_cert no_cert;

/* The texts of the fields that are not texts already. */
struct texts {
    char time[CLOCK_TEXT_MAX], client[IP_TEXT_MAX], local[IP_TEXT_MAX];
    char port[8], listener_port[8], latency[24], id[40];
    char via[ADDR_TEXT_MAX];
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

/* "" without one. */
static void write_via(const struct announced *a, char out[ADDR_TEXT_MAX])
{
    struct addr via;

    out[0] = '\0';
    if (a->via.family == 0)
        return;
    addr_of_ip(&a->via, a->via_port, &via);
    addr_format(&via, out);
}

static void write_texts(struct texts *t, const struct arrival *a)
{
    const struct listener *listener = a->listener;
    const struct handshake_result *r = &a->from;
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
    write_via(&a->announced, t->via);
}

/* Of a plain connection there is none; a plain request on a TLS port is one more handshake
 * that failed. */
static const char *verify_status(const struct handshake_result *r)
{
    if (r->seen != NULL)
        return tls_session_verify_status(r->seen);
    return r->why == NULL ? NULL : "Failed:UnmappedConnectionError";
}

static void put_row(struct log_buffer *b, const struct config *config,
                    const struct arrival *arrival, const char *end)
{
    const struct handshake_result *r = &arrival->from;
    const struct tls_peer_cert *cert = r->seen == NULL ? NULL : tls_session_peer_cert(r->seen);
    struct texts t;

    if (!config->alb.connection_logs)
        return;
    if (cert == NULL)
        cert = &no_cert;
    write_texts(&t, arrival);
    const struct log_field fields[] = {
        { "timestamp", LOG_WORD, t.time },
        { "client_ip", LOG_WORD, t.client },
        { "client_port", LOG_NUMBER, t.port },
        { "listener_port", LOG_NUMBER, t.listener_port },
        { "tls_protocol", LOG_WORD, r->tls == NULL ? NULL : tls_session_version(r->tls) },
        { "tls_cipher", LOG_WORD, r->tls == NULL ? NULL : tls_session_cipher(r->tls) },
        { "tls_handshake_latency", LOG_NUMBER, t.latency },
        { "leaf_client_cert_subject", LOG_QUOTED, cert->text[TLS_CERT_SUBJECT] },
        { "leaf_client_cert_validity", LOG_WORD, cert->text[TLS_CERT_VALIDITY] },
        { "leaf_client_cert_serial_number", LOG_WORD, cert->text[TLS_CERT_SERIAL_NUMBER] },
        { "tls_verify_status", LOG_WORD, verify_status(r) },
        { "conn_trace_id", LOG_WORD, t.id },
        { "tls_keyexchange", LOG_WORD, r->tls == NULL ? NULL : tls_session_group(r->tls) },
        { "elb", LOG_WORD, config->alb.name },
        { "ip_address", LOG_WORD, t.local },
        { "via", LOG_OURS, t.via },
        { "vpce", LOG_OURS, arrival->announced.endpoint_id },
        { "end", LOG_OURS_QUOTED, end },
    };
    log_fields_row(b, (enum log_format)config->alb.access_logs_format, fields,
                   sizeof(fields) / sizeof(fields[0]));
}

void connection_log_row(struct log_buffer *b, const struct config *config,
                        const struct arrival *arrival)
{
    put_row(b, config, arrival, NULL);
}

void connection_log_turned_away(struct log_buffer *b, const struct config *config,
                                const struct usher_result *r)
{
    const struct arrival arrival = {
        .listener = r->tag,
        .from = { .fd = r->fd, .peer = r->peer, .id = { random_jitter(), random_jitter() } },
    };

    put_row(b, config, &arrival, r->why);
}
