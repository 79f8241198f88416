/*
 * handover.c -- see handover.h.
 *
 *   message: head (16 bytes: magic, type, number of descriptors, length), bytes
 *
 * The descriptors travel with the head, in one sendmsg(): the kernel ends a read where a
 * message with descriptors begins, so they are taken with the head that they belong to.
 */
#include "net/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/list.h"
#include "base/mem.h"

enum { MAGIC = 0x506f7374 };

struct head {
    uint32_t magic, type, fd_count, len;
};

/* On its way out. */
struct parcel {
    struct list link;
    size_t len, sent; /* head included */
    size_t fd_count;
    int fds[HANDOVER_FDS_MAX]; /* ours; closed once they went */
    char bytes[];
};

/* Coming in. */
struct arriving {
    struct head head;
    size_t have; /* bytes of the head, then of the message, head included */
    char *bytes; /* owned; NULL before the head is whole */
    int fds[HANDOVER_FDS_MAX];
    size_t fd_count;
};

struct handover {
    struct ev_loop *loop;
    int fd;
    ev_io io;
    handover_fn *on_message;
    handover_end_fn *on_end;
    void *user;
    struct list out; /* of parcel */
    struct arriving in;
    bool is_delivering, is_freed; /* freed in on_message: deliver() lets the rest go */
};

bool handover_pair(int fds[2])
{
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0;
}

/* --- out ------------------------------------------------------------------------------ */

static void free_parcel(struct parcel *p)
{
    list_remove(&p->link);
    for (size_t i = 0; i < p->fd_count; i++)
        close(p->fds[i]);
    explicit_bzero(p->bytes, p->len);
    free(p);
}

/* The descriptors go with the first byte. */
static ssize_t send_some(const struct handover *h, const struct parcel *p)
{
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(int) * HANDOVER_FDS_MAX)];
    } control;
    struct iovec io = { .iov_base = (char *)(uintptr_t)p->bytes + p->sent,
                        .iov_len = p->len - p->sent };
    struct msghdr message = { .msg_iov = &io, .msg_iovlen = 1 };

    if (p->fd_count > 0) {
        memset(&control, 0, sizeof(control));
        message.msg_control = control.space;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * p->fd_count);
        struct cmsghdr *c = CMSG_FIRSTHDR(&message);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * p->fd_count);
        memcpy(CMSG_DATA(c), p->fds, sizeof(int) * p->fd_count);
    }
    return sendmsg(h->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* False when the socket has failed: the end shows when it is read. */
static bool flush(struct handover *h)
{
    while (!list_is_empty(&h->out)) {
        struct parcel *p = list_entry(h->out.next, struct parcel, link);
        const ssize_t n = send_some(h, p);
        if (n == -1)
            return errno == EAGAIN || errno == EINTR || errno == ENOBUFS || errno == ETOOMANYREFS;
        p->sent += (size_t)n;
        for (size_t i = 0; i < p->fd_count; i++)
            close(p->fds[i]);
        p->fd_count = 0;
        if (p->sent == p->len)
            free_parcel(p);
    }
    return true;
}

static void watch(struct handover *h)
{
    const int events = EV_READ | (list_is_empty(&h->out) ? 0 : EV_WRITE);

    if (ev_is_active(&h->io) && (h->io.events & (EV_READ | EV_WRITE)) == events)
        return;
    ev_io_stop(h->loop, &h->io);
    ev_io_set(&h->io, h->fd, events);
    ev_io_start(h->loop, &h->io);
}

void handover_send(struct handover *h, uint32_t type, struct span bytes, const int *fds,
                   size_t fd_count)
{
    const struct head head = { MAGIC, type, (uint32_t)fd_count, (uint32_t)bytes.len };
    struct parcel *p = mem_check(malloc(sizeof(*p) + sizeof(head) + bytes.len));

    if (fd_count > HANDOVER_FDS_MAX || bytes.len > HANDOVER_BYTES_MAX)
        bug("a message that cannot be handed over");
    p->len = sizeof(head) + bytes.len;
    p->sent = 0;
    p->fd_count = fd_count;
    for (size_t i = 0; i < fd_count; i++)
        p->fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 0);
    memcpy(p->bytes, &head, sizeof(head));
    if (bytes.len > 0)
        memcpy(p->bytes + sizeof(head), bytes.ptr, bytes.len);
    list_append(&h->out, &p->link);
    flush(h);
    watch(h);
}

/* As receive() says it: ECONNRESET comes once, and in front of the end. */
bool handover_has_ended(const struct handover *h)
{
    ssize_t n;
    char byte;

    do
        n = recv(h->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    while (n == -1 && (errno == EINTR || errno == ECONNRESET));
    return n == 0;
}

bool handover_is_flushed(const struct handover *h)
{
    return list_is_empty(&h->out);
}

/* --- in ------------------------------------------------------------------------------- */

static void close_fds(struct arriving *in)
{
    for (size_t i = 0; i < in->fd_count; i++) {
        if (in->fds[i] != -1)
            close(in->fds[i]);
    }
    in->fd_count = 0;
}

static void reset(struct arriving *in)
{
    close_fds(in);
    if (in->bytes != NULL)
        explicit_bzero(in->bytes, in->head.len);
    mem_free(in->bytes);
    in->have = 0;
}

static bool take_fds(struct arriving *in, struct msghdr *message)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        const size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        if (n > HANDOVER_FDS_MAX - in->fd_count)
            return false;
        memcpy(in->fds + in->fd_count, CMSG_DATA(c), n * sizeof(int));
        in->fd_count += n;
    }
    return (message->msg_flags & MSG_CTRUNC) == 0;
}

/* As recvmsg(); -2 when it is over, whatever errno says. */
static ssize_t receive(struct handover *h, char *into, size_t size)
{
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(int) * HANDOVER_FDS_MAX)];
    } control;
    struct iovec io = { .iov_base = into, .iov_len = size };
    struct msghdr message = { .msg_iov = &io,
                              .msg_iovlen = 1,
                              .msg_control = control.space,
                              .msg_controllen = sizeof(control.space) };
    const ssize_t n = recvmsg(h->fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);

    /* ECONNRESET says once that the other end closed without reading all; what it has sent is
     * still here. */
    if (n == -1)
        return errno == EAGAIN || errno == EINTR || errno == ECONNRESET ? -1 : -2;
    return n == 0 || !take_fds(&h->in, &message) ? -2 : n;
}

/* The head, then the bytes. 1: whole; 0: more is to come; -1: nothing more will. */
static int read_message(struct handover *h)
{
    struct arriving *in = &h->in;
    size_t whole = sizeof(in->head);

    for (;;) {
        if (in->have >= sizeof(in->head))
            whole = sizeof(in->head) + in->head.len;
        if (in->have == whole && in->bytes != NULL)
            return 1;
        char *into = in->have < sizeof(in->head) ? (char *)&in->head + in->have
                                                 : in->bytes + in->have - sizeof(in->head);
        const ssize_t n = receive(h, into, whole - in->have);
        if (n < 0)
            return n == -1 ? 0 : -1;
        in->have += (size_t)n;
        if (in->have == sizeof(in->head) && in->bytes == NULL) {
            if (in->head.magic != MAGIC || in->head.len > HANDOVER_BYTES_MAX)
                return -1;
            in->bytes = mem_zero((size_t)in->head.len + 1);
        }
    }
}

/* False when the owner freed it. */
static bool deliver(struct handover *h)
{
    struct arriving taken = h->in;
    struct handover_message m = {
        .type = taken.head.type,
        .bytes = span_of(taken.bytes, taken.head.len),
        .fds = taken.fds,
        .fd_count = taken.fd_count,
    };

    h->in = (struct arriving){ 0 };
    h->is_delivering = true;
    h->on_message(h->user, &m);
    h->is_delivering = false;
    reset(&taken);
    if (!h->is_freed)
        return true;
    free(h);
    return false;
}

static void end(struct handover *h, const char *why)
{
    ev_io_stop(h->loop, &h->io);
    h->on_end(h->user, why);
}

static void on_io(struct ev_loop *loop, ev_io *io, int revents)
{
    struct handover *h = io->data;
    const bool takes_more = !(revents & EV_WRITE) || flush(h);
    int got;
    (void)loop;

    while ((got = read_message(h)) == 1) {
        if (h->in.head.fd_count != h->in.fd_count)
            break;
        if (!deliver(h))
            return;
    }
    if (got == 0 && takes_more)
        watch(h);
    else if (got == 0)
        end(h, "it takes no more messages");
    else
        end(h, got == 1 ? "descriptors were lost on the way" : "it has gone");
}

struct handover *handover_new(struct ev_loop *loop, int fd, handover_fn *on_message,
                              handover_end_fn *on_end, void *user)
{
    struct handover *h = mem_new(struct handover);

    h->loop = loop;
    h->fd = fd;
    h->on_message = on_message;
    h->on_end = on_end;
    h->user = user;
    list_init(&h->out);
    ev_io_init(&h->io, on_io, fd, EV_READ);
    h->io.data = h;
    ev_io_start(loop, &h->io);
    return h;
}

void handover_free(struct handover **handover)
{
    struct handover *h = *handover;

    *handover = NULL;
    if (h == NULL)
        return;
    ev_io_stop(h->loop, &h->io);
    list_each_safe (at, after, &h->out)
        free_parcel(list_entry(at, struct parcel, link));
    reset(&h->in);
    close(h->fd);
    h->is_freed = true;
    if (!h->is_delivering)
        free(h);
}
