/*
 * config_advise.c -- what a correct file will still be sorry for.
 *
 * The edge's timers are CloudFront's, the usual one: an idle connection to the
 * origin is kept 5 seconds, up to 120 by setting; a WebSocket on which the
 * origin sent nothing for 10 minutes is closed, and no setting changes that.
 */
#include <stdio.h>

#include "base/text.h"

#include "alb/config_parts.h"

enum {
    EDGE_KEEP_ALIVE_MS = 5 * 1000,
    EDGE_KEEP_ALIVE_MOST_MS = 120 * 1000,
    EDGE_WEBSOCKET_IDLE_MS = 600 * 1000,
    QUIET_WEBSOCKET_MS = 60 * 1000,
};

/* The managed balancer's; those of rules, of a group's targets and of a listener's
 * certificates are where these are read. */
enum { GROUPS_QUOTA = 100, LISTENERS_QUOTA = 50, TARGETS_QUOTA = 1000, CERTIFICATES_QUOTA = 25 };

#define IDLE_KEY "idle_timeout.timeout_seconds"
#define KEEP_ALIVE_KEY "client_keep_alive.seconds"

/* A WebSocket is not idle while its sides answer pings of ours. */
static bool pings_keep_awake(const struct alb_options *o)
{
    return o->tunnel.idle_counts_pings && o->tunnel.ping_interval_ms > 0 &&
           o->tunnel.ping_interval_ms <= o->idle_timeout_ms / 2;
}

/* One sentence at most: each case holds the one before it. */
static void advise_idle(const struct config *c, struct problems *problems)
{
    int line = config_line(&c->alb_lines, alb_settings, IDLE_KEY);
    uint32_t idle_ms = c->alb.idle_timeout_ms;
    char idle[16];

    text_format_duration(idle_ms, idle);
    if (idle_ms <= EDGE_KEEP_ALIVE_MS)
        problems_warning(problems, line,
                         IDLE_KEY ": %s is not above the 5s that the edge keeps an idle "
                                  "connection: a request that crosses our close becomes a 502",
                         idle);
    else if (idle_ms <= QUIET_WEBSOCKET_MS && !pings_keep_awake(&c->alb))
        problems_warning(problems, line,
                         IDLE_KEY ": a WebSocket that is quiet for %s is cut; if yours can be, "
                                  "set it above their longest silence, such as 300",
                         idle);
    else if (idle_ms > EDGE_WEBSOCKET_IDLE_MS)
        problems_warning(problems, line,
                         IDLE_KEY ": %s is more than the 10m after which the edge closes a "
                                  "WebSocket that the target sends nothing on",
                         idle);
}

/* Where it was said: in [alb], or in a group. */
static void advise_pings(const struct config *c, const struct section_lines *lines,
                         const struct setting *table, const struct tunnel_options *o,
                         struct problems *problems)
{
    static const char key[] = "websocket.ping_interval";
    const int line = config_line_written(lines, table, key);
    char every[16], idle[16];

    if (line == 0 || o->ping_interval_ms <= c->alb.idle_timeout_ms / 2)
        return;
    problems_warning(problems, line,
                     "%s: %s is over half of the " IDLE_KEY " of %s: a WebSocket whose next pong "
                     "comes late is cut as idle",
                     key, text_format_duration(o->ping_interval_ms, every),
                     text_format_duration(c->alb.idle_timeout_ms, idle));
}

static void advise_keep_alive(const struct config *c, struct problems *problems)
{
    char age[16];

    if (c->alb.client_keep_alive_ms < EDGE_KEEP_ALIVE_MOST_MS)
        problems_warning(problems, config_line(&c->alb_lines, alb_settings, KEEP_ALIVE_KEY),
                         KEEP_ALIVE_KEY ": %s is less than the 2m that the edge may keep a "
                                        "connection: it has to open new ones more often",
                         text_format_duration(c->alb.client_keep_alive_ms, age));
}

/* The admin page is outside the edge set: anybody who reaches it may read it. */
static void advise_admin(const struct config *c, struct problems *problems)
{
    struct ip ip;
    static const struct ip every_v4 = { .family = 4 }, every_v6 = { .family = 6 };

    if (addr_ip(&c->admin, &ip) && (ip_equal(&ip, &every_v4) || ip_equal(&ip, &every_v6)))
        problems_warning(problems, config_line(&c->alb_lines, alb_settings, "admin"),
                         "admin: %s is every address of this machine, and [edge] does not guard "
                         "it; name a loopback or management address",
                         c->alb.admin);
}

static void advise_forwarded(const struct config *c, struct problems *problems)
{
    static const char key[] = "routing.http.xff_client_port.enabled";

    if (c->alb.xff_client_port && c->alb.xff_mode != XFF_APPEND)
        problems_warning(problems, config_line(&c->alb_lines, alb_settings, key),
                         "%s: changes nothing unless routing.http.xff_header_processing.mode is "
                         "append",
                         key);
}

static void advise_protocol(const struct group_config *g, struct problems *problems)
{
    static const char key[] = "protocol_version";

    if (g->options.protocol_version != VERSION_HTTP1)
        problems_warning(problems, config_line(&g->lines, group_settings, key),
                         "%s: every client speaks HTTP/1.1 here, so this group answers 464 to each "
                         "request; say HTTP1 if its targets speak that too",
                         key);
}

static void advise_stickiness(const struct config *c, const struct group_config *g,
                              struct problems *problems)
{
    static const char key[] = "stickiness.enabled";

    if (g->options.stickiness && c->alb.seal_key_file[0] == '\0')
        problems_warning(problems, config_line(&g->lines, group_settings, key),
                         "%s: without seal_key_file in [alb], a restart forgets every cookie "
                         "and other balancers cannot read them",
                         key);
}

/* The managed balancer's default, and its trap: a server that speaks TLS answers a plain
 * request with 400, or not at all. */
static void advise_probes(const struct group_config *g, struct problems *problems)
{
    static const char key[] = "health_check.protocol";

    if (g->options.protocol == PROTOCOL_HTTPS && g->options.health_protocol == PROTOCOL_HTTP &&
        g->options.health_enabled && config_line_written(&g->lines, group_settings, key) == 0)
        problems_warning(problems, config_line(&g->lines, group_settings, "protocol"),
                         "health_check.protocol: is HTTP, as it does not follow protocol = HTTPS; "
                         "say which of the two the targets answer probes in");
}

static void advise_websocket_probes(const struct group_config *g, struct problems *problems)
{
    static const char key[] = "health_check.matcher";

    if (g->options.health_websocket && config_line_written(&g->lines, group_settings, key) != 0)
        problems_warning(problems, config_line_written(&g->lines, group_settings, key),
                         "%s: means nothing with health_check.websocket: only a 101 passes, and a "
                         "pong",
                         key);
}

/* Then all viewers of one of the edge's servers are one. */
static void advise_hash(const struct config *c, const struct group_config *g,
                        struct problems *problems)
{
    static const char key[] = "load_balancing.consistent_hash.key";
    const bool believes = c->trusts_edge || edge_set_blocks(c->trust) > 0;

    if (g->options.algorithm == CONSISTENT_HASH && g->hash_key.kind == HASH_KEY_VIEWER &&
        !c->edge_any && !believes)
        problems_warning(problems, config_line(&g->lines, group_settings, key),
                         "%s: viewer with nobody in [edge] trust is the address of the edge's "
                         "server, and all who come by that one have one target; write trust = edge",
                         key);
}

/* Whoever may connect may say that he is anybody. */
static void advise_proxied(const struct config *c, const struct listener_config *l,
                           struct problems *problems)
{
    static const char key[] = "proxy_protocol";

    if (l->options.proxy_protocol && c->edge_any)
        problems_warning(problems, config_line(&l->lines, listener_settings, key),
                         "%s: with allow = any in [edge] anybody may connect and announce any "
                         "address; allow only the proxy's",
                         key);
}

static void advise_announced(const struct config *c, struct problems *problems)
{
    static const char key[] = "check_announced";
    bool is_proxied = false;

    for (size_t i = 0; i < c->listener_count; i++)
        is_proxied |= c->listeners[i].options.proxy_protocol;
    if (c->edge_options.check_announced && !is_proxied)
        problems_warning(problems, config_line(&c->edge_lines, edge_settings, key),
                         "%s: changes nothing: no listener has proxy_protocol = on", key);
}

static const char but[] = "the managed balancer takes";

/* A sum over sections that each may be within the quota: the one that goes beyond it is
 * told, unless one of them does alone, which was said. */
struct sum {
    size_t quota, all, most;
    int line;
};

static void sum_add(struct sum *s, size_t count, int line)
{
    s->all += count;
    s->most = count > s->most ? count : s->most;
    if (s->line == 0 && s->all > s->quota)
        s->line = line;
}

static bool sum_is_beyond(const struct sum *s)
{
    return s->all > s->quota && s->most <= s->quota;
}

static void advise_sums(const struct config *c, struct problems *problems)
{
    struct sum targets = { .quota = TARGETS_QUOTA }, certificates = { .quota = CERTIFICATES_QUOTA };

    for (size_t i = 0; i < c->group_count; i++)
        sum_add(&targets, c->groups[i].target_count, c->groups[i].lines.header);
    for (size_t i = 0; i < c->listener_count; i++)
        sum_add(&certificates, c->listeners[i].options.sni_certificate.count,
                c->listeners[i].lines.header);
    if (sum_is_beyond(&targets))
        problems_warning(problems, targets.line,
                         "%zu targets in all: %s %d unless its quota is raised", targets.all, but,
                         TARGETS_QUOTA);
    if (sum_is_beyond(&certificates))
        problems_warning(problems, certificates.line,
                         "%zu certificates beside the listeners' first: %s %d unless its quota is "
                         "raised",
                         certificates.all, but, CERTIFICATES_QUOTA);
}

static void advise_quotas(const struct config *c, struct problems *problems)
{
    if (c->group_count > GROUPS_QUOTA)
        problems_warning(problems, c->groups[GROUPS_QUOTA].lines.header,
                         "%zu target groups: %s %d unless its quota is raised", c->group_count, but,
                         GROUPS_QUOTA);
    if (c->listener_count > LISTENERS_QUOTA)
        problems_warning(problems, c->listeners[LISTENERS_QUOTA].lines.header,
                         "%zu listeners: %s %d unless its quota is raised", c->listener_count, but,
                         LISTENERS_QUOTA);
    advise_sums(c, problems);
}

void config_advise(const struct config *config, struct problems *problems)
{
    advise_idle(config, problems);
    advise_pings(config, &config->alb_lines, alb_settings, &config->alb.tunnel, problems);
    advise_keep_alive(config, problems);
    advise_admin(config, problems);
    advise_forwarded(config, problems);
    advise_quotas(config, problems);
    advise_announced(config, problems);
    for (size_t i = 0; i < config->listener_count; i++)
        advise_proxied(config, &config->listeners[i], problems);
    for (size_t i = 0; i < config->group_count; i++) {
        const struct group_config *g = &config->groups[i];
        advise_pings(config, &g->lines, group_settings, &g->options.tunnel, problems);
        advise_protocol(g, problems);
        advise_probes(g, problems);
        advise_websocket_probes(g, problems);
        advise_stickiness(config, g, problems);
        advise_hash(config, g, problems);
        if (!g->is_used)
            problems_warning(problems, g->lines.header,
                             "[target_group %s] gets no requests: no action forwards to it",
                             g->name);
    }
}
