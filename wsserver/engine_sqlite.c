/*
 * engine_sqlite.c -- the log and presence in an SQLite file that several
 * processes may share.
 *
 * The seq of a message is taken inside the transaction that stores it, so two
 * nodes cannot give the same one and a process that dies gives none without a
 * message. Whoever commits hears of it like everybody else, from poll(): there
 * is one way for a message to reach clients, and it is in the order of the log.
 */
#include "wsserver/engine_sqlite.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "wsserver/chat_text.h"

sqlite3_stmt *engine_sql(struct engine *e, enum sql which)
{
    sqlite3_reset(e->sql[which]);
    return e->sql[which];
}

void engine_bind_text(sqlite3_stmt *statement, int at, struct span text)
{
    sqlite3_bind_text(statement, at, text.len == 0 ? "" : text.ptr, (int)text.len, SQLITE_STATIC);
}

struct span engine_column(sqlite3_stmt *statement, int at)
{
    const void *bytes = sqlite3_column_blob(statement, at);
    return span_of(bytes == NULL ? "" : bytes, (size_t)sqlite3_column_bytes(statement, at));
}

bool engine_end(struct engine *e, sqlite3_stmt *statement, int rc)
{
    bool ok = rc == SQLITE_DONE || rc == SQLITE_ROW;
    if (!ok)
        snprintf(e->why, sizeof(e->why), "%s", sqlite3_errmsg(e->db));
    sqlite3_reset(statement);
    return ok;
}

bool engine_run(struct engine *e, sqlite3_stmt *statement)
{
    int rc;
    do
        rc = sqlite3_step(statement);
    while (rc == SQLITE_ROW);
    return engine_end(e, statement, rc);
}

static bool run_bare(struct engine *e, enum sql which)
{
    return engine_run(e, engine_sql(e, which));
}

static void copy_column(char *out, size_t size, sqlite3_stmt *statement, int at)
{
    struct span text = engine_column(statement, at);
    snprintf(out, size, "%.*s", SPAN_ARGS(text));
}

/* --- reading -------------------------------------------------------------- */

static bool find_head(struct engine *e, struct span channel, struct engine_head *out, bool *found)
{
    sqlite3_stmt *s = engine_sql(e, SQL_CHANNEL_FIND);
    engine_bind_text(s, 1, channel);
    int rc = sqlite3_step(s);
    *found = rc == SQLITE_ROW;
    if (*found) {
        out->id = sqlite3_column_int64(s, 0);
        copy_column(out->ep, sizeof(out->ep), s, 1);
        out->seq = (uint64_t)sqlite3_column_int64(s, 2);
    }
    return engine_end(e, s, rc);
}

bool engine_sqlite_head(struct engine *e, struct span channel, struct engine_head *out)
{
    bool found;
    if (!find_head(e, channel, out, &found) || found)
        return found;
    sqlite3_stmt *s = engine_sql(e, SQL_CHANNEL_MAKE);
    engine_bind_text(s, 1, channel);
    return engine_run(e, s) && find_head(e, channel, out, &found) && found;
}

static int give_messages(sqlite3_stmt *s, engine_on_message *on_message, void *user,
                         int64_t *last_row)
{
    int rc;
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        if (last_row != NULL)
            *last_row = sqlite3_column_int64(s, 3);
        on_message(user, sqlite3_column_int64(s, 0), (uint64_t)sqlite3_column_int64(s, 1),
                   engine_column(s, 2));
    }
    return rc;
}

bool engine_sqlite_read(struct engine *e, int64_t channel, uint64_t lo, uint64_t hi,
                        engine_on_message *on_message, void *user)
{
    sqlite3_stmt *s = engine_sql(e, SQL_MESSAGE_READ);
    sqlite3_bind_int64(s, 1, channel);
    sqlite3_bind_int64(s, 2, (int64_t)lo);
    sqlite3_bind_int64(s, 3, (int64_t)hi);
    return engine_end(e, s, give_messages(s, on_message, user, NULL));
}

/* The one number of a query; NULL in the table is 0. */
static bool read_number(struct engine *e, sqlite3_stmt *s, int64_t *out)
{
    int rc = sqlite3_step(s);
    *out = rc == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;
    return engine_end(e, s, rc);
}

bool engine_sqlite_oldest(struct engine *e, int64_t channel, uint64_t *seq)
{
    sqlite3_stmt *s = engine_sql(e, SQL_MESSAGE_OLDEST);
    sqlite3_bind_int64(s, 1, channel);
    int64_t n;
    bool ok = read_number(e, s, &n);
    *seq = (uint64_t)n;
    return ok;
}

bool engine_sqlite_poll(struct engine *e, engine_on_message *on_message,
                        engine_on_change *on_change, void *user)
{
    sqlite3_stmt *s = engine_sql(e, SQL_MESSAGE_AFTER);
    sqlite3_bind_int64(s, 1, e->last_message);
    if (!engine_end(e, s, give_messages(s, on_message, user, &e->last_message)))
        return false;

    s = engine_sql(e, SQL_PRESENCE_AFTER);
    sqlite3_bind_int64(s, 1, e->last_rev);
    int rc;
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        e->last_rev = sqlite3_column_int64(s, 1);
        on_change(user, sqlite3_column_int64(s, 0), (uint64_t)e->last_rev);
    }
    return engine_end(e, s, rc);
}

bool engine_sqlite_presence(struct engine *e, int64_t channel, uint64_t *rev,
                            engine_on_user *on_user, void *user)
{
    /* The revision first: users that are newer than it will be told again. */
    sqlite3_stmt *s = engine_sql(e, SQL_CHANNEL_PRESENCE_REV);
    sqlite3_bind_int64(s, 1, channel);
    int64_t n;
    if (!read_number(e, s, &n))
        return false;
    *rev = (uint64_t)n;
    s = engine_sql(e, SQL_PRESENCE_USERS);
    sqlite3_bind_int64(s, 1, channel);
    int rc;
    while ((rc = sqlite3_step(s)) == SQLITE_ROW)
        on_user(user, engine_column(s, 0), (uint32_t)sqlite3_column_int64(s, 1));
    return engine_end(e, s, rc);
}

bool engine_sqlite_sessions(struct engine *e, engine_on_session *on_session, void *user)
{
    sqlite3_stmt *s = engine_sql(e, SQL_PRESENCE_OF_NODE);
    engine_bind_text(s, 1, span_text(e->node));
    int rc;
    while ((rc = sqlite3_step(s)) == SQLITE_ROW)
        on_session(user, engine_column(s, 0), engine_column(s, 1), engine_column(s, 2));
    return engine_end(e, s, rc);
}

/* --- writing -------------------------------------------------------------- */

static bool find_duplicate(struct engine *e, struct engine_publish *p, uint64_t now)
{
    sqlite3_stmt *s = engine_sql(e, SQL_CID_FIND);
    engine_bind_text(s, 1, p->channel);
    engine_bind_text(s, 2, p->user);
    engine_bind_text(s, 3, p->cid);
    sqlite3_bind_int64(s, 4, (int64_t)now - ENGINE_CID_MS);
    int rc = sqlite3_step(s);
    p->duplicate = rc == SQLITE_ROW;
    if (p->duplicate) {
        copy_column(p->ep, sizeof(p->ep), s, 0);
        p->seq = (uint64_t)sqlite3_column_int64(s, 1);
        copy_column(p->mid, sizeof(p->mid), s, 2);
    }
    return engine_end(e, s, rc);
}

/* The next place in the channel's log. */
static bool take_seq(struct engine *e, struct engine_publish *p, int64_t *channel)
{
    sqlite3_stmt *s = engine_sql(e, SQL_CHANNEL_ADVANCE);
    engine_bind_text(s, 1, p->channel);
    int rc = sqlite3_step(s);
    if (rc == SQLITE_ROW) {
        *channel = sqlite3_column_int64(s, 0);
        copy_column(p->ep, sizeof(p->ep), s, 1);
        p->seq = (uint64_t)sqlite3_column_int64(s, 2);
    }
    return engine_end(e, s, rc);
}

static bool add_message(struct engine *e, const struct engine_publish *p, int64_t channel,
                        uint64_t now)
{
    buf_drop(&e->text, buf_len(&e->text));
    chat_text_message(&e->text, &(struct chat_message){ .channel = p->channel,
                                                        .ep = span_text(p->ep),
                                                        .mid = span_text(p->mid),
                                                        .cid = p->cid,
                                                        .from = p->user,
                                                        .seq = p->seq,
                                                        .ts = now,
                                                        .data = p->data });
    struct span text = buf_data(&e->text);
    sqlite3_stmt *s = engine_sql(e, SQL_MESSAGE_ADD);
    sqlite3_bind_int64(s, 1, channel);
    sqlite3_bind_int64(s, 2, (int64_t)p->seq);
    sqlite3_bind_blob(s, 3, text.ptr, (int)text.len, SQLITE_STATIC);
    if (!engine_run(e, s))
        return false;
    if (p->seq <= e->history_messages)
        return true;
    s = engine_sql(e, SQL_MESSAGE_TRIM);
    sqlite3_bind_int64(s, 1, channel);
    sqlite3_bind_int64(s, 2, (int64_t)(p->seq - e->history_messages));
    return engine_run(e, s);
}

static bool add_cid(struct engine *e, const struct engine_publish *p, int64_t channel, uint64_t now)
{
    sqlite3_stmt *s = engine_sql(e, SQL_CID_ADD);
    sqlite3_bind_int64(s, 1, channel);
    engine_bind_text(s, 2, p->user);
    engine_bind_text(s, 3, p->cid);
    sqlite3_bind_int64(s, 4, (int64_t)p->seq);
    engine_bind_text(s, 5, span_text(p->mid));
    sqlite3_bind_int64(s, 6, (int64_t)now);
    return engine_run(e, s);
}

static bool publish(struct engine *e, struct engine_publish *p, uint64_t now)
{
    p->duplicate = false;
    if (p->cid.len > 0 && !find_duplicate(e, p, now))
        return false;
    if (p->duplicate)
        return true;
    int64_t channel = 0;
    chat_text_mid(now, p->mid);
    return take_seq(e, p, &channel) && add_message(e, p, channel, now) &&
           (p->cid.len == 0 || add_cid(e, p, channel, now));
}

static bool change_session(struct engine *e, const struct engine_session *c)
{
    sqlite3_stmt *s = engine_sql(e, c->present ? SQL_PRESENCE_ADD : SQL_PRESENCE_REMOVE);
    sqlite3_bind_int64(s, 1, c->channel);
    engine_bind_text(s, 2, c->user);
    engine_bind_text(s, 3, c->session);
    engine_bind_text(s, 4, span_text(e->node));
    if (!engine_run(e, s))
        return false;
    if (sqlite3_changes(e->db) == 0)
        return true;
    s = engine_sql(e, SQL_CHANNEL_PRESENCE_CHANGED);
    sqlite3_bind_int64(s, 1, c->channel);
    return engine_run(e, s);
}

static bool write_batch(struct engine *e, struct engine_batch *batch)
{
    uint64_t now = clock_wall_ms();
    for (size_t i = 0; i < batch->session_count; i++)
        if (!change_session(e, &batch->sessions[i]))
            return false;
    for (size_t i = 0; i < batch->publish_count; i++)
        if (!publish(e, &batch->publishes[i], now))
            return false;
    return true;
}

bool engine_sqlite_commit(struct engine *e, struct engine_batch *batch)
{
    if (!run_bare(e, SQL_BEGIN))
        return false;
    if (write_batch(e, batch) && run_bare(e, SQL_COMMIT))
        return true;
    /* Some failures have rolled back already; `why` keeps the first one. */
    if (!sqlite3_get_autocommit(e->db))
        sqlite3_step(engine_sql(e, SQL_ROLLBACK));
    return false;
}

/* --- the rest of the table -------------------------------------------------- */

/* What is there before we start is history, not news. */
static bool start_at_the_end(struct engine *e)
{
    return read_number(e, engine_sql(e, SQL_MESSAGE_LAST), &e->last_message) &&
           read_number(e, engine_sql(e, SQL_PRESENCE_LAST), &e->last_rev);
}

struct engine *engine_sqlite_open_at(const char *path, const struct hub_options *options, char *why,
                                     size_t why_size)
{
    struct engine *e = mem_new(struct engine);
    e->path = path == NULL ? NULL : mem_text(path);
    e->node = mem_text(options->node);
    e->durable_disk = path != NULL && options->durable_disk;
    e->history_messages = options->history_messages;
    e->lease_ms = options->lease_ms;
    e->grace_ms = options->presence_grace_ms;
    e->lock_fd = e->socket_fd = -1;
    buf_init(&e->text, UINT32_MAX / 2);
    if (!engine_node_claim(e, why, why_size) || !engine_sqlite_prepare(e, why, why_size))
        goto failed;
    if (start_at_the_end(e) && engine_node_beat(e) != ENGINE_BEAT_FAILED)
        return e;
    snprintf(why, why_size, "cannot use the store %s: %s", path == NULL ? ":memory:" : path,
             e->why);
failed:
    engine_sqlite_close(&e);
    return NULL;
}

static struct engine *open_file(const struct hub_options *options, char *why, size_t why_size)
{
    return engine_sqlite_open_at(options->path, options, why, why_size);
}

void engine_sqlite_close(struct engine **engine)
{
    struct engine *e = *engine;
    if (e == NULL)
        return;
    engine_node_release(e);
    for (int i = 0; i < SQL_COUNT; i++)
        sqlite3_finalize(e->sql[i]);
    sqlite3_close(e->db);
    buf_done(&e->text);
    free(e->path);
    free(e->node);
    mem_free(*engine);
}

const char *engine_sqlite_error(const struct engine *e)
{
    return e->why;
}

const char *engine_sqlite_durability(const struct engine *e)
{
    if (e->path == NULL)
        return "mem";
    return e->durable_disk ? "disk" : "proc";
}

void engine_sqlite_secret(const struct engine *e, uint8_t out[HUB_SECRET_BYTES])
{
    memcpy(out, e->secret, HUB_SECRET_BYTES);
}

int engine_sqlite_wake_fd(const struct engine *e)
{
    return e->socket_fd;
}

const struct engine_ops engine_sqlite = {
    .name = "sqlite",
    .open = open_file,
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
