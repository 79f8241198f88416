/* leavers.c -- see leavers.h. */
#include "alb/leavers.h"

#include "alb/access_log.h"
#include "alb/balancer.h"
#include "alb/client.h"
#include "alb/config.h"
#include "alb/edge.h"
#include "alb/tunnel_private.h"
#include "alb/worker.h"

/* As at the beginning (usher_verdict.h): the address that connects counts always, one that it has
 * announced only by setting. */
static bool has_left(const struct worker *w, const struct ip *peer, const struct ip *client)
{
    return edge_has_left(w->edge, peer) ||
           (w->config->edge_options.check_announced && edge_has_left(w->edge, client));
}

bool leaver_is_client(const struct worker *w, const struct access_client *client)
{
    const struct ip *via = &client->announced.via;

    return has_left(w, via->family != 0 ? via : &client->ip, &client->ip);
}

bool leaver_is_tunnel(const struct worker *w, const struct tunnel *t)
{
    if (!w->edge->closes_leavers)
        return false;
    const struct tunnel_facts facts = tunnel_facts(t);
    struct ip peer;

    return tunnel_peer(t, &peer) && has_left(w, &peer, &facts.client);
}

uint32_t leavers_look(struct worker *w)
{
    uint32_t count = 0;

    if (!w->edge->closes_leavers)
        return 0;
    clients_leave(w);
    for (uint32_t i = 0; i < w->tunnel_count; i++)
        count += !w->tunnels[i]->is_told && leaver_is_tunnel(w, w->tunnels[i]);
    return count;
}

void leavers_check(struct worker *w, const struct tunnel *t)
{
    if (leaver_is_tunnel(w, t))
        balancer_leaver_came(w->balancer);
}
