/*
 * engine_sqlite_schema.c -- the tables, the statements, and opening the file.
 *
 *   channel   one row for each log: its epoch, its newest seq, and the
 *             revision of its presence (rising over all channels, so that one
 *             number finds what changed)
 *   message   the final text of each message. Row numbers rise with commits
 *             (writers take turns, and the newest row is never trimmed), so
 *             "rows past N" is all that a node has not seen
 *   cid       idempotency keys of the last minutes
 *   node      who shares the file, and until when each counts as alive
 *   presence  (channel, user, session, node): a session that moves from one
 *             node to another is in two rows for a while, and counts once
 */
#include <stdio.h>
#include <unistd.h>

#include "base/random.h"
#include "wsserver/engine_sqlite.h"

/* "post", and the version of the tables. */
enum { APPLICATION = 0x706f7374, SCHEMA_VERSION = 1 };

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS channel(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
    "  ep TEXT NOT NULL, seq INTEGER NOT NULL, presence_rev INTEGER NOT NULL);"
    "CREATE INDEX IF NOT EXISTS channel_presence ON channel(presence_rev);"
    "CREATE TABLE IF NOT EXISTS message(id INTEGER PRIMARY KEY, channel INTEGER NOT NULL,"
    "  seq INTEGER NOT NULL, text BLOB NOT NULL, UNIQUE(channel, seq));"
    "CREATE TABLE IF NOT EXISTS cid(channel INTEGER, user TEXT, cid TEXT, seq INTEGER, mid TEXT,"
    "  at INTEGER, PRIMARY KEY(channel, user, cid)) WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS cid_age ON cid(at);"
    "CREATE TABLE IF NOT EXISTS node(name TEXT PRIMARY KEY, boot TEXT, lease_until INTEGER)"
    "  WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS presence(channel INTEGER, user TEXT, session TEXT, node TEXT,"
    "  PRIMARY KEY(channel, user, session, node)) WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS presence_node ON presence(node);";

#define NEXT_REV "(SELECT max(presence_rev) + 1 FROM channel)"
#define NEW_EPOCH "hex(randomblob(5))"

static const char *const texts[SQL_COUNT] = {
    [SQL_BEGIN] = "BEGIN IMMEDIATE",
    [SQL_COMMIT] = "COMMIT",
    [SQL_ROLLBACK] = "ROLLBACK",

    [SQL_CHANNEL_FIND] = "SELECT id, ep, seq FROM channel WHERE name = ?",
    [SQL_CHANNEL_MAKE] = "INSERT INTO channel(name, ep, seq, presence_rev)"
                         " VALUES(?, " NEW_EPOCH ", 0, 0) ON CONFLICT DO NOTHING",
    [SQL_CHANNEL_ADVANCE] = "INSERT INTO channel(name, ep, seq, presence_rev)"
                            " VALUES(?, " NEW_EPOCH ", 1, 0) ON CONFLICT(name)"
                            " DO UPDATE SET seq = seq + 1 RETURNING id, ep, seq",
    [SQL_CHANNEL_PRESENCE_CHANGED] = "UPDATE channel SET presence_rev = " NEXT_REV " WHERE id = ?",
    [SQL_CHANNEL_PRESENCE_REV] = "SELECT presence_rev FROM channel WHERE id = ?",

    [SQL_CID_FIND] = "SELECT c.ep, k.seq, k.mid FROM channel c JOIN cid k ON k.channel = c.id"
                     " WHERE c.name = ? AND k.user = ? AND k.cid = ? AND k.at > ?",
    [SQL_CID_ADD] = "INSERT OR REPLACE INTO cid(channel, user, cid, seq, mid, at)"
                    " VALUES(?, ?, ?, ?, ?, ?)",
    [SQL_CID_EXPIRE] = "DELETE FROM cid WHERE at <= ?",

    [SQL_MESSAGE_ADD] = "INSERT INTO message(channel, seq, text) VALUES(?, ?, ?)",
    [SQL_MESSAGE_TRIM] = "DELETE FROM message WHERE channel = ? AND seq <= ?",
    [SQL_MESSAGE_READ] = "SELECT channel, seq, text FROM message"
                         " WHERE channel = ? AND seq BETWEEN ? AND ? ORDER BY seq",
    [SQL_MESSAGE_OLDEST] = "SELECT min(seq) FROM message WHERE channel = ?",
    [SQL_MESSAGE_AFTER] = "SELECT channel, seq, text, id FROM message WHERE id > ? ORDER BY id",
    [SQL_MESSAGE_LAST] = "SELECT max(id) FROM message",

    [SQL_PRESENCE_AFTER] = "SELECT id, presence_rev FROM channel WHERE presence_rev > ?"
                           " ORDER BY presence_rev",
    [SQL_PRESENCE_LAST] = "SELECT max(presence_rev) FROM channel",
    [SQL_PRESENCE_ADD] = "INSERT OR IGNORE INTO presence(channel, user, session, node)"
                         " VALUES(?, ?, ?, ?)",
    [SQL_PRESENCE_REMOVE] = "DELETE FROM presence"
                            " WHERE channel = ? AND user = ? AND session = ? AND node = ?",
    [SQL_PRESENCE_USERS] = "SELECT user, count(DISTINCT session) FROM presence"
                           " WHERE channel = ? GROUP BY user",
    [SQL_PRESENCE_OF_NODE] = "SELECT c.name, p.user, p.session FROM presence p"
                             " JOIN channel c ON c.id = p.channel WHERE p.node = ?",

    [SQL_NODE_BEAT] = "UPDATE node SET lease_until = ?, boot = ? WHERE name = ?",
    [SQL_NODE_ADD] = "INSERT OR REPLACE INTO node(lease_until, boot, name) VALUES(?, ?, ?)",
    [SQL_NODE_OTHERS] = "SELECT name FROM node WHERE name != ?",
    [SQL_NODE_DEAD] = "SELECT name FROM node WHERE name != ?"
                      " AND (boot != ? OR lease_until < ?) LIMIT 1",
    [SQL_NODE_CHANNELS_CHANGED] = "UPDATE channel SET presence_rev = " NEXT_REV
                                  " WHERE id IN (SELECT channel FROM presence WHERE node = ?)",
    [SQL_NODE_SESSIONS_REMOVE] = "DELETE FROM presence WHERE node = ?",
    [SQL_NODE_REMOVE] = "DELETE FROM node WHERE name = ?",
};

static bool execute(struct engine *e, const char *text)
{
    return sqlite3_exec(e->db, text, NULL, NULL, NULL) == SQLITE_OK;
}

/* A pragma's or query's one number, -1 when it fails. */
static int64_t number(struct engine *e, const char *text)
{
    sqlite3_stmt *statement = NULL;
    int64_t n = -1;
    if (sqlite3_prepare_v2(e->db, text, -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
        n = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return n;
}

/* SQLite's own waits grow to 100 ms, in which the other nodes take the lock
 * again and again. About 1 ms each here, of uneven length. */
static int wait_while_busy(void *unused, int times)
{
    (void)unused;
    usleep((useconds_t)(500 + random_jitter() % 1000));
    return times < ENGINE_BUSY_MS;
}

/* Two nodes that make the file at once may find it busy in a way that the
 * busy handler does not wait for. */
static bool become_wal(struct engine *e)
{
    for (int tries = 0; tries < ENGINE_BUSY_MS / 20; tries++) {
        if (execute(e, "PRAGMA journal_mode=WAL"))
            return true;
        if (sqlite3_errcode(e->db) != SQLITE_BUSY)
            return false;
        usleep(20000);
    }
    return false;
}

/* Without durable_disk a crash of the machine may take back the last commits,
 * and their seqs would be given again: then every log gets a new epoch, and
 * clients are told. */
static bool renew_epochs_after_crash(struct engine *e)
{
    char text[256];
    snprintf(text, sizeof(text),
             "SELECT count(*) FROM meta WHERE key = 'loose_boot' AND value NOT IN ('', '%s')",
             e->boot);
    if (number(e, text) == 1 && !execute(e, "UPDATE channel SET ep = " NEW_EPOCH ";"
                                            "UPDATE meta SET value = '' WHERE key = 'loose_boot'"))
        return false;
    if (e->durable_disk)
        return true;
    snprintf(text, sizeof(text), "INSERT OR REPLACE INTO meta VALUES('loose_boot', '%s')", e->boot);
    return execute(e, text);
}

static bool load_secret(struct engine *e)
{
    sqlite3_stmt *statement = NULL;
    bool ok = execute(e, "INSERT OR IGNORE INTO meta VALUES('secret', randomblob(32))") &&
              sqlite3_prepare_v2(e->db, "SELECT value FROM meta WHERE key = 'secret'", -1,
                                 &statement, NULL) == SQLITE_OK &&
              sqlite3_step(statement) == SQLITE_ROW &&
              sqlite3_column_bytes(statement, 0) == HUB_SECRET_BYTES;
    if (ok)
        memcpy(e->secret, sqlite3_column_blob(statement, 0), HUB_SECRET_BYTES);
    sqlite3_finalize(statement);
    return ok;
}

static bool make_tables(struct engine *e)
{
    char text[96];
    snprintf(text, sizeof(text), "PRAGMA application_id=%d; PRAGMA user_version=%d", APPLICATION,
             SCHEMA_VERSION);
    return execute(e, "BEGIN IMMEDIATE") && execute(e, schema) && execute(e, text) &&
           renew_epochs_after_crash(e) && load_secret(e) && execute(e, "COMMIT");
}

/* NULL when the file may be used: empty, or made by this version. */
static const char *objection(struct engine *e)
{
    if (e->path != NULL && sqlite3_db_readonly(e->db, "main") == 1)
        return "is read-only; this user must be able to write it";
    int64_t tables = number(e, "SELECT count(*) FROM sqlite_master");
    if (tables <= 0)
        return NULL; /* new; or it fails, and the next step says how */
    if (number(e, "PRAGMA application_id") != APPLICATION)
        return "is a database of another program";
    if (number(e, "PRAGMA user_version") != SCHEMA_VERSION)
        return "was made by another version";
    return NULL;
}

static bool prepare_statements(struct engine *e)
{
    for (int i = 0; i < SQL_COUNT; i++)
        if (sqlite3_prepare_v3(e->db, texts[i], -1, SQLITE_PREPARE_PERSISTENT, &e->sql[i], NULL) !=
            SQLITE_OK)
            return false;
    return true;
}

bool engine_sqlite_prepare(struct engine *e, char *why, size_t why_size)
{
    const char *name = e->path == NULL ? ":memory:" : e->path;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2(name, &e->db, flags, NULL) != SQLITE_OK)
        goto failed;
    sqlite3_busy_handler(e->db, wait_while_busy, NULL);
    const char *no = objection(e);
    if (no != NULL) {
        snprintf(why, why_size, "%s %s", name, no);
        return false;
    }
    if ((e->path == NULL || become_wal(e)) &&
        execute(e, e->durable_disk ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL") &&
        make_tables(e) && prepare_statements(e))
        return true;
failed:
    snprintf(why, why_size, "cannot open the store %s: %s", name, sqlite3_errmsg(e->db));
    return false;
}
