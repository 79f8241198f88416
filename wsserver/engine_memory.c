/*
 * engine_memory.c -- the store without a file, for tests and for trying out.
 *
 * The tables of the SQLite engine in a database that lives in this process:
 * one set of rules to trust instead of two. It ends with the process, and the
 * epochs with it, so a client that comes back is told.
 */
#include "wsserver/engine_sqlite.h"

static struct engine *open_memory(const struct hub_options *options, char *why, size_t why_size)
{
    return engine_sqlite_open_at(NULL, options, why, why_size);
}

const struct engine_ops engine_memory = {
    .name = "memory",
    .open = open_memory,
    .close = engine_sqlite_close,
    .error = engine_sqlite_error,
    .durability = engine_sqlite_durability,
    .secret = engine_sqlite_secret,
    .head = engine_sqlite_head,
    .commit = engine_sqlite_commit,
    .read = engine_sqlite_read,
    .oldest = engine_sqlite_oldest,
    .poll = engine_sqlite_poll,
    .presence = engine_sqlite_presence,
    .sessions = engine_sqlite_sessions,
    .beat = engine_node_beat,
    .wake_fd = engine_sqlite_wake_fd,
    .send = engine_node_send,
    .receive = engine_node_receive,
};
