/*
 * hub_core.h -- what the files of the hub share; nobody else includes it.
 *
 *   hub.c           the queue, the thread, its timers
 *   hub_request.c   what each request does
 *   hub_log.c       the way to the store and back: commit, poll, who is told
 *   hub_event.c     making events and giving them to loops
 */
#ifndef WSSERVER_HUB_CORE_H
#define WSSERVER_HUB_CORE_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/list.h"
#include "wsserver/channel.h"
#include "wsserver/engine.h"
#include "wsserver/hub.h"
#include "wsserver/session.h"

enum {
    HUB_QUEUE_MAX = 65536, /* requests that wait */
    HUB_QUEUE_BYTES = 64 << 20,
    HUB_BATCH_MAX = 256, /* messages in one transaction */
};

enum request_kind {
    REQUEST_SUBSCRIBE,
    REQUEST_UNSUBSCRIBE,
    REQUEST_PUBLISH,
    REQUEST_HISTORY,
    REQUEST_CATCH_UP,
    REQUEST_EPHEMERAL,
    REQUEST_DISCONNECT,
};

enum request_text {
    TEXT_CHANNEL,
    TEXT_USER,
    TEXT_SESSION,
    TEXT_CID,
    TEXT_EP,
    TEXT_DATA,
    TEXT_COUNT
};

/* A request with copies of its texts, one allocation. */
struct request {
    struct list link;
    enum request_kind kind;
    struct hub_conn conn;
    uint64_t number; /* the caller's */
    struct span text[TEXT_COUNT];
    uint64_t seq;
    uint32_t n;
    enum hub_start_from from;
    enum hub_left left;
    bool want_presence;
    size_t bytes; /* of all of this */
};

/* One connection's place in one channel. */
struct member {
    struct list link; /* in client.members */
    struct channel *channel;
    struct session *session; /* NULL: takes no part in presence */
    bool watches;            /* wants presence */
};

struct client {
    UT_hash_handle hh;
    struct client_key {
        uint64_t loop, id;
    } key;
    struct list members;
};

struct hub_counts {
    _Atomic uint64_t published, duplicates, commits, failures, delivered, refused, channels,
        sessions;
};

struct hub {
    struct hub_options options; /* texts owned */
    const struct engine_ops *ops;
    struct engine *engine;
    pthread_t thread;
    int wake_fd; /* an eventfd: readable while the queue has something new */
    struct hub_counts counts;

    pthread_mutex_t lock; /* guards these */
    struct list queue;
    size_t queued, queued_bytes;
    bool stopping;

    /* The hub thread's own. */
    struct channels channels;
    struct sessions sessions;
    struct client *clients;
    struct request *pending[HUB_BATCH_MAX]; /* publishes of this turn; owned */
    size_t pending_count;
    struct list changed;                /* channels whose watchers must be told, at tell_at */
    struct list holed;                  /* channels that missed messages, in one poll */
    uint64_t tell_at, poll_at, beat_at; /* monotonic ms; tell_at is UINT64_MAX while none waits */
    bool is_degraded;
};

/* --- hub_request.c --------------------------------------------------------- */

/* Does it, and frees it when it is done with. */
void hub_handle(struct hub *hub, struct request *request);
void hub_forget_clients(struct hub *hub);

/* --- hub_log.c ------------------------------------------------------------- */

/* Store the pending publishes and what changed in presence; answer. */
void hub_flush(struct hub *hub);

/* Tell the loops what is new in the store. */
void hub_poll(struct hub *hub);

/* To members here, and through the other nodes to theirs. */
void hub_send_ephemeral(struct hub *hub, struct span channel, struct span text);

/* Read what other nodes sent; true when one of them stored something. */
bool hub_receive(struct hub *hub);

/* Tell watchers of the changed channels. */
void hub_tell_presence(struct hub *hub);

/* Read a channel's presence anew. The difference to what was known, or NULL;
 * false when the store fails. */
bool hub_read_presence(struct hub *hub, struct channel *channel, struct shared_text **difference);

/* Remember whether the store works; on a change, say so. */
void hub_set_degraded(struct hub *hub, bool is_degraded);

/* Messages lo..hi (lo >= 1, hi <= head.seq) into the event, from the ring or
 * from the store; trimmed ones are missing at the start. */
bool hub_collect(struct hub *hub, const struct channel *channel, uint64_t lo, uint64_t hi,
                 struct hub_event *event);

/* --- hub_event.c ------------------------------------------------------------ */

struct hub_event *event_new(enum hub_event_type type, struct span channel);
struct hub_event *event_answer(enum hub_event_type type, const struct request *to);
void event_place(struct hub_event *event, const struct channel *channel);
void event_add(struct hub_event *event, struct shared_text *text);

/* Drop the first `n` messages. */
void event_skip(struct hub_event *event, size_t n);

/* These take the event. */
void event_to_conn(struct hub *hub, struct hub_event *event);
void event_to_members(struct hub *hub, const struct channel *channel, struct hub_event *event);

void event_unavailable(struct hub *hub, const struct request *to);

#endif
