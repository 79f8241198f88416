/*
 * log_buffer.h -- a loop's rows on their way to a log's file.
 *
 * Rows gather here and go to the file's thread when there are many or the first is a
 * moment old. It belongs to its loop.
 */
#ifndef ALB_LOG_BUFFER_H
#define ALB_LOG_BUFFER_H

#include "base/buf.h"
#include "net/loop.h"

struct log_file;

enum {
    LOG_CHUNK_BYTES = 32 * 1024,
    LOG_CHUNK_MS = 200,
    LOG_ROW_MAX = 1024 * 1024, /* the largest that may be asked for */
    LOG_SECONDS = 4,           /* whose texts are kept: of now, and of when slow requests came */
};

struct log_buffer {
    struct loop *loop;
    struct log_file *file;
    struct buf rows;
    uint32_t count;
    struct wheel_timer timer;
    struct log_second {
        uint64_t second;
        char text[20]; /* with the point */
    } seconds[LOG_SECONDS];
};

void log_buffer_init(struct log_buffer *b, struct loop *loop, struct log_file *file);

/* Hands over what is in it. */
void log_buffer_done(struct log_buffer *b);
void log_buffer_flush(struct log_buffer *b);

/* Memory for a row of at most `bound` bytes, to be written without looking at its
 * end; then say how long it has become. */
char *log_buffer_begin(struct log_buffer *b, size_t bound);
void log_buffer_end(struct log_buffer *b, size_t len);

/* 2026-11-22T14:20:00.123456Z, 27 bytes. Returns the byte behind. */
char *log_buffer_time(struct log_buffer *b, char *at, uint64_t wall_us);

#endif
