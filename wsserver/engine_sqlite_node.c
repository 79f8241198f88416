/*
 * engine_sqlite_node.c -- several nodes on one file: whose name is taken, who
 * is alive, and how they wake each other.
 *
 * A name belongs to the process that holds the lock on FILE.NODE.lock. The
 * kernel drops it when that process ends in any way, so a node that was killed
 * starts again at once, and no process number can be mistaken for another's.
 *
 * A lease is for the others: its time is in monotonic milliseconds, which all
 * processes of one machine share and no clock step moves, together with the
 * boot that they count from. A lease of another boot is long over.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "wsserver/engine_sqlite.h"

/* FILE.NODE.sock as an address; false when it is too long for one. */
static bool socket_address(const struct engine *e, struct span node, struct sockaddr_un *out)
{
    *out = (struct sockaddr_un){ .sun_family = AF_UNIX };
    int n =
        snprintf(out->sun_path, sizeof(out->sun_path), "%s.%.*s.sock", e->path, SPAN_ARGS(node));
    return n > 0 && (size_t)n < sizeof(out->sun_path);
}

/* The process number in it is only for the sentence. */
static bool take_lock(struct engine *e, char *why, size_t why_size)
{
    char path[4096], owner[32] = "";
    snprintf(path, sizeof(path), "%s.%s.lock", e->path, e->node);
    e->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (e->lock_fd == -1) {
        snprintf(why, why_size, "cannot write %s: %s", path, strerror(errno));
        return false;
    }
    if (flock(e->lock_fd, LOCK_EX | LOCK_NB) == 0) {
        int n = snprintf(owner, sizeof(owner), "%ld\n", (long)getpid());
        if (ftruncate(e->lock_fd, 0) == 0 && pwrite(e->lock_fd, owner, (size_t)n, 0) == n)
            return true;
        snprintf(why, why_size, "cannot write %s: %s", path, strerror(errno));
        return false;
    }
    if (pread(e->lock_fd, owner, sizeof(owner) - 1, 0) < 0)
        owner[0] = '\0';
    snprintf(why, why_size,
             "node name \"%s\" is in use on %s by process %ld: give each a name of its own",
             e->node, e->path, strtol(owner, NULL, 10));
    return false;
}

static bool open_socket(struct engine *e, char *why, size_t why_size)
{
    struct sockaddr_un address;
    if (!socket_address(e, span_text(e->node), &address)) {
        snprintf(why, why_size, "%s.%s.sock: the path is too long for a socket (at most %zu bytes)",
                 e->path, e->node, sizeof(address.sun_path) - 1);
        return false;
    }
    unlink(address.sun_path); /* ours by the lock: a left-over */
    e->socket_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (e->socket_fd == -1 ||
        bind(e->socket_fd, (const struct sockaddr *)&address, sizeof(address)) == -1 ||
        chmod(address.sun_path, 0600) == -1) {
        snprintf(why, why_size, "cannot make %s: %s", address.sun_path, strerror(errno));
        return false;
    }
    return true;
}

static void read_boot(struct engine *e)
{
    FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");
    if (f == NULL)
        return;
    if (fgets(e->boot, sizeof(e->boot), f) == NULL)
        e->boot[0] = '\0';
    fclose(f);
}

bool engine_node_claim(struct engine *e, char *why, size_t why_size)
{
    read_boot(e);
    return e->path == NULL || (take_lock(e, why, why_size) && open_socket(e, why, why_size));
}

static bool run_for_node(struct engine *e, enum sql which, struct span node)
{
    sqlite3_stmt *s = engine_sql(e, which);
    engine_bind_text(s, 1, node);
    return engine_run(e, s);
}

static bool write_lease(struct engine *e, enum sql which, uint64_t until)
{
    sqlite3_stmt *s = engine_sql(e, which);
    sqlite3_bind_int64(s, 1, (int64_t)until);
    engine_bind_text(s, 2, span_text(e->boot));
    engine_bind_text(s, 3, span_text(e->node));
    return engine_run(e, s);
}

void engine_node_release(struct engine *e)
{
    /* Our sessions stay for the grace: it counts from here. */
    if (e->sql[SQL_NODE_BEAT] != NULL)
        write_lease(e, SQL_NODE_BEAT, clock_mono_ms());
    if (e->socket_fd != -1) {
        struct sockaddr_un address;
        if (socket_address(e, span_text(e->node), &address))
            unlink(address.sun_path);
        close(e->socket_fd);
    }
    if (e->lock_fd != -1)
        close(e->lock_fd);
}

static bool find_dead(struct engine *e, char out[HUB_NODE_MAX + 1], bool *found)
{
    sqlite3_stmt *s = engine_sql(e, SQL_NODE_DEAD);
    engine_bind_text(s, 1, span_text(e->node));
    engine_bind_text(s, 2, span_text(e->boot));
    sqlite3_bind_int64(s, 3, (int64_t)clock_mono_ms() - e->grace_ms);
    int rc = sqlite3_step(s);
    *found = rc == SQLITE_ROW;
    if (*found)
        snprintf(out, HUB_NODE_MAX + 1, "%.*s", SPAN_ARGS(engine_column(s, 0)));
    return engine_end(e, s, rc);
}

/* In one transaction: of several survivors one does it, and a node that beat
 * just now is left alone. */
static bool bury_one(struct engine *e)
{
    char node[HUB_NODE_MAX + 1];
    bool found = false;
    struct span name = span_of(node, 0);
    if (!engine_run(e, engine_sql(e, SQL_BEGIN)))
        return false;
    bool ok = find_dead(e, node, &found);
    if (found) {
        name.len = strlen(node);
        ok = run_for_node(e, SQL_NODE_CHANNELS_CHANGED, name) &&
             run_for_node(e, SQL_NODE_SESSIONS_REMOVE, name) &&
             run_for_node(e, SQL_NODE_REMOVE, name);
    }
    if (ok && engine_run(e, engine_sql(e, SQL_COMMIT)))
        return true;
    if (!sqlite3_get_autocommit(e->db))
        sqlite3_step(engine_sql(e, SQL_ROLLBACK));
    return false;
}

static bool bury_the_dead(struct engine *e)
{
    char node[HUB_NODE_MAX + 1];
    bool found;
    while (find_dead(e, node, &found) && found)
        if (!bury_one(e))
            return false;
    return !found;
}

static bool expire_cids(struct engine *e)
{
    sqlite3_stmt *s = engine_sql(e, SQL_CID_EXPIRE);
    sqlite3_bind_int64(s, 1, (int64_t)clock_wall_ms() - ENGINE_CID_MS);
    return engine_run(e, s);
}

enum engine_beat engine_node_beat(struct engine *e)
{
    uint64_t until = clock_mono_ms() + e->lease_ms;
    enum engine_beat beat = ENGINE_BEAT_ALIVE;
    if (!write_lease(e, SQL_NODE_BEAT, until))
        return ENGINE_BEAT_FAILED;
    if (sqlite3_changes(e->db) == 0) {
        if (!write_lease(e, SQL_NODE_ADD, until))
            return ENGINE_BEAT_FAILED;
        beat = ENGINE_BEAT_FORGOTTEN;
    }
    return bury_the_dead(e) && expire_cids(e) ? beat : ENGINE_BEAT_FAILED;
}

void engine_node_send(struct engine *e, struct span datagram)
{
    if (e->socket_fd == -1)
        return;
    sqlite3_stmt *s = engine_sql(e, SQL_NODE_OTHERS);
    engine_bind_text(s, 1, span_text(e->node));
    int rc;
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        struct sockaddr_un address;
        if (socket_address(e, engine_column(s, 0), &address))
            sendto(e->socket_fd, datagram.ptr, datagram.len, MSG_DONTWAIT | MSG_NOSIGNAL,
                   (const struct sockaddr *)&address, sizeof(address));
    }
    engine_end(e, s, rc);
}

size_t engine_node_receive(struct engine *e, char *out, size_t size)
{
    if (e->socket_fd == -1)
        return 0;
    ssize_t n = recv(e->socket_fd, out, size, MSG_DONTWAIT);
    return n > 0 ? (size_t)n : 0;
}
