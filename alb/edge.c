/* edge.c -- see edge.h. */
#include "alb/edge.h"

#include <inttypes.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/addr.h"

#include "alb/balancer.h"
#include "alb/config.h"
#include "alb/edge_additions.h"
#include "alb/strangers.h"

struct edge_view *edge_view_new(const struct config *config, const struct edge_additions *additions)
{
    struct edge_view *view = mem_new(struct edge_view);
    struct cidr *more = mem_array(struct cidr, additions->count);

    for (size_t i = 0; i < additions->count; i++)
        more[i] = additions->items[i].block;
    view->set = edge_set_with(config->edge, more, additions->count);
    view->is_any = config->edge_any;
    view->observes = config->edge_options.enforce == EDGE_OBSERVE;
    view->closes_leavers = config->edge_options.on_leave == EDGE_CLOSE;
    free(more);
    return view;
}

void edge_view_free(struct edge_view **view)
{
    if (*view != NULL)
        edge_set_free(&(*view)->set);
    mem_free(*view);
}

bool edge_has(const struct edge_view *view, const struct ip *ip)
{
    return view->is_any || edge_set_contains(view->set, ip);
}

bool edge_has_left(const struct edge_view *view, const struct ip *ip)
{
    return view->closes_leavers && !view->observes && !edge_has(view, ip);
}

/* --- strangers ------------------------------------------------------------------------- */

void edge_log_stranger(const struct edge_view *view, const struct ip *ip, const char *listener,
                       const struct stranger_line *line)
{
    char address[IP_TEXT_MAX], prefix[CIDR_TEXT_MAX];

    ip_format(ip, address);
    log_warn("edge %s address=%s prefix=%s listener=%s count=%" PRIu64 " other_lines=%" PRIu64
             " cure=\"alb edge add %s --for 10m, or allow in [edge] of the configuration\"",
             view->observes ? "would refuse" : "refused", address,
             cidr_format(&line->prefix, prefix), listener, line->count, line->others, address);
}

static void note(struct balancer *b, const struct edge_view *view, const struct ip *ip,
                 const struct listener *listener)
{
    struct stranger_line line;

    if (strangers_note(&b->strangers, ip, listener->name, 1, clock_wall_us(), &line))
        edge_log_stranger(view, ip, listener->name, &line);
}

bool edge_admit(struct balancer *b, const struct edge_view *view, struct counters *n,
                const struct addr *peer, const struct listener *listener)
{
    struct ip ip = { 0 };

    if (addr_ip(peer, &ip) && edge_has(view, &ip)) {
        metric_add(&n->edge_admitted, 1);
        return true;
    }
    if (ip.family != 0)
        note(b, view, &ip, listener);
    metric_add(view->observes ? &n->edge_observed : &n->refused_edge, 1);
    return view->observes;
}
