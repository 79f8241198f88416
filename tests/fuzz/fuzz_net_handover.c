/*
 * fuzz_net_handover.c -- bytes of another process on the socket of a hand-over: the first byte says
 * how they are cut into writes. The messages that arrive are those that a reader of the whole
 * finds, however they were cut, and there is one end.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/handover.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEAD = 16, MAGIC = 0x506f7374, INPUT_MAX = 64 * 1024 };

struct seen {
    size_t messages, ends;
    uint64_t sum;
};

static uint64_t add(uint64_t sum, uint32_t type, const uint8_t *bytes, size_t len)
{
    sum = sum * 31 + type;
    for (size_t i = 0; i < len; i++)
        sum = sum * 31 + bytes[i];
    return sum;
}

/* Without descriptors, of which none comes here. */
static struct seen find(const uint8_t *data, size_t size)
{
    struct seen s = { .ends = 1 };

    while (size >= HEAD) {
        uint32_t head[4]; /* magic, type, descriptors, length */
        memcpy(head, data, HEAD);
        if (head[0] != MAGIC || head[2] != 0 || head[3] > size - HEAD)
            break;
        s.messages++;
        s.sum = add(s.sum, head[1], data + HEAD, head[3]);
        data += HEAD + head[3];
        size -= HEAD + head[3];
    }
    return s;
}

static void on_message(void *user, struct handover_message *m)
{
    struct seen *s = user;

    s->messages++;
    s->sum = add(s->sum, m->type, (const uint8_t *)m->bytes.ptr, m->bytes.len);
}

static void on_end(void *user, const char *why)
{
    struct seen *s = user;

    s->ends += why != NULL;
}

/* In pieces of `step` bytes, each seen on its own. */
static void feed(struct ev_loop *loop, int fd, const uint8_t *data, size_t size, size_t step)
{
    while (size > 0) {
        const size_t n = size < step ? size : step;
        const ssize_t sent = send(fd, data, n, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent > 0) {
            data += sent;
            size -= (size_t)sent;
        }
        ev_run(loop, EVRUN_NOWAIT);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct ev_loop *loop;
    struct seen seen = { .messages = 0 };
    int fds[2];

    if (loop == NULL)
        loop = ev_loop_new(EVBACKEND_POLL);
    if (size == 0 || size > INPUT_MAX || !handover_pair(fds))
        return 0;
    const struct seen expected = find(data + 1, size - 1);
    struct handover *h = handover_new(loop, fds[0], on_message, on_end, &seen);
    feed(loop, fds[1], data + 1, seen.ends == 0 ? size - 1 : 0, data[0] == 0 ? size : data[0]);
    close(fds[1]);
    for (int i = 0; i < 4 && seen.ends == 0; i++)
        ev_run(loop, EVRUN_NOWAIT);
    handover_free(&h);
    if (seen.messages != expected.messages || seen.sum != expected.sum || seen.ends != 1)
        abort();
    return 0;
}
