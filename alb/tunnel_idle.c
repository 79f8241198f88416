/* tunnel_idle.c -- see tunnel_idle.h. */
#include "alb/tunnel_idle.h"

#include "alb/tunnel_policy.h"

uint32_t tunnel_idle_limit(const struct tunnel_policy *p, bool is_half)
{
    return is_half && p->idle_ms > p->close_ms ? p->close_ms : p->idle_ms;
}

uint32_t tunnel_idle_left(const struct tunnel_policy *p, const struct tunnel_clock *c)
{
    const uint32_t client = c->now_ms - c->client_ms;
    const uint32_t target = c->now_ms - c->target_ms;
    const uint32_t idle = client < target ? client : target;
    const uint32_t limit = tunnel_idle_limit(p, c->is_half);

    return idle >= limit ? 0 : limit - idle;
}

enum tunnel_end tunnel_idle_end(const struct tunnel_clock *c)
{
    return c->now_ms - c->client_ms > c->now_ms - c->target_ms ? TUNNEL_IDLE_CLIENT
                                                               : TUNNEL_IDLE_TARGET;
}
