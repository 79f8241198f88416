/*
 * log_file.c -- see log_file.h.
 *
 * A regular file is written to at once. Anything else (a pipe, a terminal) gets at
 * most what a pipe takes without blocking, after poll() has said that there is room:
 * its descriptor may be shared with other programs, so O_NONBLOCK is not ours to set.
 * While it waits, the thread looks every POLL_MS whether it was given another file or
 * is to end.
 */
#include "alb/log_file.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include "alb/log_path.h"

enum {
    CHUNKS_MAX = 128,
    POLL_MS = 50,
    ROW_MAX = 2 * 1024 * 1024,
    NOTHING_NEW = -1,
    CLOSE_IT = -2,
};

/* --- the thread ------------------------------------------------------------- */

static void close_fd(int fd)
{
    if (fd > STDERR_FILENO)
        close(fd);
}

/* The file that was opened for it, if any. False when there is none. */
static bool take_next(struct log_file *f)
{
    const int next = atomic_exchange(&f->next_fd, NOTHING_NEW);
    struct stat st;

    if (next == NOTHING_NEW)
        return false;
    close_fd(f->fd);
    f->fd = next == CLOSE_IT ? -1 : next;
    f->is_regular = f->fd != -1 && fstat(f->fd, &st) == 0 && S_ISREG(st.st_mode);
    if (buf_len(&f->torn) > 0)
        metric_add(f->dropped, 1);
    buf_done(&f->torn);
    return true;
}

static bool is_over(struct log_file *f)
{
    const uint64_t at = atomic_load(&f->give_up_at_ms);

    return at != 0 && clock_mono_ms() >= at;
}

/* False when it is not to be waited for any more: another file came, or the end. */
static bool wait_for_room(struct log_file *f)
{
    struct pollfd p = { .fd = f->fd, .events = POLLOUT };

    while (poll(&p, 1, is_over(f) ? 0 : POLL_MS) <= 0) {
        if (is_over(f) || atomic_load(&f->next_fd) != NOTHING_NEW)
            return false;
    }
    return true;
}

static void note_trouble(struct log_file *f, int error)
{
    if (!atomic_exchange(&f->is_troubled, true))
        log_warn("log not written setting=%s error=\"%s\"", f->setting, strerror(error));
}

/* How much went; 0: no more now. */
static size_t write_some(struct log_file *f, struct span bytes)
{
    for (;;) {
        if (!f->is_regular && !wait_for_room(f))
            return 0;
        const size_t most = f->is_regular || bytes.len < PIPE_BUF ? bytes.len : PIPE_BUF;
        const ssize_t n = write(f->fd, bytes.ptr, most);
        if (n > 0) {
            if (atomic_exchange(&f->is_troubled, false))
                log_info("log written again setting=%s", f->setting);
            return (size_t)n;
        }
        if (n == -1 && errno != EINTR && errno != EAGAIN) {
            note_trouble(f, errno);
            return 0;
        }
    }
}

static uint64_t count_rows(struct span rows)
{
    const char *end;
    uint64_t n = 0;

    while (rows.len > 0 && (end = memchr(rows.ptr, '\n', rows.len)) != NULL) {
        rows = span_after(rows, (size_t)(end - rows.ptr) + 1);
        n++;
    }
    return n;
}

/* The end of a row that the file has the beginning of. False while there is no room. */
static bool finish_torn(struct log_file *f)
{
    while (buf_len(&f->torn) > 0) {
        const size_t n = f->fd == -1 ? 0 : write_some(f, buf_data(&f->torn));
        if (n == 0)
            return false;
        buf_drop(&f->torn, n);
        if (buf_len(&f->torn) == 0)
            metric_add(f->written, 1);
    }
    buf_release(&f->torn);
    return true;
}

/* No room for these. Of the first row, `begun` bytes before them are in the file: its
 * end is kept. */
static void drop_rows(struct log_file *f, struct span rows, size_t begun)
{
    if (begun > 0) {
        const char *end = memchr(rows.ptr, '\n', rows.len);
        const size_t n = (size_t)(end - rows.ptr) + 1;
        buf_put(&f->torn, span_of(rows.ptr, n));
        rows = span_after(rows, n);
    }
    metric_add(f->dropped, count_rows(rows));
}

/* How many of the bytes before `to` belong to a row that goes on there. */
static size_t begun_before(const char *from, const char *to)
{
    const char *at = to;

    while (at > from && at[-1] != '\n')
        at--;
    return (size_t)(to - at);
}

static void write_rows(struct log_file *f, const struct log_chunk *chunk)
{
    struct span rows = buf_data(&chunk->rows);
    const char *const first = rows.ptr;
    const size_t whole = rows.len;

    take_next(f);
    if (!finish_torn(f) && (!take_next(f) || !finish_torn(f))) {
        drop_rows(f, rows, 0);
        return;
    }
    while (rows.len > 0) {
        const size_t begun = begun_before(first, rows.ptr);
        const size_t n = f->fd == -1 ? 0 : write_some(f, rows);
        metric_add(f->written, n == whole ? chunk->count : count_rows(span_of(rows.ptr, n)));
        rows = span_after(rows, n);
        if (n > 0)
            continue;
        if (!take_next(f)) {
            drop_rows(f, rows, begun);
            return;
        }
        rows = span_of(rows.ptr - begun, rows.len + begun); /* the new file gets it whole */
    }
}

static void free_chunk(struct log_chunk *chunk)
{
    buf_done(&chunk->rows);
    free(chunk);
}

static void write_chunk(struct loop *loop, void *arg)
{
    struct log_chunk *chunk = arg;

    write_rows(loop->user, chunk);
    free_chunk(chunk);
}

/* So that a file that was moved away is let go of at once. */
static void look(struct loop *loop, void *arg)
{
    (void)arg;
    take_next(loop->user);
}

/* --- other threads ------------------------------------------------------------ */

void log_file_take(struct log_file *f, struct log_chunk *chunk)
{
    if (loop_post(&f->loop, write_chunk, chunk))
        return;
    metric_add(f->dropped, chunk->count);
    free_chunk(chunk);
}

void log_file_init(struct log_file *f, const char *setting, metric_value *written,
                   metric_value *dropped)
{
    *f = (struct log_file){
        .setting = setting, .path = mem_text(""), .written = written, .dropped = dropped, .fd = -1
    };
    atomic_init(&f->next_fd, NOTHING_NEW);
    buf_init(&f->torn, ROW_MAX);
    loop_init(&f->loop, -1, CHUNKS_MAX, f);
}

static void start_thread(struct log_file *f)
{
    char name[16];

    if (f->is_started)
        return;
    snprintf(name, sizeof(name), "alb-log-%.6s", f->setting);
    loop_start(&f->loop, name);
    f->is_started = true;
}

static bool cannot_open(const struct log_file *f, const char *path, char *why, size_t why_size)
{
    snprintf(why, why_size, "%s: cannot open %s: %s", f->setting, path, strerror(errno));
    return false;
}

bool log_file_open(struct log_file *f, const char *path, char *why, size_t why_size)
{
    int fd = CLOSE_IT;

    if (strcmp(path, "-") == 0) {
        fd = STDOUT_FILENO;
    } else if (path[0] != '\0') {
        fd = log_path_open(path);
        if (fd == -1)
            return cannot_open(f, path, why, why_size);
    }
    char *copy = mem_text(path);
    free(f->path);
    f->path = copy;
    close_fd(atomic_exchange(&f->next_fd, fd));
    if (fd != CLOSE_IT)
        start_thread(f);
    if (f->is_started)
        loop_post(&f->loop, look, NULL); /* when it is busy, it looks by itself */
    return true;
}

bool log_file_may_open(const struct log_file *f, const char *path, char *why, size_t why_size)
{
    if (path[0] == '\0' || strcmp(path, "-") == 0 || log_path_may_open(path))
        return true;
    return cannot_open(f, path, why, why_size);
}

/* False when it is stuck in a write that does not come back. */
static bool end_thread(struct log_file *f)
{
    struct timespec end;

    if (!f->is_started)
        return true;
    loop_stop(&f->loop);
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += LOG_FILE_END_MS / 1000 + 1;
    if (pthread_timedjoin_np(f->loop.thread, NULL, &end) != 0) {
        log_warn("log not written to its end setting=%s", f->setting);
        return false;
    }
    f->loop.has_thread = false;
    return true;
}

void log_file_done(struct log_file *f)
{
    atomic_store(&f->give_up_at_ms, clock_mono_ms() + LOG_FILE_END_MS);
    if (!end_thread(f))
        return; /* it still has all this */
    loop_run_left(&f->loop);
    take_next(f);
    close_fd(f->fd);
    f->fd = -1;
    buf_done(&f->torn);
    mem_free(f->path);
    loop_done(&f->loop);
}
