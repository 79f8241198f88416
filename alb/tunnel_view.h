/*
 * tunnel_view.h -- what is said of one tunnel: of a live one, or of one that has ended.
 *
 * Every record has the same size and owns nothing. The names that it refers to are those of
 * the listener, which lives as long as the process, and of the target, whose name is counted:
 * a record that is kept holds it (tunnel_view_keep()), so that it outlives the target.
 */
#ifndef ALB_TUNNEL_VIEW_H
#define ALB_TUNNEL_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/ip.h"
#include "ws/tracker.h"

#include "alb/tunnel_ends.h"

struct listener;
struct target_key;

/* What is known when a tunnel begins and is nowhere else afterwards. (In a live tunnel it is
 * packed: tunnel_facts.c.) */
struct tunnel_facts {
    uint64_t id[2];   /* conn_trace_id of the client's connection, as in the access log */
    uint64_t from_ms; /* loop_mono_ms() when the 101 went out */
    const struct listener *listener;
    struct ip client;
    uint16_t port;
    uint16_t rule; /* its priority; 0: the listener's default */
};

enum tunnel_state {
    TUNNEL_OPEN,
    TUNNEL_DRAINING,    /* open, and its target is draining */
    TUNNEL_HALF_CLOSED, /* one side has finished sending */
    TUNNEL_CLOSING,     /* our Close is wanted, or on its way */
    TUNNEL_STATES,
};

const char *tunnel_state_name(enum tunnel_state state);

enum { FROM_CLIENT, FROM_TARGET, TUNNEL_SIDES };

/* What came from one side. */
struct tunnel_side {
    uint64_t bytes;
    uint32_t frames[WS_KINDS];
    uint32_t idle_ms;             /* since its last byte */
    uint16_t rtt_ms, rtt_most_ms; /* of pings of ours to this side: the last answered, the
                                     slowest; 0: none was answered */
    uint16_t close_code;          /* 1005: a Close without one; 0: no Close */
    bool is_opaque;               /* its frames could not be followed to the end */
};

struct tunnel_view {
    struct tunnel_facts facts;
    struct target_key *target;
    struct ip peer;   /* who connected, where that was asked for (the kernel is): `client` may be
                         announced; family 0: not known */
    uint64_t seen_us; /* wall clock: the moment of which all this is true, so that of its end */
    uint64_t age_ms;  /* from the 101 to then */
    uint32_t pid;     /* the process that has it; 0: of one that has ended */
    struct tunnel_side from[TUNNEL_SIDES];
    uint8_t state; /* enum tunnel_state; of one that has ended, the last before */
    uint8_t end;   /* enum tunnel_end: what began its end, if it has begun */
    bool is_over;
};

/* Hold what it refers to, and let it go. */
void tunnel_view_keep(struct tunnel_view *r);
void tunnel_view_done(struct tunnel_view *r);

/* Of both sides. */
uint64_t tunnel_view_bytes(const struct tunnel_view *r);
uint64_t tunnel_view_frames(const struct tunnel_view *r);

/* Since the last byte of either. */
uint32_t tunnel_view_idle_ms(const struct tunnel_view *r);

/* As a JSON object (docs/tunnels.md); false when there is no room. */
bool tunnel_view_put(struct buf *to, const struct tunnel_view *r);

#endif
