/* usher_verdict.c -- see usher_verdict.h. */
#include "alb/usher_verdict.h"

#include "base/log.h"

#include "alb/balancer.h"
#include "alb/config.h"
#include "alb/connection_log.h"
#include "alb/edge.h"
#include "alb/usher.h"

/* A probe of the port that sends nothing, as a network balancer's for TCP, is no trouble. */
static void tell_refused(const struct usher_judge *j, const struct usher_result *r)
{
    const struct listener *listener = r->tag;
    char peer[ADDR_TEXT_MAX];

    addr_format(&r->peer, peer);
    if (r->is_silent) {
        log_debug("proxy protocol: nothing came peer=%s listener=%s", peer, listener->name);
        return;
    }
    metric_add(&j->counters->refused_proxy, 1);
    connection_log_turned_away(j->connection_log, j->config, r);
    log_info("proxy protocol failed peer=%s listener=%s reason=\"%s\"", peer, listener->name,
             r->why);
}

static void count(struct counters *n, const struct usher_result *r)
{
    const bool is_announced = r->announced.via.family != 0;

    metric_add(is_announced ? &n->proxied_announced : &n->proxied_local, 1);
}

/* The connecting address has been counted as admitted already. */
static bool is_admitted(const struct usher_judge *j, const struct usher_result *r)
{
    struct ip ip;

    return !j->config->edge_options.check_announced || r->announced.via.family == 0 ||
           (addr_ip(&r->client, &ip) && edge_has(j->edge, &ip)) ||
           edge_admit(j->balancer, j->edge, j->counters, &r->client, r->tag);
}

static void tell_stranger(const struct usher_result *r)
{
    const struct listener *listener = r->tag;
    char peer[ADDR_TEXT_MAX], client[ADDR_TEXT_MAX];

    log_info("refused by [edge]: announced client=%s peer=%s listener=%s",
             addr_format(&r->client, client), addr_format(&r->peer, peer), listener->name);
}

bool usher_verdict(const struct usher_judge *j, struct usher_result *r)
{
    if (r->why != NULL) {
        tell_refused(j, r);
    } else if (is_admitted(j, r)) {
        count(j->counters, r);
        return true;
    } else {
        tell_stranger(r);
        r->why = "refused by [edge]";
    }
    balancer_connection_closed(j->balancer, NULL);
    return false;
}
