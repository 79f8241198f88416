/* counters.c -- the tables behind /metrics. */
#include "wsserver/counters.h"

#include <stddef.h>

#define COUNTER(field, name, labels, help)                                                         \
    {                                                                                              \
        name, METRIC_COUNTER, offsetof(struct counters, field), labels, help                       \
    }
#define GAUGE(field, name, help)                                                                   \
    {                                                                                              \
        name, METRIC_GAUGE, offsetof(struct counters, field), NULL, help                           \
    }

const struct metric counter_metrics[] = {
    COUNTER(connections, "connections_total", NULL, "Connections accepted."),
    GAUGE(connections_open, "connections_open", "Connections open now, plain HTTP too."),
    COUNTER(requests, "http_requests_total", NULL, "Plain HTTP requests answered."),
    COUNTER(upgrades_opened, "websocket_upgrades_total", "outcome=\"opened\"",
            "WebSocket upgrades, by outcome."),
    COUNTER(upgrades_refused, "websocket_upgrades_total", "outcome=\"refused\"", NULL),
    GAUGE(websockets_open, "websockets_open", "WebSockets open now."),
    COUNTER(messages_in, "received_messages_total", NULL, "WebSocket messages from clients."),
    COUNTER(messages_in_bytes, "received_message_bytes_total", NULL,
            "Bytes of those messages, unmasked and without headers."),
    COUNTER(frames_out, "sent_frames_total", NULL, "WebSocket frames queued to clients."),
    COUNTER(bytes_out, "sent_bytes_total", NULL, "Bytes written to clients, HTTP too."),
    COUNTER(deliveries, "deliveries_total", NULL,
            "Published messages handed to receivers: one message to ten receivers is ten."),
    COUNTER(writes, "socket_writes_total", NULL,
            "Writes to sockets; fewer than frames when frames leave together."),
    COUNTER(pings, "pings_total", NULL, "Pings sent to connections that were silent."),
    COUNTER(ended_by_client, "websockets_ended_total", "by=\"client\"",
            "WebSockets that ended, by who ended them: a Close of the client, a Close of ours, "
            "lost without a Close, or a Close of ours that was never answered."),
    COUNTER(ended_by_server, "websockets_ended_total", "by=\"server\"", NULL),
    COUNTER(ended_lost, "websockets_ended_total", "by=\"lost\"", NULL),
    COUNTER(ended_unanswered, "websockets_ended_total", "by=\"unanswered\"", NULL),
    COUNTER(closed_slow, "websockets_closed_total", "code=\"4103\"",
            "Closes of ours for these reasons: 4103 reads too slowly, 4104 no answer to a ping, "
            "1012 restart."),
    COUNTER(closed_no_pong, "websockets_closed_total", "code=\"4104\"", NULL),
    COUNTER(closed_restart, "websockets_closed_total", "code=\"1012\"", NULL),
    { .name = NULL },
};

#undef COUNTER
#undef GAUGE
#define COUNTER(field, name, labels, help)                                                         \
    {                                                                                              \
        name, METRIC_COUNTER, offsetof(struct hub_counters, field), labels, help                   \
    }
#define GAUGE(field, name, help)                                                                   \
    {                                                                                              \
        name, METRIC_GAUGE, offsetof(struct hub_counters, field), NULL, help                       \
    }

const struct metric hub_metrics[] = {
    COUNTER(published, "published_total", "duplicate=\"no\"",
            "Publishes acked; a duplicate was stored before under its cid."),
    COUNTER(duplicates, "published_total", "duplicate=\"yes\"", NULL),
    COUNTER(commits, "store_commits_total", "outcome=\"ok\"", "Transactions of the store."),
    COUNTER(failures, "store_commits_total", "outcome=\"failed\"", NULL),
    COUNTER(refused, "hub_refused_total", NULL, "Requests that found the hub's queue full."),
    GAUGE(queued, "hub_queued", "Requests that wait for the hub."),
    GAUGE(channels, "channels", "Channels in memory."),
    GAUGE(sessions, "sessions", "Sessions present on this node, grace included."),
    GAUGE(is_degraded, "store_degraded", "1 while the store fails."),
    GAUGE(is_draining, "draining", "1 from the first SIGTERM on."),
    { .name = NULL },
};

void hub_counters_take(struct hub_counters *into, const struct hub *hub)
{
    struct hub_stats stats;

    hub_stats(hub, &stats);
    metric_set(&into->published, stats.published);
    metric_set(&into->duplicates, stats.duplicates);
    metric_set(&into->commits, stats.commits);
    metric_set(&into->failures, stats.failures);
    metric_set(&into->refused, stats.refused);
    metric_set(&into->queued, stats.queued);
    metric_set(&into->channels, stats.channels);
    metric_set(&into->sessions, stats.sessions);
}

void counters_describe(FILE *to)
{
    fprintf(to, "# Metrics of wsserver\n\nPrinted by `wsserver metrics`; served at /metrics.\n\n"
                "| Metric | Type | Labels | What it counts |\n|---|---|---|---|\n");
    metrics_describe(counter_metrics, "wsserver_", to);
    metrics_describe(hub_metrics, "wsserver_", to);
}
