/*
 * handshake.c -- TLS handshakes in progress.
 *
 *     CONNECTING ---> SHAKING ---> (handed over)
 *                        |
 *                        +-- plain HTTP, refused --> ANSWERED ---> (failed)
 *                        +-- error, time-out --------------------> (failed)
 *
 *   CONNECTING  to a server
 *   SHAKING     mbedTLS says what it waits for
 *   ANSWERED    400 or an alert, and FIN are out; what still comes is read and thrown away,
 *               because closing with bytes unread sends RST, which can overtake
 *               the answer
 *
 * end() is the only way out, and takes the reason.
 */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"

#include "net/handshake.h"
#include "net/tls_client.h"

enum { DRAIN_MS = 2000, DRAIN_BYTES = 64 * 1024, EVENTS = 64 };

static const char plain_http[] = "a plain HTTP request came to an HTTPS port";
#define PAGE                                                                                       \
    "<html>\r\n<head><title>400 The plain HTTP request was sent to HTTPS port</title></head>\r\n"  \
    "<body>\r\n<center><h1>400 Bad Request</h1></center>\r\n"                                      \
    "<center>The plain HTTP request was sent to HTTPS port</center>\r\n</body>\r\n</html>\r\n"
static const char proxied[] = "it begins with the PROXY protocol, which this listener does not "
                              "expect: set proxy_protocol = on";
static const char answer[] = "HTTP/1.1 400 Bad Request\r\n"
                             "Content-Type: text/html\r\n"
                             "Content-Length: 220\r\n"
                             "Connection: close\r\n"
                             "\r\n" PAGE;
_Static_assert(sizeof(PAGE) - 1 == 220, "as its head says");

struct shake {
    struct list link; /* in its handshaker's `running` */
    struct handshaker *owner;
    int fd;
    struct tls_session *tls; /* owned; NULL when 400 is out */
    const char *why;         /* of ANSWERED: as for end(); else NULL */
    atomic_bool *connected;  /* to a server: whoever waits looks at it; else NULL */
    struct addr peer;
    uint64_t id[2];
    uint64_t accepted_us;
    void *tag;
    size_t drained;
    uint32_t events; /* EPOLLIN or EPOLLOUT: what it waits for */
    struct wheel_timer timer;
};

static uint32_t took_us(const struct shake *s)
{
    uint64_t now = clock_wall_us();
    uint64_t took = now > s->accepted_us ? now - s->accepted_us : 0;
    return took > UINT32_MAX ? UINT32_MAX : (uint32_t)took;
}

static bool is_connecting(const struct shake *s)
{
    return s->connected != NULL && !atomic_load_explicit(s->connected, memory_order_relaxed);
}

/* `why` is NULL when the handshake is done. */
static void end(struct shake *s, const char *why, bool is_late)
{
    struct handshaker *h = s->owner;

    epoll_ctl(h->poll, EPOLL_CTL_DEL, s->fd, NULL);
    wheel_stop(&h->loop->wheel, &s->timer);
    list_remove(&s->link);
    h->count--;

    struct handshake_result result = {
        .fd = s->fd,
        .tls = why == NULL ? s->tls : NULL,
        .seen = s->tls,
        .peer = s->peer,
        .id = { s->id[0], s->id[1] },
        .accepted_us = s->accepted_us,
        .took_us = took_us(s),
        .tag = s->tag,
        .why = why,
        .is_late = is_late,
    };
    h->done(h->user, &result);
    if (why != NULL) {
        tls_session_free(&s->tls);
        close(s->fd);
    }
    free(s);
}

static void shake_end(struct shake *s, const char *why)
{
    end(s, why, false);
}

static void shake_late(struct shake *s)
{
    if (is_connecting(s))
        end(s, "the connection took too long", true);
    else
        end(s,
            s->connected != NULL ? "the TLS handshake with the target took too long"
                                 : "the handshake took too long",
            true);
}

/* When the kernel has no memory for it, the time-out ends it. */
static void wait_for(struct shake *s, uint32_t events)
{
    struct epoll_event event = { .events = events, .data.ptr = s };

    if (s->events != events)
        epoll_ctl(s->owner->poll, s->events == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, s->fd, &event);
    s->events = events;
}

static void end_when_read(struct shake *s, const char *why)
{
    s->why = why;
    shutdown(s->fd, SHUT_WR);
    wheel_set(&s->owner->loop->wheel, &s->timer, DRAIN_MS);
    wait_for(s, EPOLLIN);
}

/* The answer fits into any empty send buffer. */
static void answer_plain_http(struct shake *s, const char *why)
{
    tls_session_free(&s->tls);
    if (send(s->fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL) == -1)
        shake_end(s, why);
    else
        end_when_read(s, why);
}

/* Of version 1 or 2; what is no TLS is still there to be read. */
static bool begins_with_proxy(const struct shake *s)
{
    char bytes[6];

    return s->connected == NULL &&
           recv(s->fd, bytes, sizeof(bytes), MSG_PEEK) == (ssize_t)sizeof(bytes) &&
           (memcmp(bytes, "PROXY ", 6) == 0 || memcmp(bytes, "\r\n\r\n\0\r", 6) == 0);
}

/* Why a handshake failed, in words about who is at the other end. */
static const char *objection(const struct shake *s)
{
    return s->connected != NULL ? tls_client_why(s->tls) : tls_session_error(s->tls);
}

static void shake(struct shake *s)
{
    switch (tls_handshake(s->tls)) {
    case TLS_DONE:
        shake_end(s, NULL);
        return;
    case TLS_WANT_READ:
        wait_for(s, EPOLLIN);
        return;
    case TLS_WANT_WRITE:
        wait_for(s, EPOLLOUT);
        return;
    case TLS_PLAIN_HTTP:
        answer_plain_http(s, begins_with_proxy(s) ? proxied : plain_http);
        return;
    case TLS_FAILED:
        if (begins_with_proxy(s))
            shake_end(s, proxied);
        else if (tls_session_has_refused(s->tls))
            end_when_read(s, objection(s));
        else
            shake_end(s, objection(s));
        return;
    }
}

static void connect_on(struct shake *s)
{
    int error = 0;
    socklen_t size = sizeof(error);

    if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &size) == -1)
        error = errno;
    if (error != 0) {
        shake_end(s, strerror(error));
        return;
    }
    atomic_store_explicit(s->connected, true, memory_order_relaxed);
    wheel_set(&s->owner->loop->wheel, &s->timer, s->owner->timeout_ms);
    shake(s);
}

static void drain(struct shake *s)
{
    struct loop *loop = s->owner->loop;
    ssize_t n = recv(s->fd, loop->scratch, LOOP_SCRATCH_BYTES, 0);
    if (n > 0)
        s->drained += (size_t)n;
    if (n == 0 || s->drained > DRAIN_BYTES || (n == -1 && errno != EAGAIN && errno != EINTR))
        shake_end(s, s->why);
}

/* Each ends itself at most, so those behind it in the list are still there. */
static void on_poll(struct ev_loop *loop, ev_io *io, int revents)
{
    struct epoll_event events[EVENTS];
    const int n = epoll_wait(io->fd, events, EVENTS, 0);
    (void)loop;
    (void)revents;

    for (int i = 0; i < n; i++) {
        struct shake *s = events[i].data.ptr;
        if (s->why != NULL)
            drain(s);
        else if (is_connecting(s))
            connect_on(s);
        else
            shake(s);
    }
}

static void on_timeout(struct wheel_timer *timer)
{
    struct shake *s = list_entry(timer, struct shake, timer);

    if (s->why != NULL)
        shake_end(s, s->why);
    else
        shake_late(s);
}

void handshaker_init(struct handshaker *h, struct loop *loop, uint32_t timeout_ms,
                     handshake_fn *done, void *user)
{
    h->loop = loop;
    h->poll = epoll_create1(EPOLL_CLOEXEC);
    if (h->poll == -1)
        bug("no epoll: out of descriptors?");
    ev_io_init(&h->io, on_poll, h->poll, EV_READ);
    ev_io_start(loop->ev, &h->io);
    list_init(&h->running);
    h->count = 0;
    h->timeout_ms = timeout_ms;
    h->done = done;
    h->user = user;
}

void handshaker_done(struct handshaker *h)
{
    while (!list_is_empty(&h->running))
        shake_end(list_entry(h->running.next, struct shake, link), "shutting down");
    if (h->poll == -1)
        return;
    ev_io_stop(h->loop->ev, &h->io);
    close(h->poll);
    h->poll = -1;
}

static struct shake *begin(struct handshaker *h, int fd, struct tls_session *tls, void *tag)
{
    struct shake *s = mem_new(struct shake);

    s->owner = h;
    s->fd = fd;
    s->tls = tls;
    s->id[0] = random_jitter();
    s->id[1] = random_jitter();
    s->accepted_us = clock_wall_us();
    s->tag = tag;
    list_append(&h->running, &s->link);
    h->count++;
    wheel_timer_init(&s->timer, on_timeout);
    wheel_set(&h->loop->wheel, &s->timer, h->timeout_ms);
    return s;
}

void handshaker_begin(struct handshaker *h, int fd, const struct addr *peer,
                      struct tls_server *server, void *tag)
{
    struct shake *s = begin(h, fd, tls_session_new(server, fd), tag);

    s->peer = *peer;
    wait_for(s, EPOLLIN);
}

void handshaker_connect(struct handshaker *h, int fd, struct tls_session *tls,
                        atomic_bool *connected, void *tag)
{
    struct shake *s = begin(h, fd, tls, tag);

    s->connected = connected;
    wait_for(s, EPOLLOUT);
}
