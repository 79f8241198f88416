/*
 * fuzz_alb_ready_question.c -- what is asked at [health]: in pieces it is the same as all at once
 * (nonsense may be seen earlier), it is decided within the most that is read, and a head of the
 * PROXY protocol in front changes nothing.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "alb/ready_question.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct http_message message; /* large */

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* What comes of it, with what is to be answered; the message's spans are not for long. */
struct outcome {
    enum ready_question is;
    int status;
    size_t head_len;
    char path[READY_REQUEST_MAX * 3]; /* percent-encoded at most */
    size_t path_len;
};

/* Exactly so many bytes on the heap: what is read behind them is found. */
static void read_at_once(struct span bytes, size_t *scanned, struct outcome *o)
{
    char *exact = malloc(bytes.len + 1);

    memcpy(exact, bytes.ptr, bytes.len);
    *o =
        (struct outcome){ .is = ready_question_read(span_of(exact, bytes.len), &message, scanned) };
    if (o->is == READY_REFUSED)
        o->status = message.refuse_status;
    if (o->is == READY_ASKED) {
        must(message.head_len <= READY_REQUEST_MAX && message.path.len <= sizeof(o->path));
        o->head_len = message.head_len;
        o->path_len = message.path.len;
        memcpy(o->path, message.path.ptr, message.path.len);
    }
    free(exact);
}

static bool same(const struct outcome *a, const struct outcome *b)
{
    return a->is == b->is && a->status == b->status && a->head_len == b->head_len &&
           a->path_len == b->path_len && memcmp(a->path, b->path, a->path_len) == 0;
}

static void check_pieces(struct span bytes, size_t step, const struct outcome *whole)
{
    static struct outcome piece;
    size_t scanned = 0, len = 0;

    do {
        len = len + step < bytes.len ? len + step : bytes.len;
        read_at_once(span_of(bytes.ptr, len), &scanned, &piece);
    } while (piece.is == READY_PARTIAL && len < bytes.len);
    if (piece.is == READY_REFUSED)
        must(whole->is == READY_REFUSED || whole->is == READY_PARTIAL);
    else
        must(same(&piece, whole));
}

static void check_behind_a_head(struct span bytes, const struct outcome *whole)
{
    static const struct span local = SPAN_INIT("\r\n\r\n\0\r\nQUIT\n\x20\0\0\0");
    static struct outcome behind;
    char *both = malloc(local.len + bytes.len);
    size_t scanned = 0;

    memcpy(both, local.ptr, local.len);
    memcpy(both + local.len, bytes.ptr, bytes.len);
    read_at_once(span_of(both, local.len + bytes.len), &scanned, &behind);
    must(same(&behind, whole));
    free(both);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct outcome whole;
    const struct span bytes = span_of((const char *)data, size);
    struct proxy_head head;
    size_t scanned = 0;

    read_at_once(bytes, &scanned, &whole);
    must(whole.is != READY_PARTIAL || size < READY_QUESTION_MAX);
    must(whole.is != READY_REFUSED || (whole.status >= 400 && whole.status < 600));
    check_pieces(bytes, 1 + size / 256, &whole);
    if (size > 0 && proxy_head_parse(bytes, &head) == PROXY_HEAD_REFUSED &&
        whole.is != READY_BAD_HEAD)
        check_behind_a_head(bytes, &whole);
    return 0;
}
