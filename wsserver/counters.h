/*
 * counters.h -- what wsserver counts: one struct a worker, one for the hub.
 *
 * The tables in counters.c say what each means; `/metrics` prints from them.
 */
#ifndef WSSERVER_COUNTERS_H
#define WSSERVER_COUNTERS_H

#include "base/metrics.h"
#include "wsserver/hub.h"

/* One a worker. */
struct counters {
    metric_value connections;      /* accepted */
    metric_value connections_open; /* gauge: HTTP too */
    metric_value requests;         /* plain HTTP, answered */
    metric_value upgrades_opened, upgrades_refused;
    metric_value websockets_open; /* gauge */
    metric_value messages_in, messages_in_bytes;
    metric_value frames_out, bytes_out;
    metric_value deliveries; /* fan-out: a message to one receiver */
    metric_value writes;
    metric_value pings;
    metric_value ended_by_client, ended_by_server, ended_lost, ended_unanswered;
    metric_value closed_slow, closed_no_pong, closed_restart;
};

extern const struct metric counter_metrics[];

/* A copy of the hub's own numbers, taken to be printed. */
struct hub_counters {
    metric_value published, duplicates, commits, failures, refused;
    metric_value queued, channels, sessions;
    metric_value is_degraded, is_draining;
};

extern const struct metric hub_metrics[];

void hub_counters_take(struct hub_counters *into, const struct hub *hub);

/* Print all of them as one Markdown page: `wsserver metrics`. */
void counters_describe(FILE *to);

#endif
