/*
 * options.h -- the settings of alb, one struct and one table a section kind.
 *
 * Where the managed load balancer has an attribute, ours has its name, unit
 * and range. The tables are in options.c; `alb settings` prints them.
 */
#ifndef ALB_OPTIONS_H
#define ALB_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/settings.h"

/* routing.http.xff_header_processing.mode */
enum xff_mode { XFF_APPEND, XFF_PRESERVE, XFF_REMOVE };
enum profile { PROFILE_POSTERN, PROFILE_AWS };

/* websocket.*_close: whether a WebSocket that we end is told so. */
enum tunnel_farewell { FAREWELL_FRAME, FAREWELL_CUT };

/* What holds for a WebSocket: in [alb] the defaults, in a [target_group] its own. */
struct tunnel_options {
    uint32_t ping_interval_ms; /* 0: no pings */
    uint32_t pong_timeout_ms;
    bool idle_counts_pings;
    uint32_t close_timeout_ms;
    int idle_close, drain_close; /* enum tunnel_farewell */
    uint32_t upgrade_rate;       /* a second; 0: no limit */
    uint32_t drain_rate;         /* a second; 0: auto */
    int drain_order;             /* enum drain_order */
    bool drain_unhealthy;
};

struct alb_options {
    int profile;              /* enum profile: whose defaults hold */
    char *name;               /* access log field 3 */
    uint32_t workers;         /* 0: one a core */
    uint32_t max_connections; /* client connections; 0: from RLIMIT_NOFILE */
    uint32_t idle_timeout_ms;
    uint32_t client_keep_alive_ms;
    struct tunnel_options tunnel;
    int desync_mode; /* enum http_desync_mode */
    bool drop_invalid_header_fields;
    int xff_mode; /* enum xff_mode */
    bool xff_client_port;
    bool preserve_host;
    bool tls_headers; /* x-amzn-tls-version and x-amzn-tls-cipher-suite */
    char *admin;      /* "" or IP:port */
    char *control;    /* "" or a socket's path */
    bool access_logs;
    char *access_logs_file; /* "-" is standard output */
    int access_logs_format; /* enum log_format; of the other logs as well */
    bool connection_logs;
    char *connection_logs_file;
    bool health_check_logs;
    char *health_check_logs_file;
    char *audit_log_file; /* "": none but the program log */
    uint32_t shutdown_delay_ms, shutdown_timeout_ms;
    uint32_t upgrade_timeout_ms;
    uint32_t tls_handshake_timeout_ms;
    char *dns_servers; /* "": the system's */
    uint32_t dns_min_interval_ms, dns_max_interval_ms;
    char *state_file;    /* "": none */
    char *seal_key_file; /* "": a random key */
    char *group_cookie_name, *group_cookie_cors_name;
};

enum log_format { LOG_FORMAT_ALB, LOG_FORMAT_JSON };

/* Where a believed peer says who the viewer is, and what it speaks. */
enum viewer_address { VIEWER_BY_FORWARDED_FOR, VIEWER_BY_CLOUDFRONT };
enum viewer_proto_by { PROTO_BY_HOP, PROTO_BY_FORWARDED_PROTO, PROTO_BY_CLOUDFRONT };

/* What source-ip conditions compare. */
enum source_ip { SOURCE_PEER, SOURCE_VIEWER };
enum edge_enforce { EDGE_ENFORCE, EDGE_OBSERVE };
enum edge_on_leave { EDGE_KEEP, EDGE_CLOSE };

struct edge_options {
    struct setting_list allow;           /* CIDRs, "any" or "none" */
    struct setting_list allow_file;      /* globs */
    struct setting_list allow_ip_ranges; /* "PATH SERVICE" */
    struct setting_list trust;           /* CIDRs, "edge" or "none" */
    int viewer_address;                  /* enum viewer_address */
    int viewer_proto;                    /* enum viewer_proto_by */
    int source_ip;                       /* enum source_ip */
    int enforce;                         /* enum edge_enforce */
    int on_leave;                        /* enum edge_on_leave */
    uint32_t leave_timeout_ms;
    bool check_announced;
    char *secret_header, *secret_file; /* "": none */
};

struct health_options {
    struct setting_list bind;  /* IP:port */
    struct setting_list allow; /* CIDRs, or "any" */
    bool ready_needs_target;
};

struct manage_options {
    struct setting_list bind;          /* IP:port */
    struct setting_list allow;         /* CIDRs, or "any" */
    char *certificate_file, *key_file; /* key "": in the certificate's file */
    char *token_file, *client_ca_file; /* "": none */
    struct setting_list client;        /* "NAME" or "NAME read" */
};

enum protocol { PROTOCOL_HTTP, PROTOCOL_HTTPS };

/* The request headers of ours whose names a listener may change. */
enum request_header {
    REQUEST_TLS_VERSION,
    REQUEST_TLS_CIPHER_SUITE,
    REQUEST_CLIENT_CERT, /* from here on: enum tls_cert_text, in its order */
    REQUEST_CLIENT_CERT_SERIAL_NUMBER,
    REQUEST_CLIENT_CERT_ISSUER,
    REQUEST_CLIENT_CERT_SUBJECT,
    REQUEST_CLIENT_CERT_VALIDITY,
    REQUEST_CLIENT_CERT_LEAF,
    REQUEST_HEADERS,
};

/* The response headers that a listener may put in. */
enum response_header {
    RESPONSE_STRICT_TRANSPORT_SECURITY,
    RESPONSE_ALLOW_ORIGIN,
    RESPONSE_ALLOW_METHODS,
    RESPONSE_ALLOW_HEADERS,
    RESPONSE_ALLOW_CREDENTIALS,
    RESPONSE_EXPOSE_HEADERS,
    RESPONSE_MAX_AGE,
    RESPONSE_CONTENT_SECURITY_POLICY,
    RESPONSE_CONTENT_TYPE_OPTIONS,
    RESPONSE_FRAME_OPTIONS,
    RESPONSE_HEADERS,
};

struct listener_options {
    char *bind;
    int protocol; /* enum protocol */
    bool proxy_protocol;
    uint32_t proxy_protocol_timeout_ms;
    char *certificate;
    char *certificate_key;               /* "": in the certificate's file */
    int ssl_policy;                      /* index into tls_policies */
    struct setting_list sni_certificate; /* "FILE" or "FILE KEYFILE" */
    int client_auth;                     /* enum tls_client_auth */
    char *trust_store;
    struct setting_list revocation_file;
    bool ignore_client_expiry;
    bool advertise_trusted_names;
    char *request_names[REQUEST_HEADERS];    /* "": as the managed balancer calls it */
    char *response_values[RESPONSE_HEADERS]; /* "": not put in */
    bool server_header;                      /* false: no Server in any response */
    char *default_action;
};

/* protocol_version: what targets speak. */
enum protocol_version { VERSION_HTTP1, VERSION_HTTP2, VERSION_GRPC };
enum stickiness_type { STICKINESS_TYPE_LB_COOKIE, STICKINESS_TYPE_APP_COOKIE };
enum algorithm { ROUND_ROBIN, LEAST_OUTSTANDING_REQUESTS, WEIGHTED_RANDOM, CONSISTENT_HASH };
extern const char *const algorithm_names[]; /* as in a file; ends with NULL */

/* Most tries after the first one. */
enum { RETRY_MOST = 3 };

struct group_options {
    struct setting_list target;
    uint32_t port;        /* of targets that name none; 0: there is none */
    int protocol_version; /* enum protocol_version */
    int protocol;         /* enum protocol */
    bool tls_verify;
    char *tls_ca_file;
    char *tls_server_name; /* "": the target's own */
    uint32_t deregistration_delay_ms;
    int algorithm;  /* enum algorithm */
    char *hash_key; /* of consistent_hash: hash_key.h, or "none" */
    bool anomaly_mitigation;
    uint32_t slow_start_ms;          /* 0: none */
    uint32_t fail_open_count;        /* fewer healthy targets than this: all are used */
    uint32_t fail_open_percent;      /* the same, of the members; 0: off */
    uint32_t target_max_connections; /* 0: no limit */
    uint32_t soft_bound_percent;     /* of a target's part (soft_bound.h); 0: off */
    uint32_t retry_max;
    bool health_enabled;
    int health_protocol; /* enum protocol */
    bool health_websocket;
    char *health_path;
    char *health_port; /* "traffic-port" or a number */
    uint32_t health_interval_ms, health_timeout_ms;
    uint32_t healthy_threshold, unhealthy_threshold;
    char *health_matcher;
    bool stickiness;
    int stickiness_type; /* enum stickiness_type */
    uint32_t lb_cookie_duration_ms;
    char *lb_cookie_name, *lb_cookie_cors_name;
    char *app_cookie_name; /* the application's; "": none was said */
    uint32_t app_cookie_duration_ms;
    char *app_cookie_own_name;
    bool sticky_public;           /* cookies on responses for shared caches, too */
    struct tunnel_options tunnel; /* what it does not say is that of [alb] */
};

struct rule_options {
    char *listener;
    uint32_t priority;
    struct setting_list host_header, host_header_regex;
    struct setting_list path_pattern, path_pattern_regex;
    struct setting_list http_request_method, source_ip;
    struct setting_list http_header, http_header_regex;
    struct setting_list query_string;
    struct setting_list host_header_rewrite, url_rewrite;
    char *action;
};

/* A section kind: "[listener https]" is of kind "listener". */
struct section_kind {
    const char *kind;
    bool is_named;
    const struct setting *settings;
    const char *help;
};

extern const struct setting alb_settings[], edge_settings[], health_settings[], manage_settings[],
    listener_settings[], group_settings[], rule_settings[];

/* All kinds; ends with a NULL kind. */
extern const struct section_kind alb_sections[];

/* The kinds alone, one a line: `alb sections`, for who is to tell our sections from another
 * program's (image/configure/). */
void options_list_sections(FILE *to);

/* Print all of it as one Markdown page: `alb settings`, and docs/settings.md. */
void options_describe(FILE *to);

#endif
