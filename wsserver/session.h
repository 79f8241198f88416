/*
 * session.h -- the sessions of this node that are present in channels.
 *
 *     PRESENT --- last connection lost ---> LEAVING --- grace over ---> gone
 *        ^                                     |
 *        +------------ came back --------------+
 *
 * The store follows behind: a session whose row in it is not as it should be
 * is in the list of unstored ones until a commit succeeds. Hub thread only.
 */
#ifndef WSSERVER_SESSION_H
#define WSSERVER_SESSION_H

#include "base/list.h"
#include "wsserver/channel.h"

enum session_row { ROW_ABSENT, ROW_STORED, ROW_UNKNOWN };

struct session {
    UT_hash_handle hh;
    struct channel *channel; /* stays while it has sessions */
    uint32_t conns;
    bool present;         /* as it should be in the store */
    enum session_row row; /* as it is there */
    uint64_t leave_at;    /* monotonic ms, while in `leaving` */
    struct list leaving;  /* in sessions.leaving exactly while present without connections */
    struct list unstored; /* in sessions.unstored exactly while `row` is not as `present` says */
    uint8_t user_len, session_len;
    size_t key_len;
    char key[]; /* channel id, user length, user, session */
};

struct sessions {
    struct session *all;
    struct list leaving; /* by leave_at, rising */
    struct list unstored;
    size_t unstored_count;
};

void sessions_init(struct sessions *s);
void sessions_done(struct sessions *s);

/* One more connection, or its return within the grace. */
struct session *session_join(struct sessions *s, struct channel *channel, struct span user,
                             struct span session);

/* One connection less; after the last it leaves at `leave_at`. */
void session_leave(struct sessions *s, struct session *session, uint64_t leave_at);

/* One that the process before us had stored: it leaves at `leave_at` unless
 * it comes back. */
void session_inherit(struct sessions *s, struct channel *channel, struct span user,
                     struct span session, uint64_t leave_at);

/* Those whose time has come are present no more. */
void sessions_expire(struct sessions *s, uint64_t now);

/* When the next expires; UINT64_MAX for none. */
uint64_t sessions_next(const struct sessions *s);

/* What the store should be told, sessions.unstored_count of them; free() it.
 * After it was stored sessions_stored() settles it, before anything else
 * changes; it releases channels that are used no more. */
struct engine_session *sessions_changes(const struct sessions *s);
void sessions_stored(struct sessions *s, struct channels *channels);

/* The store has forgotten all of ours. */
void sessions_forgotten(struct sessions *s);

#endif
