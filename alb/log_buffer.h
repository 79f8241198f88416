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
    LOG_CHUNK_BYTES = 256 * 1024, /* the file's thread takes as long to wake as to write half */
    LOG_CHUNK_MS = 200,
    LOG_ROW_MAX = 1024 * 1024, /* the largest that may be asked for */
};

/* The times that rows have, each mostly near the same time of the row before. */
enum log_time { LOG_TIME_WRITTEN, LOG_TIME_CREATED, LOG_TIMES };

enum { LOG_TIME_LEN = 27 };

/* One as it was last written. */
struct log_time_text {
    uint64_t us, minute_us; /* since 1970: it, and its minute */
    char text[LOG_TIME_LEN + 5];
};

struct log_buffer {
    struct loop *loop;
    struct log_file *file;
    struct buf rows;
    uint32_t count;
    struct wheel_timer timer;
    struct log_time_text times[LOG_TIMES];
};

void log_buffer_init(struct log_buffer *b, struct loop *loop, struct log_file *file);

/* Hands over what is in it. */
void log_buffer_done(struct log_buffer *b);
void log_buffer_flush(struct log_buffer *b);

/* For the next two: a new chunk, when there is none yet or no room in it; and when it has its
 * first row. */
char *log_buffer_make_room(struct log_buffer *b, size_t bound);
void log_buffer_begun(struct log_buffer *b);

/* Memory for a row of at most `bound` bytes, to be written without looking at its
 * end; then say how long it has become. */
static inline char *log_buffer_begin(struct log_buffer *b, size_t bound)
{
    const bool has_room = b->rows.mem != NULL && bound <= b->rows.size - b->rows.tail;

    return has_room ? b->rows.mem + b->rows.tail : log_buffer_make_room(b, bound);
}

static inline void log_buffer_end(struct log_buffer *b, size_t len)
{
    buf_added(&b->rows, len);
    if (b->count++ == 0)
        log_buffer_begun(b);
}

/* For log_buffer_time(), when it is another than the last. */
void log_buffer_set_time(struct log_time_text *t, uint64_t wall_us);

/* 2026-11-22T14:20:00.123456Z, LOG_TIME_LEN bytes; a few more are written. Returns the byte
 * behind it. */
static inline char *log_buffer_time(struct log_buffer *b, enum log_time which, char *at,
                                    uint64_t wall_us)
{
    struct log_time_text *t = &b->times[which];

    if (wall_us != t->us)
        log_buffer_set_time(t, wall_us);
    memcpy(at, t->text, sizeof(t->text));
    return at + LOG_TIME_LEN;
}

#endif
