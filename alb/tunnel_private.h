/* tunnel_private.h -- the tunnel's struct, for the tunnel*.c files. */
#ifndef ALB_TUNNEL_PRIVATE_H
#define ALB_TUNNEL_PRIVATE_H

#include <ev.h>

#include "net/wheel.h"
#include "ws/tracker.h"

#include "alb/tunnel.h"
#include "alb/tunnel_ends.h"
#include "alb/tunnel_policy.h"
#include "alb/tunnel_view.h"

enum { TUNNEL_PENDING_MAX = 64 * 1024 + 1024 };

/* One side. */
struct leg {
    ev_io io; /* `data`: the client's, tunnel_policy_get(); the target's, doctor_watch.h */
    struct stream stream;
    struct buf *pending;       /* owned; bytes *to* this side that did not go; else NULL */
    struct ws_tracker tracker; /* of what comes *from* this side */
    uint16_t rtt_ms;           /* of the last answered ping of ours; 0: none yet */
    struct ws_counts counts;
    uint32_t last_ms;   /* when it last delivered a byte, or one that had to wait went on */
    uint64_t bytes;     /* from this side */
    uint32_t pinged_ms; /* when the last ping of ours went out; at its end, or our FIN: that */
    uint16_t rtt_most_ms;
    uint8_t ping;      /* tunnel_ping.c */
    bool eof : 1;      /* it has finished sending */
    bool finished : 1; /* we have sent our FIN to it, or it takes nothing more */
    bool gone : 1;     /* it was reset: it is at its end, and finished */
};

enum tunnel_close {
    CLOSE_NONE,
    CLOSE_DUE,       /* the same, but a drain waits for a boundary and a moment of its rate */
    CLOSE_WANTED,    /* at the next boundary towards the client */
    CLOSE_SENT,      /* the client has our Close; its data still goes to the target */
    CLOSE_ANSWERING, /* the client's Close is coming; the target gets another in its place */
    CLOSE_DONE,      /* what is read is dropped */
};

struct tunnel {
    struct leg client, target_leg;
    struct wheel_timer timer;
    struct target *target;      /* a reference, counted as outstanding */
    struct access_entry *entry; /* owned; NULL when the log is off */
    uint32_t index;             /* in worker->tunnels */
    uint32_t started_ms;        /* by loop_now_ms(): when its 101 went out */
    uint16_t after_ms;          /* for a restart: when the client should come again */
    uint8_t close;              /* enum tunnel_close */
    uint8_t end;                /* enum tunnel_end: what began its end */
    bool is_over : 1;           /* freed at the end of settle() */
    bool is_ipv6 : 1;           /* on the client's side */
    bool is_told : 1;           /* a drain has closed it: no longer counted as untold */
    bool is_leaver : 1;         /* that of those whom the edge set has no longer */
    uint8_t started_high;       /* tunnel_facts.c: the next 8 bits of the same moment */
    uint16_t listener;          /* tunnel_facts.c: its number */
};

_Static_assert(sizeof(struct tunnel) <= 352, "an idle tunnel is this and nothing else");

/* Zeroed, with these facts, for which it has a little more memory behind it: one of the loop's
 * blocks. `w` NULL: of malloc(), until tunnel_move_in() makes it a loop's. */
struct tunnel *tunnel_new(struct worker *w, const struct tunnel_facts *facts);
struct tunnel *tunnel_move_in(struct worker *w, struct tunnel *t);

/* Give the block back. */
void tunnel_give(struct worker *w, struct tunnel *t);

/* What was said to tunnel_new(). */
struct tunnel_facts tunnel_facts(const struct tunnel *t);

/* All that is to be said of it now. Borrows its target's name. */
void tunnel_view(const struct tunnel *t, struct tunnel_view *out);

/* What begins its end: a Close or a FIN that goes by. The first one stays. */
void tunnel_blame(struct tunnel *t, enum tunnel_end why);

/* It is over; `why` unless something was blamed before. */
void tunnel_end(struct tunnel *t, enum tunnel_end why);

/* Count it as ended, write its row, give everything back. */
void tunnel_free(struct tunnel *t);

/* In its loop's list of tunnels; tunnel_walk_forget() takes it out. */
void tunnel_enlist(struct worker *w, struct tunnel *t);

/* Among its target's tunnels, none of which was told to come again yet. */
void tunnel_count_in(const struct tunnel *t);

/* What its loop's configuration says of it now. */
void tunnel_take_policy(const struct worker *w, struct tunnel *t);

/* The legs have their watchers, not started yet: they and the timer call the tunnel. */
void tunnel_take_events(struct tunnel *t);

/* The last call of every callback: what is true now decides which events are watched, and
 * whether it is freed. */
void tunnel_settle(struct tunnel *t);

/* Nothing more will go to either side; only what their systems have not taken, or what they still
 * say, is in the way of its end. */
bool tunnel_is_finished(const struct tunnel *t);

/* Bytes came from this side: count them, follow their frames, send them on. */
void tunnel_relay(struct tunnel *t, struct leg *from, struct span bytes);

/* The time without a byte of either side that ends now, when it was a long one. Before the
 * stamp of `from` is set. */
void tunnel_note_quiet(struct tunnel *t, const struct leg *from, uint32_t now);

/* Keep-alive pings (tunnel_ping.c). Bits of leg.ping, all of pings *to* this leg: */
enum {
    PING_OUT = 1,     /* one of ours has no pong yet */
    PING_HOLDING = 2, /* the first bytes of what may be that pong are held back */
    PING_WANTED = 4,  /* one is to go out at the next end of a frame */
    PING_FOREIGN = 8, /* one of the other side has no pong yet */
    PING_HEARD = 16,  /* something came from the leg since ours went out */
    PING_LATE = 32,   /* when its pong was due, ours had perhaps not arrived */
};

/* What is due now: send pings, end it when one is not answered. Returns in how many
 * milliseconds to call again; UINT32_MAX: not for pings. */
uint32_t tunnel_ping_turn(struct tunnel *t);

/* In place of following and sending on, while one is out or wanted. */
void tunnel_ping_relay(struct tunnel *t, struct leg *from, struct span bytes);

/* Pings or pongs went by from this side that are not ours. */
void tunnel_ping_note(struct tunnel *t, struct leg *from, bool has_ping, bool has_pong);

/* What waited for this leg is out: a ping that is wanted may go. */
void tunnel_ping_flushed(struct tunnel *t, struct leg *leg);

/* This side says nothing more: what is held back of it goes on. No more pings; one that is out to
 * the other side may be answered still, and that pong is for nobody else. */
void tunnel_ping_finished(struct tunnel *t, struct leg *leg);

/* No more of them: what is held back goes on. */
void tunnel_ping_stop(struct tunnel *t);

/* The legs' events. */
void tunnel_on_client(struct ev_loop *loop, ev_io *io, int revents);
void tunnel_on_target(struct ev_loop *loop, ev_io *io, int revents);

/* Send, or keep what does not go. */
void tunnel_send(struct tunnel *t, struct leg *to, struct span bytes);

/* While a close is wanted or sent: follow the bytes, put our frames where they
 * belong, and return what of them goes on to the other side. */
struct span tunnel_close_filter(struct tunnel *t, struct leg *from, struct span bytes);

/* What ends it while a drain closes it: its peer has left the edge set, the process stops, or its
 * target is drained. */
enum tunnel_end tunnel_end_of_drain(const struct tunnel *t);

/* And the code of the Close to the client. */
uint16_t tunnel_code_of_drain(const struct tunnel *t);

/* Its close begins at the next boundary towards the client; it is counted as told. */
void tunnel_tell(struct tunnel *t, uint32_t after_ms);

/* Called after the bytes of a turn went out: the next step of a close. */
void tunnel_close_advance(struct tunnel *t);

/* A last Close to each side that has none yet, where the frames allow it. */
void tunnel_close_now(struct tunnel *t, uint16_t code, const char *reason);

static inline bool tunnel_is_client(const struct tunnel *t, const struct leg *leg)
{
    return leg == &t->client;
}

/* 0: the client's, 1: the target's. */
static inline int tunnel_side(const struct tunnel *t, const struct leg *leg)
{
    return tunnel_is_client(t, leg) ? 0 : 1;
}

static inline struct leg *tunnel_other_leg(struct tunnel *t, const struct leg *leg)
{
    return tunnel_is_client(t, leg) ? &t->target_leg : &t->client;
}

/* What holds for it now: a reference, in the one word of libev's that is ours. */
static inline const struct tunnel_policy *tunnel_policy_get(const struct tunnel *t)
{
    return t->client.io.data;
}

static inline bool tunnel_is_half(const struct tunnel *t)
{
    return t->client.eof || t->target_leg.eof;
}

static inline uint32_t tunnel_frames(const struct leg *l)
{
    uint32_t n = 0;

    for (int i = 0; i < WS_KINDS; i++)
        n += l->counts.frames[i];
    return n;
}

#endif
