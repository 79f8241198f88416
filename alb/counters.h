/*
 * counters.h -- what alb counts: one struct a worker, one for each target and group.
 *
 * The tables in counters.c say what each means; `/metrics` prints from them.
 */
#ifndef ALB_COUNTERS_H
#define ALB_COUNTERS_H

#include "base/metrics.h"
#include "stickiness/stickiness.h"

#include "alb/door_kind.h"
#include "alb/edge_secret.h"
#include "alb/upgrade_failures.h"

/* One a worker (and one for each handshake thread and the control thread). */
struct counters {
    metric_value connections;      /* accepted */
    metric_value connections_open; /* gauge: client connections */
    metric_value refused_edge, refused_limit, refused_proxy;
    metric_value refused_doors[DOOR_KINDS];
    metric_value audit_rows, audit_rows_failed;
    metric_value management_connections, management_handshakes_failed, management_logins_failed;
    metric_value edge_admitted, edge_observed;
    metric_value proxied_announced, proxied_local;
    metric_value tls_handshakes, tls_handshakes_failed;
    metric_value requests;
    metric_value elb_3xx, elb_4xx, elb_5xx;
    metric_value elb_500, elb_502, elb_503, elb_504;
    metric_value ipv6_requests, ipv6_bytes;
    metric_value fixed_responses;
    metric_value redirects, redirects_too_long;
    metric_value rule_evaluations;
    metric_value regex_exceeded, rules_too_costly;
    metric_value transforms_failed;
    metric_value desync_non_compliant;
    metric_value dropped_invalid_header, forwarded_invalid_header; /* requests */
    metric_value viewers_unreadable;                               /* requests */
    metric_value secrets[SECRET_VERDICTS]; /* requests, by what they had of the origin secret */
    metric_value desync_suspects;
    metric_value second_opinion_differs;
    metric_value upgrades, upgrades_failed;
    metric_value upgrades_failed_by[UPGRADE_FAILURES]; /* by reason */
    metric_value tunnels_open;                         /* gauge */
    metric_value tunnels_ended;
    metric_value tunnels_idle;
    metric_value tunnels_opaque;
    metric_value drain_closed, drain_cut;
    metric_value pings[2], pongs[2], pong_timeouts[2]; /* ours: to the client, to the target */
    struct metric_histogram ping_time[2];
    metric_value client_bytes_in, client_bytes_out;
    metric_value log_rows, log_rows_dropped;
    metric_value connection_log_rows, connection_log_rows_dropped;
    metric_value health_log_rows, health_log_rows_dropped;
    metric_value handed_over;
    metric_value dns_found, dns_empty, dns_failed;
};

extern const struct metric counter_metrics[];

/* One for each target; any loop adds to it. */
struct target_counters {
    metric_value requests;
    metric_value code_1xx, code_2xx, code_3xx, code_4xx, code_5xx;
    metric_value connection_errors;
    metric_value connections;
    metric_value connections_open;                  /* gauge */
    metric_value tls_full, tls_resumed, tls_errors; /* handshakes */
    metric_value tunnels;                           /* opened */
    metric_value frames_from_client, frames_from_target;
    metric_value bytes_from_client, bytes_from_target; /* through tunnels */
    struct metric_histogram response_time;
};

extern const struct metric target_metrics[];

/* Add what the second has counted to the first. */
void target_counters_add(struct target_counters *to, const struct target_counters *from);

/* What of these is shown for a whole group: the sum over its targets, those that have
 * left it included. */
extern const struct metric group_sum_metrics[];

/* One for each group; any loop adds to it. */
struct group_counters {
    metric_value unhealthy_routing;                     /* requests while the group failed open */
    metric_value sticky_requests[STICKINESS_FOUND + 1]; /* by enum stickiness_lookup */
    metric_value sticky_withheld;
    metric_value non_sticky, app_cookie_non_sticky;
    metric_value cookies_over_bound, keys_over_bound;
    metric_value keys_first, keys_next, keys_none; /* requests by consistent_hash */
    metric_value no_target, all_full;              /* requests answered with 503 */
    metric_value upgrades_limited;
    metric_value retries, retries_without_target;
    struct metric_histogram quiet_time; /* of WebSockets: heartbeat.h */
};

extern const struct metric group_metrics[];

#endif
