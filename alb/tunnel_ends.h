/*
 * tunnel_ends.h -- the ways in which a tunnel ends: their names and who began each.
 *
 * One table for the access log, the close records (tunnel_view.h) and the log line. A new
 * way is a row of tunnel_ends.c; docs/tunnels.md lists them for people.
 */
#ifndef ALB_TUNNEL_ENDS_H
#define ALB_TUNNEL_ENDS_H

enum tunnel_end {
    TUNNEL_ALIVE,
    TUNNEL_CLIENT_CLOSE,
    TUNNEL_TARGET_CLOSE,
    TUNNEL_CLIENT_FIN,
    TUNNEL_TARGET_FIN,
    TUNNEL_CLIENT_RESET,
    TUNNEL_TARGET_RESET,
    TUNNEL_IDLE_CLIENT, /* the client was silent longer */
    TUNNEL_IDLE_TARGET,
    TUNNEL_PONG_CLIENT, /* it did not answer a ping of ours, nor say anything else */
    TUNNEL_PONG_TARGET,
    TUNNEL_DEREGISTERED,
    TUNNEL_SHUTDOWN,
    TUNNEL_DRAINED,   /* told to come again, by a drain that is no stop */
    TUNNEL_MID_FRAME, /* a close of ours found no boundary in time */
    TUNNEL_LEFT,      /* the edge set has its peer no longer: leavers.h */
    TUNNEL_ENDS,
};

enum tunnel_party { PARTY_NOBODY, PARTY_CLIENT, PARTY_TARGET, PARTY_US, TUNNEL_PARTIES };

/* "closed by client"; "alive" for TUNNEL_ALIVE. */
const char *tunnel_end_name(enum tunnel_end end);

/* Who began it. */
enum tunnel_party tunnel_end_party(enum tunnel_end end);

/* "client", "target", "us"; "" for nobody. */
const char *tunnel_party_name(enum tunnel_party party);

#endif
