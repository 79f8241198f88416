/* fetch.c -- see fetch.h. The socket never blocks; poll() does, up to one moment for all of it. */
#include "image/configure/fetch.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

struct talk {
    int fd;
    uint64_t end_ms; /* by clock_mono_ms() */
};

/* False with errno. */
static bool wait_for(const struct talk *t, short events)
{
    struct pollfd p = { .fd = t->fd, .events = events };

    for (;;) {
        const uint64_t now = clock_mono_ms();
        const int n = now < t->end_ms ? poll(&p, 1, (int)(t->end_ms - now)) : 0;
        if (n > 0)
            return true;
        if (n == 0)
            errno = ETIMEDOUT;
        if (n == 0 || errno != EINTR)
            return false;
    }
}

static bool dial(struct talk *t, const struct addr *to)
{
    int error = 0;
    socklen_t len = sizeof(error);

    t->fd = socket(to->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (t->fd == -1)
        return false;
    if (connect(t->fd, &to->sa, to->len) == 0)
        return true;
    if (errno != EINPROGRESS || !wait_for(t, POLLOUT))
        return false;
    getsockopt(t->fd, SOL_SOCKET, SO_ERROR, &error, &len);
    errno = error;
    return error == 0;
}

static bool say(const struct talk *t, struct span request)
{
    while (request.len > 0) {
        if (!wait_for(t, POLLOUT))
            return false;
        const ssize_t n = send(t->fd, request.ptr, request.len, MSG_NOSIGNAL);
        if (n == -1 && errno != EAGAIN && errno != EINTR)
            return false;
        request = span_after(request, n > 0 ? (size_t)n : 0);
    }
    return true;
}

/* ANSWER_MORE, with errno: nothing comes any more. */
static enum answer_step hear(const struct talk *t, struct answer *answer)
{
    enum answer_step step = ANSWER_MORE;
    char bytes[4096];

    while (step == ANSWER_MORE && wait_for(t, POLLIN)) {
        const ssize_t n = recv(t->fd, bytes, sizeof(bytes), 0);
        if (n == 0)
            return answer_end(answer);
        if (n > 0)
            step = answer_take(answer, span_of(bytes, (size_t)n));
        else if (errno != EAGAIN && errno != EINTR)
            return ANSWER_MORE;
    }
    return step;
}

static enum answer_step converse(struct talk *t, const struct addr *to, struct span request,
                                 struct answer *answer, const char **why)
{
    enum answer_step step = ANSWER_MORE;

    if (dial(t, to) && say(t, request))
        step = hear(t, answer);
    *why = step == ANSWER_MORE ? strerror(errno) : answer->why;
    return step == ANSWER_MORE ? ANSWER_BAD : step;
}

enum answer_step fetch(const struct addr *from, struct span request, unsigned timeout_ms,
                       struct answer *answer, char *why, size_t why_size)
{
    struct talk t = { .fd = -1, .end_ms = clock_mono_ms() + timeout_ms };
    const char *reason;
    const enum answer_step step = converse(&t, from, request, answer, &reason);

    if (step == ANSWER_BAD)
        snprintf(why, why_size, "%s", reason);
    if (t.fd != -1)
        close(t.fd);
    return step;
}
