/*
 * hub.h -- the chat core of one process: channels, their logs, who is present.
 *
 * One *hub thread* owns all of it, the store included. The loop threads, which
 * own the sockets, post requests and hear back through `deliver`, on the hub
 * thread, as events. All that one loop hears comes in one order, so history
 * and then live messages have no hole and no doubles between them:
 *
 *   - a loop keeps its own list of members for each channel. It adds a
 *     connection when HUB_SUBSCRIBED comes (after sending what that holds),
 *     and takes it off when it calls hub_unsubscribe() or hub_disconnect();
 *   - HUB_MESSAGE, HUB_PRESENCE, HUB_EPHEMERAL and HUB_RESET come once for each loop
 *     that has members; the loop gives them to its members. One for a channel
 *     without members (they just left) is dropped by the loop.
 *
 * Several processes (nodes) may share one database file: all that is promised
 * here holds across them. The hub never sees a socket, and checks no rights:
 * whoever posts a request has decided that it is allowed.
 *
 * Texts go in as spans that need live only for the call. Over-long ones are a
 * bug of the caller: see the limits below.
 */
#ifndef WSSERVER_HUB_H
#define WSSERVER_HUB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "wsserver/shared_text.h"

/* Lengths in bytes, without a NUL. */
enum {
    HUB_CHANNEL_MAX = 128,
    HUB_USER_MAX = 128,
    HUB_SESSION_MAX = 64,
    HUB_CID_MAX = 64,
    HUB_NODE_MAX = 32,
    HUB_EP_LEN = 10,  /* an epoch: letters and digits, always this long */
    HUB_MID_LEN = 26, /* a ULID */
    HUB_SECRET_BYTES = 32,
    HUB_HISTORY_MIN = 512, /* messages */
};

struct hub;
struct hub_event;

/* Takes the event: hand it to the loop, which ends with hub_event_free().
 * Called on the hub thread; must not block and must not call the hub. */
typedef void hub_deliver(void *user, int loop, struct hub_event *event);

/* A number that is 0 means its default. */
struct hub_options {
    const char *engine;         /* "memory" | "sqlite" */
    const char *path;           /* sqlite: the database file; beside it live FILE-wal, FILE-shm,
                                   FILE.NODE.sock and FILE.NODE.lock */
    bool durable_disk;          /* sqlite: an ack survives power loss, not only the process */
    const char *node;           /* letters, digits, '-', '_'; unique among the nodes of one file */
    uint32_t history_messages;  /* kept for each channel; 1000, never less than
                                   HUB_HISTORY_MIN: a commit must not trim what it added */
    uint32_t presence_grace_ms; /* a lost session stays present for so long; 15000 */
    uint32_t presence_goodbye_ms; /* the same for HUB_LEFT_GOING_AWAY; 2000 */
    uint32_t presence_batch_ms;   /* changes of presence are told this often at most; 250 */
    uint32_t beat_ms, lease_ms;   /* a node beats; without a beat for a lease it is dead, which
                                     others see at their own beat: G6 of docs/protocol.md allows
                                     10 s for both. 3000, 6000 */
    uint32_t poll_ms;             /* looks for other nodes' rows even if nobody woke it; 1000 */
    int loops;                    /* loop numbers are 0 .. loops - 1 */
    hub_deliver *deliver;
    void *user; /* borrowed: the first argument of deliver */
};

/* Open the store and start the thread. NULL with a sentence in `why`: a folder
 * that is not there, a file that is locked, read-only or not ours, a node name
 * that a live process uses on this file. */
struct hub *hub_start(const struct hub_options *options, char *why, size_t why_size);

/* Answer what is queued, then end the thread and close the store. Sessions
 * stay present for the grace, so clients that move to another node (or to this
 * one, started again) do not flap. Post nothing any more when calling this. */
void hub_stop(struct hub **hub);

/* 32 random bytes that all nodes of one store share: the key of session
 * tokens. Another for each start with "memory". */
void hub_secret(const struct hub *hub, uint8_t out[HUB_SECRET_BYTES]);

/* What an ack is worth: "mem" (lost with the process), "proc" (survives the
 * process) or "disk" (survives power loss). */
const char *hub_durability(const struct hub *hub);

/* --- requests: from any thread ------------------------------------------- */

/* A connection: its loop, and a number that the loop never uses twice. */
struct hub_conn {
    int loop;
    uint64_t id;
};

enum hub_start_from {
    HUB_FROM_NOW,     /* live only */
    HUB_FROM_HISTORY, /* the last `history` messages first */
    HUB_FROM_POSITION /* all after (ep, seq) first, or a gap */
};

struct hub_subscribe {
    struct hub_conn conn;
    uint64_t request; /* the caller's own number; comes back in the answer */
    struct span channel, user;
    struct span session; /* who is present is (user, session): the same session on another
                            connection, or another node, is no join. Empty: takes no part */
    enum hub_start_from from;
    uint32_t history;   /* HUB_FROM_HISTORY, or what to show after a gap; at most what is kept */
    struct span ep;     /* HUB_FROM_POSITION */
    uint64_t seq;       /* HUB_FROM_POSITION: the last that the client has */
    bool want_presence; /* the answer has the snapshot */
};

/* Those that return bool: false when the queue is full; nothing will be
 * answered then, and the caller says `unavailable` to its client. */

/* Answered by HUB_SUBSCRIBED, or HUB_ERROR. A second one for a channel that
 * the connection is in already moves nothing in presence and is answered. */
bool hub_subscribe(struct hub *hub, const struct hub_subscribe *subscribe);

/* Never refused, and not answered. Presence ends now. */
void hub_unsubscribe(struct hub *hub, struct hub_conn conn, struct span channel);

struct hub_publish {
    struct hub_conn conn;
    uint64_t request;
    struct span channel, user;
    struct span cid;  /* idempotency key for (channel, user), 5 minutes; may be empty */
    struct span data; /* one valid JSON value; copied as it is */
};

/* Answered by HUB_ACK after the message is stored, or HUB_ERROR if it is not.
 * Those of one connection keep their order. */
bool hub_publish(struct hub *hub, const struct hub_publish *publish);

/* The newest `n` messages with a seq below `before` (0: the newest of all).
 * Answered by HUB_HISTORY, or HUB_ERROR. */
bool hub_history(struct hub *hub, struct hub_conn conn, uint64_t request, struct span channel,
                 uint64_t before, uint32_t n);

/* For a member that fell behind: the first `n` messages after (ep, seq), as
 * HUB_HISTORY with `resume`. Messages that came live meanwhile may be in it. */
bool hub_catch_up(struct hub *hub, struct hub_conn conn, uint64_t request, struct span channel,
                  struct span ep, uint64_t seq, uint32_t n);

/* To all members everywhere, at most once, never stored (typing, cursors).
 * `text` is the whole object to send, at most HUB_EPHEMERAL_MAX bytes. Not
 * answered. */
enum { HUB_EPHEMERAL_MAX = 4096 };
bool hub_ephemeral(struct hub *hub, struct span channel, struct span text);

enum hub_left {
    HUB_LEFT_CLEAN,      /* the user ended it: presence ends now */
    HUB_LEFT_GOING_AWAY, /* the page closed, perhaps to load again: a short grace */
    HUB_LEFT_LOST,       /* nothing was said: the full grace */
};

/* The connection is gone from all its channels. Never refused, not answered. */
void hub_disconnect(struct hub *hub, struct hub_conn conn, enum hub_left how);

/* --- events: to a loop --------------------------------------------------- */

enum hub_event_type {
    /* To one connection: `conn` and `request` say whose answer it is. */
    HUB_SUBSCRIBED, /* channel, ep, seq, messages (oldest first), resume, have_*, presence */
    HUB_ACK,        /* channel, ep, seq, mid, duplicate */
    HUB_HISTORY,    /* channel, ep, seq, messages (oldest first), more, resume, have_* */
    HUB_ERROR,      /* channel, code, is_temporary */

    /* To a loop's members of `channel`. */
    HUB_MESSAGE,   /* ep, seq, text */
    HUB_PRESENCE,  /* text, rev */
    HUB_EPHEMERAL, /* text */
    HUB_RESET,     /* ep, seq, messages: some before these were missed and are gone (a node
                      that stood still for longer than the history): send `sync` */

    /* To every loop. */
    HUB_STATUS, /* is_degraded: the store fails; or works again */
};

enum hub_resume {
    HUB_RESUME_NONE,  /* no position was given */
    HUB_RESUME_OK,    /* `messages` is all after it, perhaps nothing */
    HUB_RESUME_GAP,   /* some after it are gone: have_lo..have_hi are left */
    HUB_RESUME_EPOCH, /* the position is of another log than `ep` */
};

struct hub_event {
    enum hub_event_type type;
    struct hub_conn conn;
    uint64_t request;
    struct hub_event *next; /* for the receiver's queue */

    char channel[HUB_CHANNEL_MAX + 1];
    char ep[HUB_EP_LEN + 1];
    uint64_t seq; /* of the message or ack; else the newest of the channel */

    /* {"t":"msg","ch":,"ep":,"seq":,"mid":,"cid":,"from":,"ts":,"d":}, without cid
     * when there was none; {"t":"pres","ch":,"rev":,"j":,"l":,"c":}. */
    struct shared_text *text;
    /* {"t":"pres","ch":,"rev":,"full":true,"u":{"bob":{"n":2}}}, or NULL. The
     * subscriber itself may come in a HUB_PRESENCE after it. */
    struct shared_text *presence;
    uint64_t rev; /* rises, but not by ones */

    struct shared_text **messages;
    size_t count;
    bool more; /* older ones (catch up: newer ones) are kept */

    enum hub_resume resume;
    uint64_t have_lo, have_hi; /* kept seqs, inclusive; lo > hi: none */

    char mid[HUB_MID_LEN + 1];
    bool duplicate;
    bool is_degraded;
    const char *code; /* a literal of the protocol: "unavailable" */
    bool is_temporary;
};

/* Free it and let go of its texts. NULL is fine. */
void hub_event_free(struct hub_event **event);

/* --- numbers: from any thread --------------------------------------------- */

struct hub_stats {
    uint64_t published, duplicates;      /* acked */
    uint64_t commits, failures;          /* transactions */
    uint64_t delivered;                  /* HUB_MESSAGE events */
    uint64_t refused;                    /* requests that found the queue full */
    uint64_t queued, channels, sessions; /* now */
};

void hub_stats(const struct hub *hub, struct hub_stats *out);

#endif
