/* tunnel_ends.c -- see tunnel_ends.h. */
#include "alb/tunnel_ends.h"

static const struct {
    const char *name;
    enum tunnel_party party;
} ends[TUNNEL_ENDS] = {
    [TUNNEL_ALIVE] = { "alive", PARTY_NOBODY },
    [TUNNEL_CLIENT_CLOSE] = { "closed by client", PARTY_CLIENT },
    [TUNNEL_TARGET_CLOSE] = { "closed by target", PARTY_TARGET },
    [TUNNEL_CLIENT_FIN] = { "client FIN without a Close", PARTY_CLIENT },
    [TUNNEL_TARGET_FIN] = { "target FIN without a Close", PARTY_TARGET },
    [TUNNEL_CLIENT_RESET] = { "client reset", PARTY_CLIENT },
    [TUNNEL_TARGET_RESET] = { "target reset", PARTY_TARGET },
    [TUNNEL_IDLE_CLIENT] = { "idle: client silent longer", PARTY_US },
    [TUNNEL_IDLE_TARGET] = { "idle: target silent longer", PARTY_US },
    [TUNNEL_PONG_CLIENT] = { "pong timeout: client", PARTY_US },
    [TUNNEL_PONG_TARGET] = { "pong timeout: target", PARTY_US },
    [TUNNEL_DEREGISTERED] = { "deregistration delay over", PARTY_US },
    [TUNNEL_SHUTDOWN] = { "shutdown", PARTY_US },
    [TUNNEL_DRAINED] = { "drained", PARTY_US },
    [TUNNEL_MID_FRAME] = { "mid-frame", PARTY_US },
    [TUNNEL_LEFT] = { "peer left the edge set", PARTY_US },
};

static const char *const parties[TUNNEL_PARTIES] = {
    [PARTY_NOBODY] = "",
    [PARTY_CLIENT] = "client",
    [PARTY_TARGET] = "target",
    [PARTY_US] = "us",
};

const char *tunnel_end_name(enum tunnel_end end)
{
    return ends[end].name;
}

enum tunnel_party tunnel_end_party(enum tunnel_end end)
{
    return ends[end].party;
}

const char *tunnel_party_name(enum tunnel_party party)
{
    return parties[party];
}
