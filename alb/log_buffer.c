/* log_buffer.c -- see log_buffer.h. */
#include "alb/log_buffer.h"

#include "base/clock.h"
#include "base/mem.h"

#include "alb/log_file.h"
#include "alb/log_put.h"

static void on_timer(struct wheel_timer *timer)
{
    log_buffer_flush(list_entry(timer, struct log_buffer, timer));
}

void log_buffer_init(struct log_buffer *b, struct loop *loop, struct log_file *file)
{
    *b = (struct log_buffer){ .loop = loop, .file = file };
    buf_init(&b->rows, LOG_CHUNK_BYTES + LOG_ROW_MAX);
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

char *log_buffer_begin(struct log_buffer *b, size_t bound)
{
    /* The whole chunk at once: it would grow to that, byte by byte copied. */
    if (b->rows.mem == NULL)
        buf_space(&b->rows, LOG_CHUNK_BYTES + bound);
    return mem_check(buf_space(&b->rows, bound));
}

void log_buffer_end(struct log_buffer *b, size_t len)
{
    buf_added(&b->rows, len);
    b->count++;
    if (buf_len(&b->rows) >= LOG_CHUNK_BYTES)
        log_buffer_flush(b);
    else if (!wheel_is_set(&b->timer))
        wheel_set(&b->loop->wheel, &b->timer, LOG_CHUNK_MS);
}

static const char *text_of_second(struct log_buffer *b, uint64_t second)
{
    struct log_second *s = &b->seconds[second % LOG_SECONDS];

    if (s->second != second) {
        char text[CLOCK_TEXT_MAX];
        memcpy(s->text, clock_iso_us(second * 1000000, text), sizeof(s->text));
        s->second = second;
    }
    return s->text;
}

char *log_buffer_time(struct log_buffer *b, char *at, uint64_t wall_us)
{
    const uint64_t second = wall_us / 1000000;
    const uint32_t micros = (uint32_t)(wall_us - second * 1000000);

    memcpy(at, text_of_second(b, second), 20); /* the point as well */
    at = log_put_pair(at + 20, micros / 10000);
    at = log_put_pair(at, micros / 100 % 100);
    at = log_put_pair(at, micros % 100);
    *at = 'Z';
    return at + 1;
}
