/*
 * usher.c -- see usher.h.
 *
 *     (accepted) ---> waiting ---> (handed over)
 *                        |
 *                        +--- no head, gone, late ---> (not let in)
 *
 * The socket is looked into (MSG_PEEK), and only what belongs to the head is then taken out of it:
 * so that what follows, a request or TLS, is there for whoever reads next. Of a torn head, what has
 * come is kept, at most PROXY_HEAD_MAX bytes.
 *
 * end() is the only way out, and takes the reason.
 */
#include "alb/usher.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/bug.h"
#include "base/mem.h"

enum { EVENTS = 64 };

struct guest {
    struct list link; /* in its usher's `waiting` */
    struct usher *owner;
    int fd;
    struct addr peer;
    void *tag;
    struct buf head; /* what has come of it */
    struct wheel_timer timer;
};

static void announce(struct usher_result *result, const struct proxy_head *head)
{
    struct announced *a = &result->announced;

    if (!head->is_announced)
        return;
    addr_of_ip(&head->from.ip, head->from.port, &result->client);
    addr_ip(&result->peer, &a->via);
    a->via_port = addr_port(&result->peer);
    if (head->endpoint_id.len > 0)
        memcpy(a->endpoint_id, head->endpoint_id.ptr, head->endpoint_id.len);
}

/* `why` is NULL when the head is whole; else `head` is. */
static void end(struct guest *g, const struct proxy_head *head, const char *why)
{
    struct usher *u = g->owner;
    struct usher_result result = { .fd = g->fd,
                                   .peer = g->peer,
                                   .client = g->peer,
                                   .tag = g->tag,
                                   .why = why,
                                   .is_silent = buf_len(&g->head) == 0 && head == NULL };

    if (why == NULL)
        announce(&result, head);
    epoll_ctl(u->poll, EPOLL_CTL_DEL, g->fd, NULL);
    wheel_stop(&u->loop->wheel, &g->timer);
    list_remove(&g->link);
    u->done(u->user, &result);
    if (result.why != NULL)
        close(g->fd);
    buf_done(&g->head);
    free(g);
}

/* Take so many bytes out of the socket, to where they were looked at already. */
static bool take(struct guest *g, char *at, size_t n)
{
    return recv(g->fd, at, n, 0) == (ssize_t)n;
}

/* All that has come is in the scratch, the last `fresh` bytes of it in the socket as well. */
static void use(struct guest *g, size_t before, size_t fresh)
{
    char *const scratch = g->owner->loop->scratch;
    struct proxy_head head;

    switch (proxy_head_parse(span_of(scratch, before + fresh), &head)) {
    case PROXY_HEAD_WHOLE:
        end(g, &head, take(g, scratch + before, head.len - before) ? NULL : "it is gone");
        return;
    case PROXY_HEAD_PARTIAL:
        if (take(g, scratch + before, fresh))
            buf_put(&g->head, span_of(scratch + before, fresh));
        else
            end(g, &head, "it is gone");
        return;
    case PROXY_HEAD_REFUSED:
        end(g, &head, head.why);
        return;
    }
    bug("unknown outcome of a parse");
}

static const char *why_not(ssize_t n)
{
    return n == 0 ? "it closed before the PROXY head was whole"
                  : "it reset the connection before the PROXY head was whole";
}

static void look(struct guest *g)
{
    char *const scratch = g->owner->loop->scratch;
    const struct span before = buf_data(&g->head);

    memcpy(scratch, before.ptr, before.len);
    const ssize_t n = recv(g->fd, scratch + before.len, PROXY_HEAD_MAX - before.len, MSG_PEEK);
    if (n > 0)
        use(g, before.len, (size_t)n);
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        end(g, NULL, why_not(n));
}

/* Each ends itself at most, so that the others are still there. */
static void on_poll(struct ev_loop *loop, ev_io *io, int revents)
{
    struct epoll_event events[EVENTS];
    const int n = epoll_wait(io->fd, events, EVENTS, 0);
    (void)loop;
    (void)revents;

    for (int i = 0; i < n; i++)
        look(events[i].data.ptr);
}

static void on_timeout(struct wheel_timer *timer)
{
    end(list_entry(timer, struct guest, timer), NULL, "the PROXY head did not come in time");
}

void usher_init(struct usher *u, struct loop *loop, usher_fn *done, void *user)
{
    u->loop = loop;
    u->poll = epoll_create1(EPOLL_CLOEXEC);
    if (u->poll == -1)
        bug("no epoll: out of descriptors?");
    ev_io_init(&u->io, on_poll, u->poll, EV_READ);
    ev_io_start(loop->ev, &u->io);
    list_init(&u->waiting);
    u->done = done;
    u->user = user;
}

/* When the kernel has no memory to watch it, the time-out ends it. */
void usher_begin(struct usher *u, int fd, const struct addr *peer, uint32_t timeout_ms, void *tag)
{
    struct guest *g = mem_new(struct guest);
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = g };

    g->owner = u;
    g->fd = fd;
    g->peer = *peer;
    g->tag = tag;
    buf_init(&g->head, PROXY_HEAD_MAX);
    list_append(&u->waiting, &g->link);
    wheel_timer_init(&g->timer, on_timeout);
    wheel_set(&u->loop->wheel, &g->timer, timeout_ms);
    epoll_ctl(u->poll, EPOLL_CTL_ADD, fd, &event);
    look(g);
}

void usher_send_away(struct usher *u)
{
    while (!list_is_empty(&u->waiting))
        end(list_entry(u->waiting.next, struct guest, link), NULL, "shutting down");
}

void usher_done(struct usher *u)
{
    if (u->poll == -1)
        return;
    usher_send_away(u);
    ev_io_stop(u->loop->ev, &u->io);
    close(u->poll);
    u->poll = -1;
}
