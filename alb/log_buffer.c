/* log_buffer.c -- see log_buffer.h. */
#include "alb/log_buffer.h"

#include "base/clock.h"
#include "base/mem.h"

#include "alb/log_file.h"
#include "alb/log_put.h"

_Static_assert(sizeof(((struct log_time_text *)0)->text) == CLOCK_TEXT_MAX, "clock_iso_us()");

static void on_timer(struct wheel_timer *timer)
{
    log_buffer_flush(list_entry(timer, struct log_buffer, timer));
}

void log_buffer_init(struct log_buffer *b, struct loop *loop, struct log_file *file)
{
    *b = (struct log_buffer){ .loop = loop, .file = file };
    buf_init(&b->rows, LOG_ROW_MAX);
    wheel_timer_init(&b->timer, on_timer);
}

void log_buffer_done(struct log_buffer *b)
{
    log_buffer_flush(b);
    buf_done(&b->rows);
}

void log_buffer_flush(struct log_buffer *b)
{
    wheel_stop(&b->loop->wheel, &b->timer);
    if (buf_len(&b->rows) == 0)
        return;
    struct log_chunk *chunk = mem_new(struct log_chunk);
    chunk->rows = b->rows;
    chunk->count = b->count;
    buf_init(&b->rows, chunk->rows.bound);
    b->count = 0;
    log_file_take(b->file, chunk);
}

char *log_buffer_make_room(struct log_buffer *b, size_t bound)
{
    log_buffer_flush(b);
    /* The whole chunk at once: it would grow to that, byte by byte copied. */
    return mem_check(buf_space(&b->rows, bound < LOG_CHUNK_BYTES ? LOG_CHUNK_BYTES : bound));
}

void log_buffer_begun(struct log_buffer *b)
{
    wheel_set(&b->loop->wheel, &b->timer, LOG_CHUNK_MS);
}

/* "ss.uuuuuu" is all that changes within a minute; the rest is made anew with each. */
void log_buffer_set_time(struct log_time_text *t, uint64_t wall_us)
{
    enum { MINUTE_US = 60 * 1000000, SECOND_AT = 17 };
    char *at = t->text + SECOND_AT;

    t->us = wall_us;
    if (wall_us - t->minute_us >= MINUTE_US) {
        t->minute_us = wall_us - wall_us % MINUTE_US;
        clock_iso_us(wall_us, t->text);
        return;
    }
    const uint32_t us = (uint32_t)(wall_us - t->minute_us), micros = us % 1000000;
    at = log_put_pair(at, us / 1000000) + 1;
    at = log_put_pair(at, micros / 10000);
    at = log_put_pair(at, micros / 100 % 100);
    log_put_pair(at, micros % 100);
}
