/*
 * log_file.h -- a log's file, and the thread that writes it.
 *
 * Rows come in chunks from the loops through a bounded queue; when it is full, rows
 * are dropped and counted. Only the file's own thread ever waits for a disk or a
 * reader, so neither a loop nor the control thread does. A row is written whole or
 * not at all: what a full disk cut off is finished first when there is room again,
 * and a file that is opened anew begins with a whole row.
 */
#ifndef ALB_LOG_FILE_H
#define ALB_LOG_FILE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/metrics.h"
#include "net/loop.h"

struct log_chunk {
    struct buf rows; /* whole ones, each with its newline */
    uint32_t count;
};

struct log_file {
    const char *setting; /* a literal, for messages: "access_logs.file" */
    char *path;          /* owned; "" when closed, "-" for standard output. Control thread */
    metric_value *written, *dropped;
    struct loop loop; /* of its thread */
    bool is_started;
    atomic_int next_fd;             /* opened for the thread to go on with, or LOG_FILE_... */
    _Atomic uint64_t give_up_at_ms; /* once it is to end; 0 before */
    atomic_bool is_troubled;        /* the last write failed */

    /* The thread's. */
    int fd; /* -1 when closed */
    bool is_regular;
    struct buf torn; /* the end of a row of which the file has the beginning */
};

/* The counters are added to by any thread. */
void log_file_init(struct log_file *f, const char *setting, metric_value *written,
                   metric_value *dropped);

/* Writes what has come, for at most LOG_FILE_END_MS; the rest is dropped. */
enum { LOG_FILE_END_MS = 1000 };
void log_file_done(struct log_file *f);

/* Control thread: write to this path from now on, "" for none; also to open it again
 * after it was moved away. A FIFO without a reader is fine. False with a sentence: the
 * old file stays. */
bool log_file_open(struct log_file *f, const char *path, char *why, size_t why_size);

/* Could it? Opens and makes nothing that anybody would see. */
bool log_file_may_open(const struct log_file *f, const char *path, char *why, size_t why_size);

/* Any thread: takes the heap-made chunk. Those of one thread stay in their order. */
void log_file_take(struct log_file *f, struct log_chunk *chunk);

#endif
