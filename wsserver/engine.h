/*
 * engine.h -- where channels, messages and presence are kept: one table of
 * functions for each kind of store.
 *
 * An engine is used by one thread, the hub's. Every call may wait for the
 * store (bounded: ENGINE_BUSY_MS), and says false when it failed; then nothing of it was
 * stored, and error() is a sentence about it. Several engines, in several
 * processes, may work on one store: what one committed, the others find with
 * poll().
 */
#ifndef WSSERVER_ENGINE_H
#define WSSERVER_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "wsserver/hub.h"

enum { ENGINE_BUSY_MS = 2000, ENGINE_CID_MS = 300000 };

struct engine;

/* A channel's log: `id` is the store's number for it, `seq` its newest message
 * (0: none yet). Both number and epoch last as long as the store. */
struct engine_head {
    int64_t id;
    char ep[HUB_EP_LEN + 1];
    uint64_t seq;
};

struct engine_publish {
    struct span channel, user, cid, data;
    /* Set by commit(): */
    char ep[HUB_EP_LEN + 1], mid[HUB_MID_LEN + 1];
    uint64_t seq;
    bool duplicate; /* the ack of a message that was stored before */
};

/* A session of this node came to a channel or left it. */
struct engine_session {
    int64_t channel;
    struct span user, session;
    bool present;
};

struct engine_batch {
    struct engine_publish *publishes;
    size_t publish_count;
    const struct engine_session *sessions;
    size_t session_count;
};

enum engine_beat {
    ENGINE_BEAT_ALIVE,
    ENGINE_BEAT_FORGOTTEN, /* others took us for dead: our sessions were removed */
    ENGINE_BEAT_FAILED,
};

/* The spans given to callbacks live until they return. */
typedef void engine_on_message(void *user, int64_t channel, uint64_t seq, struct span text);
typedef void engine_on_change(void *user, int64_t channel, uint64_t rev);
typedef void engine_on_user(void *user, struct span name, uint32_t sessions);
typedef void engine_on_session(void *user, struct span channel, struct span name,
                               struct span session);

struct engine_ops {
    const char *name;

    struct engine *(*open)(const struct hub_options *options, char *why, size_t why_size);
    void (*close)(struct engine **engine);
    const char *(*error)(const struct engine *engine);
    const char *(*durability)(const struct engine *engine);
    void (*secret)(const struct engine *engine, uint8_t out[HUB_SECRET_BYTES]);

    /* The channel's log, made if there is none. */
    bool (*head)(struct engine *engine, struct span channel, struct engine_head *out);

    /* All of the batch, or nothing. Messages get their seq in here, in the
     * order of the batch. */
    bool (*commit)(struct engine *engine, struct engine_batch *batch);

    /* Messages lo..hi (inclusive) that are kept, rising. */
    bool (*read)(struct engine *engine, int64_t channel, uint64_t lo, uint64_t hi,
                 engine_on_message *on_message, void *user);

    /* The oldest kept; 0 when none is. */
    bool (*oldest)(struct engine *engine, int64_t channel, uint64_t *seq);

    /* What anyone, we too, committed since the last call (the first: since
     * open): messages in the order of commits, and channels whose presence
     * changed. */
    bool (*poll)(struct engine *engine, engine_on_message *on_message, engine_on_change *on_change,
                 void *user);

    /* Users present in a channel, over all nodes, and the revision of that. A
     * session on two nodes (it is moving) counts once. */
    bool (*presence)(struct engine *engine, int64_t channel, uint64_t *rev, engine_on_user *on_user,
                     void *user);

    /* Sessions stored under this node's name: after a restart, those of the
     * process before. */
    bool (*sessions)(struct engine *engine, engine_on_session *on_session, void *user);

    /* Say that we are alive, and forget nodes that are dead for longer than
     * lease and grace, with their sessions. */
    enum engine_beat (*beat)(struct engine *engine);

    /* A descriptor that is readable when another node sent a datagram, or -1;
     * sending one to all others never waits and may be lost. receive() gives 0
     * when there is none. */
    int (*wake_fd)(const struct engine *engine);
    void (*send)(struct engine *engine, struct span datagram);
    size_t (*receive)(struct engine *engine, char *out, size_t size);
};

extern const struct engine_ops engine_memory, engine_sqlite;

#endif
