/*
 * fuzz_alb_inherit_sockets.c -- SOCKETS of another process: the first byte is how many descriptors
 * came along. Whatever the bytes are, each descriptor is taken once or stays in the message, and
 * what was not taken can be told.
 */
#include <stdlib.h>

#include "net/handover.h"

#include "alb/inherit_sockets.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FIRST_FD = 1 << 20 }; /* none of ours */

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* It is nobody else's; and not to be closed. */
static size_t take(int *fd, bool seen[HANDOVER_FDS_MAX])
{
    if (*fd == -1)
        return 0;
    must(*fd >= FIRST_FD && *fd < FIRST_FD + HANDOVER_FDS_MAX && !seen[*fd - FIRST_FD]);
    seen[*fd - FIRST_FD] = true;
    *fd = -1;
    return 1;
}

static size_t take_all(struct inherited_sockets *s, struct handover_message *m)
{
    bool seen[HANDOVER_FDS_MAX] = { false };
    size_t n = 0;

    for (size_t i = 0; i < s->listener_count; i++) {
        must(s->listeners[i].name != NULL && s->listeners[i].bind != NULL);
        for (size_t j = 0; j < s->listeners[i].count; j++)
            n += take(&s->listeners[i].fds[j], seen);
    }
    for (size_t i = 0; i < 2; i++)
        n += take(&s->doors[i].fd, seen);
    for (int kind = 0; kind < DOOR_KINDS; kind++) {
        for (size_t i = 0; i < s->other_counts[kind]; i++)
            n += take(&s->others[kind][i].fd, seen);
    }
    for (size_t i = 0; i < m->fd_count; i++)
        n += take(&m->fds[i], seen);
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int fds[HANDOVER_FDS_MAX];
    struct inherited_sockets s;
    struct buf unwanted;

    if (size == 0)
        return 0;
    struct handover_message m = { .bytes = span_of(data + 1, size - 1),
                                  .fds = fds,
                                  .fd_count = data[0] % (HANDOVER_FDS_MAX + 1) };
    for (size_t i = 0; i < m.fd_count; i++)
        fds[i] = FIRST_FD + (int)i;
    inherited_sockets_init(&s);
    inherited_sockets_read(&s, &m);
    buf_init(&unwanted, 1 << 20);
    inherited_sockets_put_unwanted(&s, &unwanted);
    must(take_all(&s, &m) == m.fd_count);
    inherited_sockets_close(&s);
    inherited_sockets_close(&s);
    buf_done(&unwanted);
    return 0;
}
