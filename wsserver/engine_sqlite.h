/*
 * engine_sqlite.h -- what the files of the SQLite engine share; nobody else
 * includes it but the memory engine, which is the same tables without a file.
 */
#ifndef WSSERVER_ENGINE_SQLITE_H
#define WSSERVER_ENGINE_SQLITE_H

#include <sqlite3.h>

#include "base/buf.h"
#include "wsserver/engine.h"

/* Every statement, prepared once; the texts are in engine_sqlite_schema.c. */
enum sql {
    SQL_BEGIN,
    SQL_COMMIT,
    SQL_ROLLBACK,
    SQL_CHANNEL_FIND,
    SQL_CHANNEL_MAKE,
    SQL_CHANNEL_ADVANCE,
    SQL_CHANNEL_PRESENCE_CHANGED,
    SQL_CHANNEL_PRESENCE_REV,
    SQL_CID_FIND,
    SQL_CID_ADD,
    SQL_CID_EXPIRE,
    SQL_MESSAGE_ADD,
    SQL_MESSAGE_TRIM,
    SQL_MESSAGE_READ,
    SQL_MESSAGE_OLDEST,
    SQL_MESSAGE_AFTER,
    SQL_MESSAGE_LAST,
    SQL_PRESENCE_AFTER,
    SQL_PRESENCE_LAST,
    SQL_PRESENCE_ADD,
    SQL_PRESENCE_REMOVE,
    SQL_PRESENCE_USERS,
    SQL_PRESENCE_OF_NODE,
    SQL_NODE_BEAT,
    SQL_NODE_ADD,
    SQL_NODE_OTHERS,
    SQL_NODE_DEAD,
    SQL_NODE_CHANNELS_CHANGED,
    SQL_NODE_SESSIONS_REMOVE,
    SQL_NODE_REMOVE,
    SQL_COUNT
};

struct engine {
    sqlite3 *db;                  /* owned */
    sqlite3_stmt *sql[SQL_COUNT]; /* owned */
    char *path, *node;            /* owned; path is NULL in memory */
    bool durable_disk;
    uint32_t history_messages, lease_ms, grace_ms;

    int64_t last_message; /* row number of the last message that poll() gave */
    int64_t last_rev;     /* the same for changes of presence */

    int lock_fd, socket_fd; /* owned; -1 in memory */
    char boot[37];          /* which boot of this machine lease times belong to */
    uint8_t secret[HUB_SECRET_BYTES];
    struct buf text; /* scratch: the message that is being made */
    char why[256];   /* the last failure */
};

/* A statement, fresh, to bind and step. */
sqlite3_stmt *engine_sql(struct engine *e, enum sql which);
void engine_bind_text(sqlite3_stmt *statement, int at, struct span text);
struct span engine_column(sqlite3_stmt *statement, int at);

/* Step to the end, ignoring rows. */
bool engine_run(struct engine *e, sqlite3_stmt *statement);

/* After sqlite3_step() that gave `rc`: reset; true when it was SQLITE_DONE or
 * SQLITE_ROW, else the failure is kept for error(). */
bool engine_end(struct engine *e, sqlite3_stmt *statement, int rc);

/* Open the database, make or check the tables, prepare the statements. */
bool engine_sqlite_prepare(struct engine *e, char *why, size_t why_size);

/* Of the node: its lock and socket (not in memory), its lease. */
bool engine_node_claim(struct engine *e, char *why, size_t why_size);
void engine_node_release(struct engine *e);
enum engine_beat engine_node_beat(struct engine *e);
void engine_node_send(struct engine *e, struct span datagram);
size_t engine_node_receive(struct engine *e, char *out, size_t size);

/* The table's functions, as engine.h has them. */
void engine_sqlite_close(struct engine **engine);
const char *engine_sqlite_error(const struct engine *e);
const char *engine_sqlite_durability(const struct engine *e);
void engine_sqlite_secret(const struct engine *e, uint8_t out[HUB_SECRET_BYTES]);
bool engine_sqlite_head(struct engine *e, struct span channel, struct engine_head *out);
bool engine_sqlite_commit(struct engine *e, struct engine_batch *batch);
bool engine_sqlite_read(struct engine *e, int64_t channel, uint64_t lo, uint64_t hi,
                        engine_on_message *on_message, void *user);
bool engine_sqlite_oldest(struct engine *e, int64_t channel, uint64_t *seq);
bool engine_sqlite_poll(struct engine *e, engine_on_message *on_message,
                        engine_on_change *on_change, void *user);
bool engine_sqlite_presence(struct engine *e, int64_t channel, uint64_t *rev,
                            engine_on_user *on_user, void *user);
bool engine_sqlite_sessions(struct engine *e, engine_on_session *on_session, void *user);
int engine_sqlite_wake_fd(const struct engine *e);

/* engine_ops.open with the file, or with NULL for none. */
struct engine *engine_sqlite_open_at(const char *path, const struct hub_options *options, char *why,
                                     size_t why_size);

#endif
