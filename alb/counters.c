/* counters.c -- the tables behind /metrics. */
#include "alb/counters.h"

#include <stddef.h>

#define COUNTER(field, name, labels, help)                                                         \
    {                                                                                              \
        name, METRIC_COUNTER, offsetof(struct counters, field), labels, help                       \
    }
#define GAUGE(field, name, help)                                                                   \
    {                                                                                              \
        name, METRIC_GAUGE, offsetof(struct counters, field), NULL, help                           \
    }

#define FAILED(failure, name, help)                                                                \
    {                                                                                              \
        "upgrades_failed_total", METRIC_COUNTER,                                                   \
            offsetof(struct counters, upgrades_failed_by) + sizeof(metric_value) * (failure),      \
            "reason=\"" name "\"", help                                                            \
    }

const struct metric counter_metrics[] = {
    COUNTER(connections, "connections_total", NULL,
            "Client connections accepted (NewConnectionCount, client side)."),
    GAUGE(connections_open, "connections_open",
          "Client connections open now, tunnels included (ActiveConnectionCount, client side)."),
    COUNTER(refused_edge, "connections_refused_total", "reason=\"edge\"",
            "Connections closed at once: the peer is not in the edge set, the connection limit "
            "was reached (RejectedConnectionCount), they did not begin with the head of the PROXY "
            "protocol that their listener demands, or came to [health] or [management] from an "
            "address that may not ask, or of which there are too many."),
    COUNTER(refused_limit, "connections_refused_total", "reason=\"limit\"", NULL),
    COUNTER(refused_proxy, "connections_refused_total", "reason=\"proxy_protocol\"", NULL),
    COUNTER(refused_doors[DOOR_HEALTH], "connections_refused_total", "reason=\"health\"", NULL),
    COUNTER(refused_doors[DOOR_MANAGEMENT], "connections_refused_total", "reason=\"management\"",
            NULL),
    COUNTER(management_connections, "management_connections_total", "outcome=\"accepted\"",
            "Connections to [management], by what became of their TLS handshake."),
    COUNTER(management_handshakes_failed, "management_connections_total", "outcome=\"failed\"",
            NULL),
    COUNTER(management_logins_failed, "management_logins_failed_total", NULL,
            "Requests at [management] without the token or the certificate that they need (401)."),
    COUNTER(edge_admitted, "edge_connections_total", "outcome=\"admitted\"",
            "Connections accepted, by what the edge set says of the peer; observed ones are let in "
            "though it is not in it (enforce = observe)."),
    COUNTER(refused_edge, "edge_connections_total", "outcome=\"refused\"", NULL),
    COUNTER(edge_observed, "edge_connections_total", "outcome=\"observed\"", NULL),
    COUNTER(proxied_announced, "proxy_protocol_heads_total", "address=\"announced\"",
            "Heads of the PROXY protocol that were read: those that announced a client, and those "
            "after which the connecting address holds (LOCAL, UNKNOWN)."),
    COUNTER(proxied_local, "proxy_protocol_heads_total", "address=\"own\"", NULL),
    COUNTER(tls_handshakes, "tls_handshakes_total", NULL, "TLS handshakes finished."),
    COUNTER(tls_handshakes_failed, "tls_handshake_errors_total", NULL,
            "TLS handshakes that failed (ClientTLSNegotiationErrorCount)."),
    COUNTER(requests, "requests_total", NULL,
            "Requests for which a target was chosen (RequestCount)."),
    COUNTER(elb_3xx, "elb_responses_total", "code=\"3xx\"",
            "Responses that alb made itself (HTTPCode_ELB_3XX_Count, HTTPCode_ELB_4XX_Count, "
            "HTTPCode_ELB_5XX_Count); 4xx includes 460."),
    COUNTER(elb_4xx, "elb_responses_total", "code=\"4xx\"", NULL),
    COUNTER(elb_5xx, "elb_responses_total", "code=\"5xx\"", NULL),
    COUNTER(elb_500, "elb_errors_total", "code=\"500\"",
            "Of those, by status (HTTPCode_ELB_500_Count, HTTPCode_ELB_502_Count, "
            "HTTPCode_ELB_503_Count, HTTPCode_ELB_504_Count)."),
    COUNTER(elb_502, "elb_errors_total", "code=\"502\"", NULL),
    COUNTER(elb_503, "elb_errors_total", "code=\"503\"", NULL),
    COUNTER(elb_504, "elb_errors_total", "code=\"504\"", NULL),
    COUNTER(ipv6_requests, "ipv6_requests_total", NULL,
            "Requests that came over IPv6 (IPv6RequestCount)."),
    COUNTER(ipv6_bytes, "ipv6_bytes_total", NULL,
            "Bytes from and to clients over IPv6 (IPv6ProcessedBytes)."),
    COUNTER(fixed_responses, "fixed_responses_total", NULL,
            "Requests answered by a fixed-response action (HTTP_Fixed_Response_Count)."),
    COUNTER(redirects, "redirects_total", NULL,
            "Requests answered by a redirect action (HTTP_Redirect_Count)."),
    COUNTER(redirects_too_long, "redirect_url_limit_exceeded_total", NULL,
            "Redirects not made because their Location has more than 8192 bytes "
            "(HTTP_Redirect_Url_Limit_Exceeded_Count)."),
    COUNTER(rule_evaluations, "rule_evaluations_total", NULL,
            "Rules that a walk by priority looks at, the default not counted (RuleEvaluations)."),
    COUNTER(regex_exceeded, "regex_limit_exceeded_total", NULL,
            "Searches for a regular expression that cost too much and so found nothing."),
    COUNTER(rules_too_costly, "rules_too_costly_total", NULL,
            "Requests answered with 500 because to find their rule costs too much."),
    COUNTER(transforms_failed, "transforms_failed_total", NULL,
            "Requests answered with 500 because what a rewrite made of them cannot be sent."),
    COUNTER(desync_non_compliant, "desync_non_compliant_requests_total", NULL,
            "Requests that are not of class Compliant "
            "(DesyncMitigationMode_NonCompliant_Request_Count)."),
    COUNTER(dropped_invalid_header, "dropped_invalid_header_requests_total", NULL,
            "Requests of which fields without a valid name were dropped "
            "(DroppedInvalidHeaderRequestCount)."),
    COUNTER(forwarded_invalid_header, "forwarded_invalid_header_requests_total", NULL,
            "Requests that had fields without a valid name and were routed with those that can be "
            "written (ForwardedInvalidHeaderRequestCount)."),
    COUNTER(
        secrets[SECRET_RIGHT_FIRST], "edge_secret_requests_total", "outcome=\"first\"",
        "Requests by what they had of the origin secret: the value on the first or on the second "
        "line of [edge] secret_file, no such header, or another value. The last two got 403."),
    COUNTER(secrets[SECRET_RIGHT_SECOND], "edge_secret_requests_total", "outcome=\"second\"", NULL),
    COUNTER(secrets[SECRET_MISSING], "edge_secret_requests_total", "outcome=\"missing\"", NULL),
    COUNTER(secrets[SECRET_WRONG], "edge_secret_requests_total", "outcome=\"wrong\"", NULL),
    COUNTER(viewers_unreadable, "viewer_unreadable_requests_total", NULL,
            "Requests of peers that [edge] trust names whose word on the viewer cannot be read: it "
            "is passed over."),
    COUNTER(desync_suspects, "desync_suspects_total", NULL,
            "Responses of targets with bytes behind them, which ended that connection."),
    COUNTER(second_opinion_differs, "second_opinion_differences_total", NULL,
            "Heads that http-parser read in another way than our scan: a bug or an attack."),
    COUNTER(upgrades, "websocket_upgrades_total", "outcome=\"opened\"",
            "WebSocket upgrades, by outcome."),
    COUNTER(upgrades_failed, "websocket_upgrades_total", "outcome=\"failed\"", NULL),
    FAILED(WS_NOT_UPGRADE, "not_upgrade",
           "Upgrades that failed, by the reason that docs/upgrades.md explains; ended_at_once "
           "opened."),
    FAILED(WS_STRIPPED, "stripped", NULL),
    FAILED(WS_NOT_GET, "not_get", NULL),
    FAILED(WS_BAD_HTTP_VERSION, "bad_http_version", NULL),
    FAILED(WS_NO_CONNECTION_TOKEN, "no_connection_token", NULL),
    FAILED(WS_BODY_ON_UPGRADE, "body_on_upgrade", NULL),
    FAILED(WS_MISSING_VERSION, "missing_version", NULL),
    FAILED(WS_BAD_VERSION, "bad_version", NULL),
    FAILED(WS_MISSING_KEY, "missing_key", NULL),
    FAILED(WS_BAD_KEY, "bad_key", NULL),
    FAILED(WS_STATUS_NOT_101, "status_not_101", NULL),
    FAILED(WS_NO_UPGRADE_FIELD, "no_upgrade_field", NULL),
    FAILED(WS_NO_CONNECTION_FIELD, "no_connection_field", NULL),
    FAILED(WS_BODY_ON_101, "body_on_101", NULL),
    FAILED(WS_ACCEPT_MISSING, "accept_missing", NULL),
    FAILED(WS_ACCEPT_MISMATCH, "accept_mismatch", NULL),
    FAILED(WS_PROTOCOL_NOT_OFFERED, "protocol_not_offered", NULL),
    FAILED(WS_EXTENSION_NOT_OFFERED, "extension_not_offered", NULL),
    FAILED(UPGRADE_REDIRECTED, "redirected", NULL),
    FAILED(UPGRADE_REDIRECT_LOOP, "https_redirect_loop", NULL),
    FAILED(UPGRADE_FIXED_RESPONSE, "fixed_response", NULL),
    FAILED(UPGRADE_HOST_NOT_MATCHED, "host_not_matched", NULL),
    FAILED(UPGRADE_HEADER_NOT_MATCHED, "header_not_matched", NULL),
    FAILED(UPGRADE_SECRET_NOT_MATCHED, "secret_not_matched", NULL),
    FAILED(UPGRADE_REQUEST_REFUSED, "request_refused", NULL),
    FAILED(UPGRADE_RULE_FAILED, "rule_failed", NULL),
    FAILED(UPGRADE_NO_TARGET, "no_target", NULL),
    FAILED(UPGRADE_RATE_LIMITED, "rate_limited", NULL),
    FAILED(UPGRADE_TARGET_UNREACHABLE, "target_unreachable", NULL),
    FAILED(UPGRADE_TARGET_NO_ANSWER, "target_no_answer", NULL),
    FAILED(UPGRADE_TARGET_TIMEOUT, "target_timeout", NULL),
    FAILED(UPGRADE_TARGET_BAD_ANSWER, "target_bad_answer", NULL),
    FAILED(UPGRADE_TARGET_STATUS, "target_status", NULL),
    FAILED(UPGRADE_INTERRUPTED, "interrupted", NULL),
    FAILED(UPGRADE_CLIENT_GONE, "client_gone", NULL),
    FAILED(UPGRADE_ENDED_AT_ONCE, "ended_at_once", NULL),
    GAUGE(tunnels_open, "websocket_tunnels_open", "WebSocket tunnels open now."),
    COUNTER(tunnels_ended, "websocket_tunnels_ended_total", NULL, "WebSocket tunnels that ended."),
    COUNTER(tunnels_idle, "websocket_tunnels_idle_total", NULL,
            "WebSocket tunnels ended by idle_timeout.timeout_seconds."),
    COUNTER(drain_closed, "websocket_drain_closed_total", NULL,
            "WebSockets that a drain has told to come again (Close 1012), the stop included."),
    COUNTER(drain_cut, "websocket_drain_cut_total", NULL,
            "WebSockets that were cut untold at the end of a drain's delay."),
    COUNTER(tunnels_opaque, "websocket_tunnels_opaque_total", NULL,
            "Tunnels with a direction that the frame tracker could not follow."),
    COUNTER(pings[0], "websocket_pings_sent_total", "leg=\"client\"",
            "Pings of ours sent into tunnels (websocket.ping_interval)."),
    COUNTER(pings[1], "websocket_pings_sent_total", "leg=\"target\"", NULL),
    COUNTER(pongs[0], "websocket_pongs_withheld_total", "leg=\"client\"",
            "Pongs that answered them, which the other side did not get."),
    COUNTER(pongs[1], "websocket_pongs_withheld_total", "leg=\"target\"", NULL),
    COUNTER(pong_timeouts[0], "websocket_pong_timeouts_total", "leg=\"client\"",
            "Tunnels ended because a side was silent for websocket.pong_timeout after a ping."),
    COUNTER(pong_timeouts[1], "websocket_pong_timeouts_total", "leg=\"target\"", NULL),
    { "websocket_ping_time_seconds", METRIC_HISTOGRAM, offsetof(struct counters, ping_time[0]),
      "leg=\"client\"", "From such a ping to its pong." },
    { "websocket_ping_time_seconds", METRIC_HISTOGRAM, offsetof(struct counters, ping_time[1]),
      "leg=\"target\"", NULL },
    COUNTER(client_bytes_in, "client_received_bytes_total", NULL,
            "Bytes from clients, those of tunnels included (ProcessedBytes, one part)."),
    COUNTER(client_bytes_out, "client_sent_bytes_total", NULL,
            "Bytes to clients, those of tunnels included (ProcessedBytes, the other part)."),
    COUNTER(log_rows, "access_log_rows_total", "outcome=\"written\"", "Access log rows."),
    COUNTER(log_rows_dropped, "access_log_rows_total", "outcome=\"dropped\"", NULL),
    COUNTER(connection_log_rows, "connection_log_rows_total", "outcome=\"written\"",
            "Connection log rows."),
    COUNTER(connection_log_rows_dropped, "connection_log_rows_total", "outcome=\"dropped\"", NULL),
    COUNTER(
        audit_rows, "audit_rows_total", "outcome=\"written\"",
        "Rows of audit_log.file, two for each change by command or signal. Where the first of a "
        "command cannot be "
        "written the change is refused."),
    COUNTER(audit_rows_failed, "audit_rows_total", "outcome=\"failed\"", NULL),
    COUNTER(health_log_rows, "health_check_log_rows_total", "outcome=\"written\"",
            "Health check log rows."),
    COUNTER(health_log_rows_dropped, "health_check_log_rows_total", "outcome=\"dropped\"", NULL),
    COUNTER(handed_over, "connections_handed_over_total", NULL,
            "Connections passed to a loop that had fewer."),
    COUNTER(dns_found, "dns_lookups_total", "outcome=\"found\"",
            "Questions to DNS for the addresses of targets, by outcome; empty is an answer without "
            "an address."),
    COUNTER(dns_empty, "dns_lookups_total", "outcome=\"empty\"", NULL),
    COUNTER(dns_failed, "dns_lookups_total", "outcome=\"failed\"", NULL),
    { .name = NULL },
};

#undef COUNTER
#undef GAUGE
#undef FAILED
#define COUNTER(field, name, labels, help)                                                         \
    {                                                                                              \
        name, METRIC_COUNTER, offsetof(struct target_counters, field), labels, help                \
    }

const struct metric target_metrics[] = {
    COUNTER(requests, "target_requests_total", NULL, "Requests sent to this target."),
    COUNTER(code_1xx, "target_responses_total", "code=\"1xx\"",
            "Responses of this target (HTTPCode_Target_2XX_Count, HTTPCode_Target_3XX_Count, "
            "HTTPCode_Target_4XX_Count, HTTPCode_Target_5XX_Count); 1xx is 101."),
    COUNTER(code_2xx, "target_responses_total", "code=\"2xx\"", NULL),
    COUNTER(code_3xx, "target_responses_total", "code=\"3xx\"", NULL),
    COUNTER(code_4xx, "target_responses_total", "code=\"4xx\"", NULL),
    COUNTER(code_5xx, "target_responses_total", "code=\"5xx\"", NULL),
    COUNTER(connection_errors, "target_connection_errors_total", NULL,
            "Connections that could not be made (TargetConnectionErrorCount)."),
    COUNTER(connections, "target_connections_total", NULL,
            "Connections made to this target (NewConnectionCount, target side)."),
    { "target_connections_open", METRIC_GAUGE, offsetof(struct target_counters, connections_open),
      NULL,
      "Connections to this target open now, idle ones and tunnels included "
      "(ActiveConnectionCount, target side)." },
    COUNTER(tls_full, "target_tls_handshakes_total", "resumed=\"no\"",
            "TLS handshakes with this target that succeeded."),
    COUNTER(tls_resumed, "target_tls_handshakes_total", "resumed=\"yes\"", NULL),
    COUNTER(tls_errors, "target_tls_errors_total", NULL,
            "TLS handshakes with this target that failed (TargetTLSNegotiationErrorCount)."),
    COUNTER(tunnels, "target_tunnels_total", NULL, "WebSocket tunnels opened to this target."),
    COUNTER(frames_from_client, "target_frames_total", "from=\"client\"",
            "WebSocket frames relayed, counted when their tunnel ends."),
    COUNTER(frames_from_target, "target_frames_total", "from=\"target\"", NULL),
    COUNTER(bytes_from_client, "target_tunnel_bytes_total", "from=\"client\"",
            "Bytes relayed through tunnels, as they pass."),
    COUNTER(bytes_from_target, "target_tunnel_bytes_total", "from=\"target\"", NULL),
    { "target_response_time_seconds", METRIC_HISTOGRAM,
      offsetof(struct target_counters, response_time), NULL,
      "From the request sent to the first byte of the response head (TargetResponseTime)." },
    { .name = NULL },
};

const struct metric group_sum_metrics[] = {
    COUNTER(requests, "group_requests_total", NULL,
            "Requests sent to the targets of this group (RequestCount; its rate divided by "
            "alb_healthy_hosts is RequestCountPerTarget)."),
    COUNTER(
        code_1xx, "group_responses_total", "code=\"1xx\"",
        "The same as for a target, over the whole group (HTTPCode_Target_2XX_Count and so on)."),
    COUNTER(code_2xx, "group_responses_total", "code=\"2xx\"", NULL),
    COUNTER(code_3xx, "group_responses_total", "code=\"3xx\"", NULL),
    COUNTER(code_4xx, "group_responses_total", "code=\"4xx\"", NULL),
    COUNTER(code_5xx, "group_responses_total", "code=\"5xx\"", NULL),
    COUNTER(connection_errors, "group_connection_errors_total", NULL,
            "Connections to the targets of this group that could not be made "
            "(TargetConnectionErrorCount)."),
    { "group_response_time_seconds", METRIC_HISTOGRAM,
      offsetof(struct target_counters, response_time), NULL,
      "The same as for a target, over the whole group (TargetResponseTime)." },
    { .name = NULL },
};

#undef COUNTER
#define COUNTER(field, name, labels, help)                                                         \
    {                                                                                              \
        name, METRIC_COUNTER, offsetof(struct group_counters, field), labels, help                 \
    }

const struct metric group_metrics[] = {
    COUNTER(unhealthy_routing, "unhealthy_routing_requests_total", NULL,
            "Requests routed while this group failed open (UnhealthyRoutingRequestCount)."),
    COUNTER(non_sticky, "non_sticky_requests_total", NULL,
            "Requests of a sticky group that went to a newly chosen target "
            "(NonStickyRequestCount)."),
    COUNTER(app_cookie_non_sticky, "app_cookie_non_sticky_requests_total", NULL,
            "Those of them whose group has stickiness.type = app_cookie "
            "(AppCookieNonStickinessCount)."),
    COUNTER(
        sticky_requests[STICKINESS_FOUND], "sticky_requests_total", "cookie=\"found\"",
        "Requests of a sticky group by the cookie for it that they brought: one that holds; ours "
        "but of another group or expired; one that does not open; one like the managed "
        "balancer's; one that never was a cookie of a balancer; none."),
    COUNTER(sticky_requests[STICKINESS_STALE], "sticky_requests_total", "cookie=\"stale\"", NULL),
    COUNTER(sticky_requests[STICKINESS_INVALID], "sticky_requests_total", "cookie=\"invalid\"",
            NULL),
    COUNTER(sticky_requests[STICKINESS_MANAGED], "sticky_requests_total", "cookie=\"managed\"",
            NULL),
    COUNTER(sticky_requests[STICKINESS_FOREIGN], "sticky_requests_total", "cookie=\"foreign\"",
            NULL),
    COUNTER(sticky_requests[STICKINESS_NONE], "sticky_requests_total", "cookie=\"none\"", NULL),
    COUNTER(sticky_withheld, "sticky_responses_withheld_total", NULL,
            "Responses marked as publicly cacheable that got no sticky cookie for that "
            "(stickiness.on_public_responses)."),
    COUNTER(
        cookies_over_bound, "soft_bound_passed_total", "by=\"cookie\"",
        "Requests that went to another target than their cookie's or key's, because it was over "
        "load_balancing.soft_bound.percentage."),
    COUNTER(keys_over_bound, "soft_bound_passed_total", "by=\"hash\"", NULL),
    COUNTER(keys_first, "hash_requests_total", "went=\"first\"",
            "Requests of a consistent_hash group by where they went: to the first target in the "
            "order of their key; to a later one, since those before it could not have them "
            "(health, drain, slow start, limits); in turn, since they had no key."),
    COUNTER(keys_next, "hash_requests_total", "went=\"next\"", NULL),
    COUNTER(keys_none, "hash_requests_total", "went=\"no_key\"", NULL),
    COUNTER(no_target, "requests_without_target_total", "reason=\"none\"",
            "Requests answered with 503: this group has no target to choose, or all of them have "
            "target.max_connections."),
    COUNTER(all_full, "requests_without_target_total", "reason=\"full\"", NULL),
    COUNTER(
        upgrades_limited, "upgrades_limited_total", NULL,
        "WebSocket upgrades answered with 503 and Retry-After: beyond websocket.upgrade_rate, or "
        "all targets that could take them start slowly."),
    COUNTER(retries, "retries_total", "outcome=\"sent\"",
            "Requests that a target did not answer at all and that were tried on another."),
    COUNTER(retries_without_target, "retries_total", "outcome=\"no_target\"", NULL),
    { "group_websocket_quiet_seconds", METRIC_HISTOGRAM,
      offsetof(struct group_counters, quiet_time), NULL,
      "Quiet spells of the group's WebSockets: from one byte of either side to the next, where "
      "that is over a second. An answered ping of ours ends one, if it is to count." },
    { .name = NULL },
};

#undef COUNTER

/* A struct of metric values and nothing else. */
void target_counters_add(struct target_counters *to, const struct target_counters *from)
{
    metric_value *sums = (metric_value *)to;
    const metric_value *values = (const metric_value *)from;

    _Static_assert(sizeof(*to) % sizeof(metric_value) == 0, "all of it is metric values");
    for (size_t i = 0; i < sizeof(*to) / sizeof(metric_value); i++)
        metric_add(&sums[i], metric_get(&values[i]));
}
