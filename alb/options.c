/* options.c -- the settings of alb, as tables: everything that a file may say. */
#include "alb/options.h"

#include "net/tls_policy.h"

#include "alb/soft_bound.h"

enum {
    SECOND = 1000,
    MINUTE = 60 * SECOND,
    HOUR = 60 * MINUTE,
};

static const char *const profiles[] = { "postern", "aws", NULL };
const char *const algorithm_names[] = { "round_robin", "least_outstanding_requests",
                                        "weighted_random", "consistent_hash", NULL };
static const char *const farewells[] = { "frame", "cut", NULL };
static const char *const drain_orders[] = { "oldest", "idlest", NULL };
static const char *const desync_modes[] = { "monitor", "defensive", "strictest", NULL };
static const char *const xff_modes[] = { "append", "preserve", "remove", NULL };
static const char *const log_formats[] = { "alb", "json", NULL };
static const char *const viewer_addresses[] = { "x-forwarded-for", "cloudfront-viewer-address",
                                                NULL };
static const char *const viewer_protos[] = { "hop", "x-forwarded-proto",
                                             "cloudfront-forwarded-proto", NULL };
static const char *const source_ips[] = { "peer", "viewer", NULL };
static const char *const protocols[] = { "HTTP", "HTTPS", NULL };
static const char *const protocol_versions[] = { "HTTP1", "HTTP2", "GRPC", NULL };
static const char *const client_auths[] = { "off", "passthrough", "verify", NULL };
static const char *const stickiness_types[] = { "lb_cookie", "app_cookie", NULL };
static const char *const enforce_names[] = { "enforce", "observe", NULL };
static const char *const on_leave_names[] = { "keep", "close", NULL };

#define FIELD(name) offsetof(struct alb_options, name)

const struct setting alb_settings[] = {
    { "name", SETTING_TEXT, FIELD(name), "app/postern/0000000000000000", 0, 0, NULL, APPLIES_RELOAD,
      "What the access log calls this balancer (its field 3)." },
    { "profile", SETTING_CHOICE, FIELD(profile), "postern", 0, 0, profiles, APPLIES_RELOAD,
      "Whose defaults hold for what the file does not say. aws: the managed balancer's, where ours "
      "are others; `alb check --profile aws` lists them for a "
      "file." },
    { "workers", SETTING_COUNT, FIELD(workers), "auto", 1, 256, NULL, APPLIES_RESTART,
      "Threads that carry traffic; auto is one for each processor." },
    { "max_connections", SETTING_COUNT, FIELD(max_connections), "auto", 1, 10000000, NULL,
      APPLIES_RELOAD,
      "Client connections at a time; auto is what the limit of open files allows." },
    { "idle_timeout.timeout_seconds", SETTING_DURATION, FIELD(idle_timeout_ms), "60", SECOND,
      4000 * SECOND, NULL, APPLIES_RELOAD,
      "A connection or WebSocket on which neither side sent a byte for this long is closed; also "
      "the time that a target has to answer." },
    { "client_keep_alive.seconds", SETTING_DURATION, FIELD(client_keep_alive_ms), "3600", MINUTE,
      168 * HOUR, NULL, APPLIES_NEW_CONNECTIONS,
      "Age at which a client connection gets its last response, counted from accept. A WebSocket "
      "is not cut by it." },
    { "websocket.ping_interval", SETTING_DURATION, FIELD(tunnel.ping_interval_ms), "0", 0, HOUR,
      NULL, APPLIES_RELOAD,
      "Ping a side of a WebSocket when nothing was sent to it, or nothing came from it, for this "
      "long; its pong is kept from the other side. 0 is never. Choose less than half of the time "
      "after which anything on the way cuts a quiet connection: 25s.",
      .aws = "0" },
    { "websocket.pong_timeout", SETTING_DURATION, FIELD(tunnel.pong_timeout_ms), "10s", 100, MINUTE,
      NULL, APPLIES_RELOAD,
      "A side that sends nothing at all for this long after such a ping is gone, and the "
      "WebSocket ends." },
    { "websocket.idle_counts_pings", SETTING_BOOL, FIELD(tunnel.idle_counts_pings), "on", 0, 0,
      NULL, APPLIES_RELOAD,
      "An answered ping counts for idle_timeout.timeout_seconds: a WebSocket whose sides are there "
      "is not idle. Off: only what the sides say by themselves counts." },
    { "websocket.idle_close", SETTING_CHOICE, FIELD(tunnel.idle_close), "frame", 0, 0, farewells,
      APPLIES_RELOAD,
      "How a WebSocket that was idle for too long ends: frame is a Close 1001 to both sides before "
      "the connection ends, cut just ends it.",
      .aws = "cut" },
    { "websocket.drain_close", SETTING_CHOICE, FIELD(tunnel.drain_close), "frame", 0, 0, farewells,
      APPLIES_RELOAD,
      "How WebSockets end when this process stops, or their target is drained: frame is a Close "
      "1012 `restart;after=MS`, to one client after the other; cut leaves them alone and ends them "
      "all at the end of the shutdown_timeout or of the deregistration delay.",
      .aws = "cut" },
    { "websocket.close_timeout", SETTING_DURATION, FIELD(tunnel.close_timeout_ms), "5s", 100,
      MINUTE, NULL, APPLIES_RELOAD,
      "How long a Close of ours waits for the end of the frame that is on its way, and then for "
      "the client's answer, before the connection is cut." },
    { "websocket.upgrade_rate", SETTING_COUNT, FIELD(tunnel.upgrade_rate), "0", 0, 1000000, NULL,
      APPLIES_RELOAD,
      "How many upgrades a second each target group takes, over all loops (and once, that many at "
      "the same time); those beyond get 503 with Retry-After. A target in slow start takes of them "
      "its part for its weight, growing evenly with time. 0 is no limit." },
    { "websocket.drain_rate", SETTING_COUNT, FIELD(tunnel.drain_rate), "auto", 1, 100000, NULL,
      APPLIES_RELOAD,
      "How many WebSockets a drain closes in any second at most; what is left at the end of the "
      "delay is cut. auto spreads them over 0.9 of the delay." },
    { "websocket.drain_order", SETTING_CHOICE, FIELD(tunnel.drain_order), "oldest", 0, 0,
      drain_orders, APPLIES_RELOAD,
      "Which of them first: those that were opened first, or those on which nothing moved for the "
      "longest time." },
    { "websocket.drain_unhealthy", SETTING_BOOL, FIELD(tunnel.drain_unhealthy), "false", 0, 0, NULL,
      APPLIES_RELOAD,
      "Drain a target's WebSockets when its health checks have failed, unless its group fails "
      "open." },
    { "routing.http.desync_mitigation_mode", SETTING_CHOICE, FIELD(desync_mode), "defensive", 0, 0,
      desync_modes, APPLIES_RELOAD,
      "What becomes of requests that two servers could read differently." },
    { "routing.http.drop_invalid_header_fields.enabled", SETTING_BOOL,
      FIELD(drop_invalid_header_fields), "false", 0, 0, NULL, APPLIES_RELOAD,
      "Drop request fields whose names are not letters, digits and hyphens; otherwise those that "
      "can be sent are." },
    { "routing.http.xff_header_processing.mode", SETTING_CHOICE, FIELD(xff_mode), "append", 0, 0,
      xff_modes, APPLIES_RELOAD,
      "X-Forwarded-For on its way to a target: append the client's address, preserve it as it "
      "came, or remove it." },
    { "routing.http.xff_client_port.enabled", SETTING_BOOL, FIELD(xff_client_port), "false", 0, 0,
      NULL, APPLIES_RELOAD,
      "Append the client's port as well: `192.0.2.1:5678`, `[2001:db8::1]:5678`." },
    { "routing.http.preserve_host_header.enabled", SETTING_BOOL, FIELD(preserve_host), "false", 0,
      0, NULL, APPLIES_RELOAD,
      "Send Host as it came. Otherwise a listener on port 80 or 443 takes its port off, and one "
      "on another port adds its own where there is none." },
    { "routing.http.x_amzn_tls_version_and_cipher_suite.enabled", SETTING_BOOL, FIELD(tls_headers),
      "false", 0, 0, NULL, APPLIES_RELOAD,
      "Tell targets the client's TLS in x-amzn-tls-version and x-amzn-tls-cipher-suite." },
    { "admin", SETTING_TEXT, FIELD(admin), "", 0, 0, NULL, APPLIES_RESTART,
      "IP:port of the read-only admin page and metrics; empty is none. Not guarded by [edge]: "
      "keep it on a loopback or management address." },
    { "control", SETTING_TEXT, FIELD(control), "", 0, 0, NULL, APPLIES_RESTART,
      "Path of the Unix socket that the commands talk to; empty is none." },
    { "access_logs.enabled", SETTING_BOOL, FIELD(access_logs), "false", 0, 0, NULL, APPLIES_RELOAD,
      "Write a line for each request, and for each WebSocket when it ends." },
    { "access_logs.file", SETTING_TEXT, FIELD(access_logs_file), "-", 0, 0, NULL, APPLIES_RELOAD,
      "Where those lines go: a file, a FIFO, or - for standard output. SIGHUP and SIGUSR1 open it "
      "again." },
    { "access_logs.format", SETTING_CHOICE, FIELD(access_logs_format), "alb", 0, 0, log_formats,
      APPLIES_RELOAD,
      "The managed balancer's own fields, or one JSON object a line with their names; of the "
      "other two logs as well." },
    { "connection_logs.enabled", SETTING_BOOL, FIELD(connection_logs), "false", 0, 0, NULL,
      APPLIES_RELOAD,
      "Write a line for each connection, also for one whose TLS handshake or PROXY protocol head "
      "fails." },
    { "connection_logs.file", SETTING_TEXT, FIELD(connection_logs_file), "-", 0, 0, NULL,
      APPLIES_RELOAD, "Where those lines go, likewise." },
    { "health_check_logs.enabled", SETTING_BOOL, FIELD(health_check_logs), "false", 0, 0, NULL,
      APPLIES_RELOAD, "Write a line for each health check, with why one failed." },
    { "health_check_logs.file", SETTING_TEXT, FIELD(health_check_logs_file), "-", 0, 0, NULL,
      APPLIES_RELOAD, "Where those lines go, likewise." },
    { "audit_log.file", SETTING_TEXT, FIELD(audit_log_file), "", 0, 0, NULL, APPLIES_RELOAD,
      "Where a line goes for each change by command, local or remote, or by signal, before and "
      "after it "
      "([management.md](management.md#the-audit-log)); empty: to the program log alone, which has "
      "them anyway. A change by command whose line cannot be written there is refused." },
    { "upgrade_timeout", SETTING_DURATION, FIELD(upgrade_timeout_ms), "30s", SECOND, 50 * SECOND,
      NULL, APPLIES_RELOAD,
      "How long the process that `alb upgrade` starts may take until it serves; then it is killed "
      "and "
      "this one carries on." },
    { "shutdown_delay", SETTING_DURATION, FIELD(shutdown_delay_ms), "0", 0, 10 * MINUTE, NULL,
      APPLIES_RELOAD,
      "How long a stop, and `alb drain --all`, wait until the first client is told to come again: "
      "`/ready` is 503 meanwhile, and new connections are served. Long enough for what stands in "
      "front to see it: the interval of its checks times its threshold, and one interval more. A "
      "second signal, or command, ends it." },
    { "shutdown_timeout", SETTING_DURATION, FIELD(shutdown_timeout_ms), "30s", 0, HOUR, NULL,
      APPLIES_RELOAD, "How long a stop then waits for connections to end before it cuts them." },
    { "tls.handshake_timeout", SETTING_DURATION, FIELD(tls_handshake_timeout_ms), "10s", SECOND,
      MINUTE, NULL, APPLIES_NEW_CONNECTIONS,
      "A TLS handshake that is not finished by then is dropped." },
    { "dns.servers", SETTING_TEXT, FIELD(dns_servers), "", 0, 0, NULL, APPLIES_RELOAD,
      "Servers that are asked for the names of targets: IP, IP:port or [IPv6]:port, at most 8; "
      "empty is those of /etc/resolv.conf." },
    { "dns.min_interval", SETTING_DURATION, FIELD(dns_min_interval_ms), "5s", 100, HOUR, NULL,
      APPLIES_RELOAD,
      "A name is asked for again when its answer's time to live is over, but not sooner than this; "
      "also the time to the next try when DNS fails." },
    { "dns.max_interval", SETTING_DURATION, FIELD(dns_max_interval_ms), "5m", 100, 24 * HOUR, NULL,
      APPLIES_RELOAD, "And not later than this." },
    { "state_file", SETTING_TEXT, FIELD(state_file), "", 0, 0, NULL, APPLIES_RESTART,
      "Where targets that `alb register` and `alb deregister` named are kept over a restart; empty "
      "is nowhere. Its folder must be writable." },
    { "seal_key_file", SETTING_TEXT, FIELD(seal_key_file), "", 0, 0, NULL, APPLIES_RELOAD,
      "Keys that seal sticky cookies, one a line: the first seals, all open, so a key is changed "
      "without a session lost by a new first line and a reload. Empty is a random key, and a "
      "restart then forgets who was stuck where." },
    { "stickiness.group_cookie.cookie_name", SETTING_TEXT, FIELD(group_cookie_name), "AWSALBTG", 0,
      0, NULL, APPLIES_RELOAD,
      "The cookie that keeps a client with one of several groups (forward with stickiness=)." },
    { "stickiness.group_cookie.cors_cookie_name", SETTING_TEXT, FIELD(group_cookie_cors_name),
      "AWSALBTGCORS", 0, 0, NULL, APPLIES_RELOAD, "Its twin, for requests from other sites." },
    { .key = NULL },
};

#undef FIELD
#define FIELD(name) offsetof(struct edge_options, name)

const struct setting edge_settings[] = {
    { "allow", SETTING_LIST, FIELD(allow), NULL, 0, 0, NULL, APPLIES_RELOAD,
      "CIDR blocks that may connect, separated by blanks; or any (open to all), or none "
      "(closed)." },
    { "allow_file", SETTING_LIST, FIELD(allow_file), NULL, 0, 0, NULL, APPLIES_RELOAD,
      "Files of CIDR blocks, one a line; wildcards such as `edge.d/*.txt`." },
    { "allow_ip_ranges", SETTING_LIST, FIELD(allow_ip_ranges), NULL, 0, 0, NULL, APPLIES_RELOAD,
      "An ip-ranges.json and the service whose blocks may connect: FILE "
      "CLOUDFRONT_ORIGIN_FACING." },
    { "secret_header", SETTING_TEXT, FIELD(secret_header), "", 0, 0, NULL, APPLIES_RELOAD,
      "A header that the edge adds, such as X-Origin-Verify, and whose value must be one of those "
      "in "
      "secret_file: any other request gets 403. It is taken out of every request. "
      "[edge.md](edge.md#the-origin-secret) says how to change the value." },
    { "secret_file", SETTING_TEXT, FIELD(secret_file), "", 0, 0, NULL, APPLIES_RELOAD,
      "Those values: one or two lines of 16 to 128 visible ASCII characters, no comments. Mode "
      "0600. "
      "Read again on reload." },
    { "trust", SETTING_LIST, FIELD(trust), "edge", 0, 0, NULL, APPLIES_RELOAD,
      "Whose word on the viewer is believed: edge (whoever may connect by the keys above; with "
      "`allow = any` nobody), CIDR blocks separated by blanks, or none. [edge.md](edge.md) says "
      "what that changes." },
    { "viewer_address", SETTING_CHOICE, FIELD(viewer_address), "x-forwarded-for", 0, 0,
      viewer_addresses, APPLIES_RELOAD,
      "Where those say who the viewer is: in the last entry of X-Forwarded-For, or in "
      "CloudFront-Viewer-Address." },
    { "viewer_proto", SETTING_CHOICE, FIELD(viewer_proto), "hop", 0, 0, viewer_protos,
      APPLIES_RELOAD,
      "What X-Forwarded-Proto tells the targets: how the connection to here came (hop), as the "
      "managed balancer does; or how the viewer came, by that header of whom trust names." },
    { "source_ip", SETTING_CHOICE, FIELD(source_ip), "peer", 0, 0, source_ips, APPLIES_RELOAD,
      "Whose address source-ip conditions compare: that of the connection, as the managed balancer "
      "does, or the viewer's. When trust names the peer and it does not say who the viewer is, no "
      "block fits." },
    { "enforce", SETTING_CHOICE, FIELD(enforce), "enforce", 0, 0, enforce_names, APPLIES_RELOAD,
      "enforce: others get no connection; observe: they are let in, logged and counted, to try a "
      "set out. `alb edge refused` lists them in both cases." },
    { "on_leave", SETTING_CHOICE, FIELD(on_leave), "keep", 0, 0, on_leave_names, APPLIES_RELOAD,
      "What becomes of the connections of a peer that the set has no longer: keep, or close: after "
      "the answer that is under way, WebSockets with a Close 1001, one after the other." },
    { "leave_timeout", SETTING_DURATION, FIELD(leave_timeout_ms), "30s", 0, HOUR, NULL,
      APPLIES_RELOAD,
      "With on_leave = close: within this time those WebSockets are closed; 0 is all at once." },
    { "check_announced", SETTING_BOOL, FIELD(check_announced), "false", 0, 0, NULL,
      APPLIES_NEW_CONNECTIONS,
      "With proxy_protocol on a listener: the address that is announced must be one of these too, "
      "or the connection is closed. The address that connects always has to be." },
    { .key = NULL },
};

#undef FIELD
#define FIELD(name) offsetof(struct health_options, name)

const struct setting health_settings[] = {
    { "bind", SETTING_LIST, FIELD(bind), NULL, 0, 0, NULL, APPLIES_RELOAD,
      "Required. IP:port or [IPv6]:port where /health and /ready are answered, one a line, at most "
      "8; port 0 is any free one." },
    { "allow", SETTING_LIST, FIELD(allow), NULL, 0, 0, NULL, APPLIES_RELOAD,
      "Required. CIDR blocks that may ask, separated by blanks, or any. [edge] does not hold "
      "here." },
    { "ready_needs_target", SETTING_BOOL, FIELD(ready_needs_target), "true", 0, 0, NULL,
      APPLIES_RELOAD,
      "/ready is 503 while no target of any group is healthy. Off: it says only whether this "
      "process takes new work." },
    { .key = NULL },
};

#undef FIELD
#define FIELD(name) offsetof(struct manage_options, name)

const struct setting manage_settings[] = {
    { "bind", SETTING_LIST, FIELD(bind), NULL, 0, 0, NULL, APPLIES_RELOAD,
      "Required. IP:port or [IPv6]:port where `alb --remote` is answered, one a line, at most 8; "
      "port 0 is any free one." },
    { "allow", SETTING_LIST, FIELD(allow), NULL, 0, 0, NULL, APPLIES_RELOAD,
      "Required. CIDR blocks that may connect, separated by blanks, or any. Others get no answer. "
      "[edge] does not hold here." },
    { "certificate_file", SETTING_TEXT, FIELD(certificate_file), "", 0, 0, NULL, APPLIES_RELOAD,
      "Required. PEM file of the certificate chain, leaf first: this is TLS only, 1.2 at least." },
    { "key_file", SETTING_TEXT, FIELD(key_file), "", 0, 0, NULL, APPLIES_RELOAD,
      "PEM file of its private key; empty: it is in the certificate's file." },
    { "token_file", SETTING_TEXT, FIELD(token_file), "", 0, 0, NULL, APPLIES_RELOAD,
      "A line NAME TOKEN, or NAME TOKEN read for somebody who may only look, for each bearer token "
      "of 32 to 256 characters. Mode 0600. Read again on reload. This or client_ca_file is "
      "required; with both, both are asked for." },
    { "client_ca_file", SETTING_TEXT, FIELD(client_ca_file), "", 0, 0, NULL, APPLIES_RELOAD,
      "PEM file of the authorities of clients' certificates; nobody connects without one." },
    { "client", SETTING_LIST, FIELD(client), NULL, 0, 0, NULL, APPLIES_RELOAD,
      "Required with client_ca_file, one a line. NAME, or NAME read: the common name of a "
      "certificate that may log in; * is any." },
    { .key = NULL },
};

#undef FIELD
#define FIELD(name) offsetof(struct listener_options, name)

const struct setting listener_settings[] = {
    { "bind", SETTING_TEXT, FIELD(bind), "", 0, 0, NULL, APPLIES_RELOAD,
      "Required. IP:port or [IPv6]:port; port 0 is any free one." },
    { "protocol", SETTING_CHOICE, FIELD(protocol), "HTTP", 0, 0, protocols, APPLIES_RELOAD,
      "What clients speak here." },
    { "proxy_protocol", SETTING_BOOL, FIELD(proxy_protocol), "off", 0, 0, NULL,
      APPLIES_NEW_CONNECTIONS,
      "Each connection begins with a head of the PROXY protocol, version 1 or 2, before TLS: the "
      "address that it announces is the client's. Without such a head it is closed. Off: such a "
      "head is no request." },
    { "proxy_protocol.timeout", SETTING_DURATION, FIELD(proxy_protocol_timeout_ms), "5s", 100,
      MINUTE, NULL, APPLIES_NEW_CONNECTIONS, "Time for that head to be there." },
    { "certificate", SETTING_TEXT, FIELD(certificate), "", 0, 0, NULL, APPLIES_NEW_CONNECTIONS,
      "Required with HTTPS. PEM file with the certificate chain, leaf first." },
    { "certificate_key", SETTING_TEXT, FIELD(certificate_key), "", 0, 0, NULL,
      APPLIES_NEW_CONNECTIONS, "PEM file with the private key; empty is the certificate's file." },
    { "sni_certificate", SETTING_LIST, FIELD(sni_certificate), NULL, 0, 0, NULL,
      APPLIES_NEW_CONNECTIONS,
      "Another certificate, for clients that ask for one of its names (SNI): FILE, or FILE KEYFILE "
      "when the private key is not in it. One a line, up to 25 as the managed balancer; the others "
      "get `certificate`." },
    { "ssl_policy", SETTING_CHOICE, FIELD(ssl_policy), "ELBSecurityPolicy-TLS13-1-2-2021-06", 0, 0,
      tls_policy_names, APPLIES_NEW_CONNECTIONS,
      "With HTTPS: which versions of TLS and which ciphers clients may use; docs/tls.md has the "
      "table.",
      "ELBSecurityPolicy-2016-08", tls_policy_explain },
    { "mutual_authentication.mode", SETTING_CHOICE, FIELD(client_auth), "off", 0, 0, client_auths,
      APPLIES_NEW_CONNECTIONS,
      "With HTTPS: whether clients are asked for a certificate. passthrough takes any, or none, "
      "and "
      "tells targets the chain; verify refuses who has none that the trust store vouches for." },
    { "mutual_authentication.trust_store", SETTING_TEXT, FIELD(trust_store), "", 0, 0, NULL,
      APPLIES_NEW_CONNECTIONS,
      "Required with verify. PEM file of the authorities' certificates, roots or intermediates." },
    { "mutual_authentication.revocation_file", SETTING_LIST, FIELD(revocation_file), NULL, 0, 0,
      NULL, APPLIES_NEW_CONNECTIONS,
      "With verify: files with revocation lists (CRL, PEM or DER) of those authorities. One that "
      "has expired refuses everybody whom its authority vouches for." },
    { "mutual_authentication.ignore_client_certificate_expiry", SETTING_BOOL,
      FIELD(ignore_client_expiry), "false", 0, 0, NULL, APPLIES_NEW_CONNECTIONS,
      "With verify: take a client's certificate that has expired; not an authority's." },
    { "mutual_authentication.advertise_trust_store_ca_names", SETTING_BOOL,
      FIELD(advertise_trusted_names), "false", 0, 0, NULL, APPLIES_NEW_CONNECTIONS,
      "With verify: tell clients the authorities' names, so that they choose the right certificate "
      "(up to TLS 1.2: mbedTLS has it not for 1.3)." },
    { "routing.http.response.server.enabled", SETTING_BOOL, FIELD(server_header), "true", 0, 0,
      NULL, APPLIES_RELOAD, "Without it no response has a Server header, ours or a target's." },
    { "routing.http.request.x_amzn_tls_version.header_name", SETTING_TEXT,
      FIELD(request_names[REQUEST_TLS_VERSION]), "", 0, 0, NULL, APPLIES_RELOAD,
      "What targets see X-Amzn-Tls-Version called; empty is that." },
    { "routing.http.request.x_amzn_tls_cipher_suite.header_name", SETTING_TEXT,
      FIELD(request_names[REQUEST_TLS_CIPHER_SUITE]), "", 0, 0, NULL, APPLIES_RELOAD,
      "What targets see X-Amzn-Tls-Cipher-Suite called; empty is that." },
    { "routing.http.request.x_amzn_mtls_clientcert.header_name", SETTING_TEXT,
      FIELD(request_names[REQUEST_CLIENT_CERT]), "", 0, 0, NULL, APPLIES_RELOAD,
      "What targets see X-Amzn-Mtls-Clientcert called; empty is that." },
    { "routing.http.request.x_amzn_mtls_clientcert_serial_number.header_name", SETTING_TEXT,
      FIELD(request_names[REQUEST_CLIENT_CERT_SERIAL_NUMBER]), "", 0, 0, NULL, APPLIES_RELOAD,
      "What targets see X-Amzn-Mtls-Clientcert-Serial-Number called; empty is that." },
    { "routing.http.request.x_amzn_mtls_clientcert_issuer.header_name", SETTING_TEXT,
      FIELD(request_names[REQUEST_CLIENT_CERT_ISSUER]), "", 0, 0, NULL, APPLIES_RELOAD,
      "What targets see X-Amzn-Mtls-Clientcert-Issuer called; empty is that." },
    { "routing.http.request.x_amzn_mtls_clientcert_subject.header_name", SETTING_TEXT,
      FIELD(request_names[REQUEST_CLIENT_CERT_SUBJECT]), "", 0, 0, NULL, APPLIES_RELOAD,
      "What targets see X-Amzn-Mtls-Clientcert-Subject called; empty is that." },
    { "routing.http.request.x_amzn_mtls_clientcert_validity.header_name", SETTING_TEXT,
      FIELD(request_names[REQUEST_CLIENT_CERT_VALIDITY]), "", 0, 0, NULL, APPLIES_RELOAD,
      "What targets see X-Amzn-Mtls-Clientcert-Validity called; empty is that." },
    { "routing.http.request.x_amzn_mtls_clientcert_leaf.header_name", SETTING_TEXT,
      FIELD(request_names[REQUEST_CLIENT_CERT_LEAF]), "", 0, 0, NULL, APPLIES_RELOAD,
      "What targets see X-Amzn-Mtls-Clientcert-Leaf called; empty is that." },
    { "routing.http.response.strict_transport_security.header_value", SETTING_TEXT,
      FIELD(response_values[RESPONSE_STRICT_TRANSPORT_SECURITY]), "", 0, 0, NULL, APPLIES_RELOAD,
      "Strict-Transport-Security of every response but a 101, in place of a target's; empty leaves "
      "it alone." },
    { "routing.http.response.access_control_allow_origin.header_value", SETTING_TEXT,
      FIELD(response_values[RESPONSE_ALLOW_ORIGIN]), "", 0, 0, NULL, APPLIES_RELOAD,
      "Access-Control-Allow-Origin of every response but a 101, in place of a target's; empty "
      "leaves it alone." },
    { "routing.http.response.access_control_allow_methods.header_value", SETTING_TEXT,
      FIELD(response_values[RESPONSE_ALLOW_METHODS]), "", 0, 0, NULL, APPLIES_RELOAD,
      "Access-Control-Allow-Methods of every response but a 101, in place of a target's; empty "
      "leaves it alone." },
    { "routing.http.response.access_control_allow_headers.header_value", SETTING_TEXT,
      FIELD(response_values[RESPONSE_ALLOW_HEADERS]), "", 0, 0, NULL, APPLIES_RELOAD,
      "Access-Control-Allow-Headers of every response but a 101, in place of a target's; empty "
      "leaves it alone." },
    { "routing.http.response.access_control_allow_credentials.header_value", SETTING_TEXT,
      FIELD(response_values[RESPONSE_ALLOW_CREDENTIALS]), "", 0, 0, NULL, APPLIES_RELOAD,
      "Access-Control-Allow-Credentials of every response but a 101, in place of a target's; empty "
      "leaves it alone." },
    { "routing.http.response.access_control_expose_headers.header_value", SETTING_TEXT,
      FIELD(response_values[RESPONSE_EXPOSE_HEADERS]), "", 0, 0, NULL, APPLIES_RELOAD,
      "Access-Control-Expose-Headers of every response but a 101, in place of a target's; empty "
      "leaves it alone." },
    { "routing.http.response.access_control_max_age.header_value", SETTING_TEXT,
      FIELD(response_values[RESPONSE_MAX_AGE]), "", 0, 0, NULL, APPLIES_RELOAD,
      "Access-Control-Max-Age of every response but a 101, in place of a target's; empty leaves it "
      "alone." },
    { "routing.http.response.content_security_policy.header_value", SETTING_TEXT,
      FIELD(response_values[RESPONSE_CONTENT_SECURITY_POLICY]), "", 0, 0, NULL, APPLIES_RELOAD,
      "Content-Security-Policy of every response but a 101, in place of a target's; empty leaves "
      "it alone." },
    { "routing.http.response.x_content_type_options.header_value", SETTING_TEXT,
      FIELD(response_values[RESPONSE_CONTENT_TYPE_OPTIONS]), "", 0, 0, NULL, APPLIES_RELOAD,
      "X-Content-Type-Options of every response but a 101, in place of a target's; empty leaves it "
      "alone." },
    { "routing.http.response.x_frame_options.header_value", SETTING_TEXT,
      FIELD(response_values[RESPONSE_FRAME_OPTIONS]), "", 0, 0, NULL, APPLIES_RELOAD,
      "X-Frame-Options of every response but a 101, in place of a target's; empty leaves it "
      "alone." },
    { "default_action", SETTING_TEXT, FIELD(default_action), "", 0, 0, NULL, APPLIES_RELOAD,
      "Required. What happens when no rule matches; written like a rule's action." },
    { .key = NULL },
};

#undef FIELD
#define FIELD(name) offsetof(struct group_options, name)

/* Of a setting that [alb] has too, with the same range. */
#define THE_SAME "The same, for the WebSockets of this group.", .inherits = "as in [alb]"

/* The managed balancer has 5-300 and 2-120 seconds for health checks; shorter
 * ones are for laptops and tests, which cannot wait. */
const struct setting group_settings[] = {
    { "target", SETTING_LIST, FIELD(target), NULL, 0, 0, NULL, APPLIES_RELOAD,
      "IP:port, [IPv6]:port, unix:/path or dns:NAME:port, then [weight=N]; one a line, repeat the "
      "key. The weight is 0 to 999, 100 unless said; 0 gets no new requests. All addresses of a "
      "DNS name are targets, as they come and go." },
    { "port", SETTING_COUNT, FIELD(port), "auto", 1, 65535, NULL, APPLIES_RELOAD,
      "Port of targets that are named without one; auto is none." },
    { "protocol_version", SETTING_CHOICE, FIELD(protocol_version), "HTTP1", 0, 0, protocol_versions,
      APPLIES_RELOAD,
      "What the targets speak. Clients speak HTTP/1.1 here, so that the other two answer 464." },
    { "protocol", SETTING_CHOICE, FIELD(protocol), "HTTP", 0, 0, protocols, APPLIES_NEW_CONNECTIONS,
      "What the targets speak. WebSockets go over it too." },
    { "tls.verify", SETTING_BOOL, FIELD(tls_verify), "false", 0, 0, NULL, APPLIES_NEW_CONNECTIONS,
      "With HTTPS: refuse a target whose certificate is not signed by an authority of tls.ca_file, "
      "has expired, or is for another name. Without, any certificate will do, as to the managed "
      "balancer." },
    { "tls.ca_file", SETTING_TEXT, FIELD(tls_ca_file), "/etc/ssl/certs/ca-certificates.crt", 0, 0,
      NULL, APPLIES_NEW_CONNECTIONS,
      "With tls.verify: PEM file of the authorities' certificates, or of a target's own." },
    { "tls.server_name", SETTING_TEXT, FIELD(tls_server_name), "", 0, 0, NULL,
      APPLIES_NEW_CONNECTIONS,
      "With HTTPS: the name that the targets are asked for (SNI) and that their certificates are "
      "verified for; empty is the target's own: its address, which is never asked for, or its DNS "
      "name; a Unix socket has none, and passes no verification without one." },
    { "deregistration_delay.timeout_seconds", SETTING_DURATION, FIELD(deregistration_delay_ms),
      "300", 0, HOUR, NULL, APPLIES_RELOAD,
      "How long a target that is taken out may finish what it carries." },
    { "load_balancing.algorithm.type", SETTING_CHOICE, FIELD(algorithm), "round_robin", 0, 0,
      algorithm_names, APPLIES_RELOAD,
      "How a target is chosen: in turn; the one with the fewest requests and WebSockets open (for "
      "its weight); by chance; or always the same one for the same key (consistent_hash, which is "
      "ours: docs/hashing.md). Each goes by the targets' weights." },
    { "load_balancing.consistent_hash.key", SETTING_TEXT, FIELD(hash_key), "none", 0, 0, NULL,
      APPLIES_RELOAD,
      "Required with consistent_hash. What a request's target goes by: path, header NAME, cookie "
      "NAME, query NAME or viewer (the client's address). A request that has none gets a target in "
      "turn.",
      .aws = "none" },
    { "load_balancing.algorithm.anomaly_mitigation", SETTING_BOOL, FIELD(anomaly_mitigation), "off",
      0, 0, NULL, APPLIES_RELOAD,
      "Send less to a target that fails more than its peers (5XX, failed connections and TLS "
      "handshakes, over 10 seconds), down to a sixteenth of its share. Only with weighted_random; "
      "needs 3 healthy targets." },
    { "slow_start.duration_seconds", SETTING_DURATION, FIELD(slow_start_ms), "0", 0, 15 * MINUTE,
      NULL, APPLIES_RELOAD,
      "A target that becomes healthy beside others gets its full share only after this long, "
      "growing evenly from nothing. 0 is off; else 30 to 900, and less than 30, which the managed "
      "balancer does not have, suits tests: 500ms. Only with round_robin and consistent_hash. Its "
      "share is one of the "
      "turns, whatever it is that comes; of WebSockets, where websocket.upgrade_rate is set, one "
      "of "
      "that rate, which no storm of them exceeds." },
    { "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count", SETTING_COUNT,
      FIELD(fail_open_count), "1", 1, 1000, NULL, APPLIES_RELOAD,
      "With fewer healthy targets than this, requests go to all targets, unhealthy ones too." },
    { "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage",
      SETTING_COUNT, FIELD(fail_open_percent), "off", 1, 100, NULL, APPLIES_RELOAD,
      "The same, with fewer than this part of the group's targets healthy." },
    { "target.max_connections", SETTING_COUNT, FIELD(target_max_connections), "off", 1, 1000000,
      NULL, APPLIES_RELOAD,
      "Requests and WebSockets that one target may have at a time. A full target is passed over; "
      "when all are full the answer is 503. max_connections in [alb] is about clients.",
      .aws = "off" },
    { "load_balancing.soft_bound.percentage", SETTING_COUNT, FIELD(soft_bound_percent), "off",
      SOFT_BOUND_PERCENT_LEAST, SOFT_BOUND_PERCENT_MOST, NULL, APPLIES_RELOAD,
      "A sticky cookie is passed over when its target has more open requests and WebSockets than "
      "this percentage of its part (what its weight makes of those of all targets that may get "
      "requests), and more than 8 above it: 150. The client gets another target then, and its "
      "cookie. With consistent_hash a key is passed on likewise, to the next target in its order.",
      .aws = "off" },
    { "retry.max", SETTING_COUNT, FIELD(retry_max), "1", 0, RETRY_MOST, NULL, APPLIES_RELOAD,
      "How often an idempotent request without a body is tried on another target when nothing of "
      "it was answered; 0 is never, and then one on a kept connection that turns out to be closed "
      "is not sent again either. A WebSocket upgrade is such a request, and to it a 502 or 503 of "
      "the target is no answer.",
      .aws = "0" },
    { "health_check.enabled", SETTING_BOOL, FIELD(health_enabled), "true", 0, 0, NULL,
      APPLIES_RELOAD, "Probe the targets; without it each one counts as healthy." },
    { "health_check.protocol", SETTING_CHOICE, FIELD(health_protocol), "HTTP", 0, 0, protocols,
      APPLIES_RELOAD,
      "What the probes speak; it does not follow protocol. The certificate is verified as for "
      "requests." },
    { "health_check.websocket", SETTING_BOOL, FIELD(health_websocket), "false", 0, 0, NULL,
      APPLIES_RELOAD,
      "Probe with a WebSocket: the upgrade must be accepted, with the Sec-WebSocket-Accept that "
      "belongs to it, and a ping be answered, all within the timeout; then comes a Close. "
      "health_check.matcher means nothing then." },
    { "health_check.path", SETTING_TEXT, FIELD(health_path), "/", 0, 0, NULL, APPLIES_RELOAD,
      "Path, and query if any, of the GET that probes; at most 1024 characters." },
    { "health_check.port", SETTING_TEXT, FIELD(health_port), "traffic-port", 0, 0, NULL,
      APPLIES_RELOAD, "Port that is probed: a number, or traffic-port for the target's own." },
    { "health_check.interval_seconds", SETTING_DURATION, FIELD(health_interval_ms), "30", 100,
      5 * MINUTE, NULL, APPLIES_RELOAD,
      "Time from one probe of a target to the next. Less than 5 seconds, which the managed "
      "balancer does not have, suits tests: 500ms." },
    { "health_check.timeout_seconds", SETTING_DURATION, FIELD(health_timeout_ms), "5", 100,
      2 * MINUTE, NULL, APPLIES_RELOAD,
      "A probe without an answer by then has failed. Less than the interval; unless said, 5 "
      "seconds or four fifths of a short interval. Less than 2 seconds suits tests: 200ms." },
    { "health_check.healthy_threshold_count", SETTING_COUNT, FIELD(healthy_threshold), "5", 2, 10,
      NULL, APPLIES_RELOAD,
      "Probes passed in a row that bring a target back; a new one needs only the first." },
    { "health_check.unhealthy_threshold_count", SETTING_COUNT, FIELD(unhealthy_threshold), "2", 2,
      10, NULL, APPLIES_RELOAD, "Probes failed in a row that take a target out." },
    { "health_check.matcher", SETTING_TEXT, FIELD(health_matcher), "200", 0, 0, NULL,
      APPLIES_RELOAD, "Statuses that pass, from 200 to 499: 200,202 or 200-299." },
    { "stickiness.enabled", SETTING_BOOL, FIELD(stickiness), "false", 0, 0, NULL, APPLIES_RELOAD,
      "Send a client back to its target by a cookie." },
    { "stickiness.type", SETTING_CHOICE, FIELD(stickiness_type), "lb_cookie", 0, 0,
      stickiness_types, APPLIES_RELOAD,
      "Whose cookie it is: the balancer's own; or the application's, beside which the balancer "
      "sets another one." },
    { "stickiness.lb_cookie.duration_seconds", SETTING_DURATION, FIELD(lb_cookie_duration_ms),
      "86400", SECOND, 168 * HOUR, NULL, APPLIES_RELOAD,
      "How long a cookie holds; each response renews it. Whole seconds." },
    { "stickiness.lb_cookie.cookie_name", SETTING_TEXT, FIELD(lb_cookie_name), "AWSALB", 0, 0, NULL,
      APPLIES_RELOAD, "The cookie's name." },
    { "stickiness.lb_cookie.cors_cookie_name", SETTING_TEXT, FIELD(lb_cookie_cors_name),
      "AWSALBCORS", 0, 0, NULL, APPLIES_RELOAD,
      "The name of its twin for requests from other sites (SameSite=None)." },
    { "stickiness.app_cookie.cookie_name", SETTING_TEXT, FIELD(app_cookie_name), "", 0, 0, NULL,
      APPLIES_RELOAD,
      "Required with app_cookie: the cookie by which the application knows a session. Whoever "
      "brings it, and the balancer's beside it, gets the session's target. Does not begin with "
      "AWSALB." },
    { "stickiness.app_cookie.duration_seconds", SETTING_DURATION, FIELD(app_cookie_duration_ms),
      "86400", SECOND, 168 * HOUR, NULL, APPLIES_RELOAD,
      "How long a session holds since the application last set its cookie. Whole seconds." },
    { "stickiness.app_cookie.lb_cookie_name", SETTING_TEXT, FIELD(app_cookie_own_name), "AWSALBAPP",
      0, 0, NULL, APPLIES_RELOAD,
      "The balancer's cookies beside it are called so, with -0 to -3." },
    { "stickiness.on_public_responses", SETTING_BOOL, FIELD(sticky_public), "no", 0, 0, NULL,
      APPLIES_RELOAD,
      "Set the cookies on a response too that its Cache-Control lets caches keep for everybody "
      "(public, s-maxage): a cache gives one client's cookie to all.",
      .aws = "yes" },
    { "websocket.ping_interval", SETTING_DURATION, FIELD(tunnel.ping_interval_ms), "0", 0, HOUR,
      NULL, APPLIES_RELOAD, THE_SAME, .aws = "0" },
    { "websocket.pong_timeout", SETTING_DURATION, FIELD(tunnel.pong_timeout_ms), "10s", 100, MINUTE,
      NULL, APPLIES_RELOAD, THE_SAME },
    { "websocket.idle_counts_pings", SETTING_BOOL, FIELD(tunnel.idle_counts_pings), "on", 0, 0,
      NULL, APPLIES_RELOAD, THE_SAME },
    { "websocket.idle_close", SETTING_CHOICE, FIELD(tunnel.idle_close), "frame", 0, 0, farewells,
      APPLIES_RELOAD, THE_SAME, .aws = "cut" },
    { "websocket.drain_close", SETTING_CHOICE, FIELD(tunnel.drain_close), "frame", 0, 0, farewells,
      APPLIES_RELOAD, THE_SAME, .aws = "cut" },
    { "websocket.close_timeout", SETTING_DURATION, FIELD(tunnel.close_timeout_ms), "5s", 100,
      MINUTE, NULL, APPLIES_RELOAD, THE_SAME },
    { "websocket.upgrade_rate", SETTING_COUNT, FIELD(tunnel.upgrade_rate), "0", 0, 1000000, NULL,
      APPLIES_RELOAD, THE_SAME },
    { "websocket.drain_rate", SETTING_COUNT, FIELD(tunnel.drain_rate), "auto", 1, 100000, NULL,
      APPLIES_RELOAD, THE_SAME },
    { "websocket.drain_order", SETTING_CHOICE, FIELD(tunnel.drain_order), "oldest", 0, 0,
      drain_orders, APPLIES_RELOAD, THE_SAME },
    { "websocket.drain_unhealthy", SETTING_BOOL, FIELD(tunnel.drain_unhealthy), "false", 0, 0, NULL,
      APPLIES_RELOAD, THE_SAME },
    { .key = NULL },
};

#undef FIELD
#define FIELD(name) offsetof(struct rule_options, name)

const struct setting rule_settings[] = {
    { "listener", SETTING_TEXT, FIELD(listener), "", 0, 0, NULL, APPLIES_RELOAD,
      "Required. The listener that the rule belongs to." },
    { "priority", SETTING_COUNT, FIELD(priority), "1", 1, 50000, NULL, APPLIES_RELOAD,
      "Required. The lowest is tried first; no two alike on a listener." },
    { "host-header", SETTING_LIST, FIELD(host_header), NULL, 0, 0, NULL, APPLIES_RELOAD,
      "Condition: the host, in any case and without a port, is like one of these; `*` is any run "
      "of characters, `?` is one." },
    { "host-header-regex", SETTING_LIST, FIELD(host_header_regex), NULL, 0, 0, NULL, APPLIES_RELOAD,
      "The same, with regular expressions in place of the values." },
    { "path-pattern", SETTING_LIST, FIELD(path_pattern), NULL, 0, 0, NULL, APPLIES_RELOAD,
      "Condition: the path, as sent and without the query, is like one of these. Case counts." },
    { "path-pattern-regex", SETTING_LIST, FIELD(path_pattern_regex), NULL, 0, 0, NULL,
      APPLIES_RELOAD, "The same, with regular expressions in place of the values." },
    { "http-request-method", SETTING_LIST, FIELD(http_request_method), NULL, 0, 0, NULL,
      APPLIES_RELOAD, "Condition: the method is one of these. Case counts." },
    { "source-ip", SETTING_LIST, FIELD(source_ip), NULL, 0, 0, NULL, APPLIES_RELOAD,
      "Condition: the peer's address is in one of these blocks: 10.0.0.0/8 2001:db8::/32." },
    { "http-header", SETTING_LIST, FIELD(http_header), NULL, 0, 0, NULL, APPLIES_RELOAD,
      "Condition: NAME VALUE...; a field of that name is like one of the values, in any case. A "
      "line is a condition; repeat the key for another." },
    { "http-header-regex", SETTING_LIST, FIELD(http_header_regex), NULL, 0, 0, NULL, APPLIES_RELOAD,
      "The same, with regular expressions in place of the values." },
    { "query-string", SETTING_LIST, FIELD(query_string), NULL, 0, 0, NULL, APPLIES_RELOAD,
      "Condition: a parameter of the query is like one of these: KEY=VALUE, or VALUE of any key, "
      "in any case; `\\*` and `\\?` are the characters themselves. A line is a condition; repeat "
      "the key for another." },
    { "host-header-rewrite", SETTING_LIST, FIELD(host_header_rewrite), NULL, 0, 0, NULL,
      APPLIES_RELOAD,
      "Transform: REGEX REPLACEMENT; what the regular expression matches in the host is replaced "
      "before the request is forwarded. $1 is what its first group matched." },
    { "url-rewrite", SETTING_LIST, FIELD(url_rewrite), NULL, 0, 0, NULL, APPLIES_RELOAD,
      "Transform: REGEX REPLACEMENT; the same for path and query." },
    { "action", SETTING_TEXT, FIELD(action), "", 0, 0, NULL, APPLIES_RELOAD,
      "Required. forward GROUP[:WEIGHT]... [stickiness=SECONDS], redirect STATUS URL, or "
      "fixed-response STATUS [TYPE] "
      "[\"text\" or @file]." },
    { .key = NULL },
};

#undef FIELD

const struct section_kind alb_sections[] = {
    { "alb", false, alb_settings, "The balancer as a whole." },
    { "edge", false, edge_settings,
      "Who may connect. The section must be there: open to all has to be said." },
    { "health", false, health_settings,
      "Health checks from outside, such as a network balancer's: a listener of its own, without "
      "rules and secrets. [edge.md](edge.md#health-checks-from-outside) has more." },
    { "management", false, manage_settings,
      "A listener for operators, for a machine that has no login: what the admin port shows, and "
      "commands, to `alb --remote`. Off unless the section is there. "
      "[management.md](management.md) has more." },
    { "listener", true, listener_settings, "An address where clients connect." },
    { "target_group", true, group_settings, "Targets that do the same work." },
    { "rule", true, rule_settings,
      "Which requests of a listener go where. All conditions must hold; the values of one are "
      "alternatives. At most 5 values and 5 wildcards a rule. [rules.md](rules.md) has an example "
      "of each." },
    { .kind = NULL },
};

void options_list_sections(FILE *to)
{
    for (const struct section_kind *kind = alb_sections; kind->kind != NULL; kind++)
        fprintf(to, "%s\n", kind->kind);
}

void options_describe(FILE *to)
{
    fprintf(to, "# Settings of alb\n\n"
                "Printed by `alb settings` from the tables in alb/options.c. Durations are "
                "written `250ms`, `30s`, `5m`, `2h` or\n`1d`; a key that ends in `seconds` takes "
                "a bare number as well. `;` and `#` start a comment.\n");
    for (const struct section_kind *kind = alb_sections; kind->kind != NULL; kind++) {
        fprintf(to, "\n## [%s%s]\n\n%s\n\n", kind->kind, kind->is_named ? " NAME" : "", kind->help);
        settings_describe(kind->settings, to);
    }
}
