/* remote_dial.c -- see remote_dial.h. */
#include "alb/remote_dial.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/addr.h"

enum { ADDRESSES_MAX = 32, REASON_MAX = 512 };

/* One address that took no connection. */
struct failure {
    struct addr to, from; /* `from`: the address that it was tried from */
    int error;
};

/* --- time ------------------------------------------------------------------------------------ */

static uint64_t left_ms(uint64_t end_ms)
{
    const uint64_t now_ms = clock_mono_ms();

    return now_ms < end_ms ? end_ms - now_ms : 0;
}

bool remote_wait(int fd, short events, uint32_t most_ms, uint64_t end_ms)
{
    struct pollfd p = { .fd = fd, .events = events };
    const uint64_t left = left_ms(end_ms);
    const uint64_t until_ms = clock_mono_ms() + (left < most_ms ? left : most_ms);
    int n;

    do {
        n = poll(&p, 1, (int)left_ms(until_ms));
    } while (n == -1 && errno == EINTR);
    if (n == 0)
        errno = EAGAIN;
    return n > 0;
}

/* --- one address ----------------------------------------------------------------------------- */

static bool is_connected(int fd, uint32_t most_ms, uint64_t end_ms)
{
    int error = 0;
    socklen_t len = sizeof(error);

    if (!remote_wait(fd, POLLOUT, most_ms, end_ms))
        return false;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1)
        return false;
    errno = error;
    return error == 0;
}

/* -1 with errno, and where it was tried from. */
static int dial(const struct addr *to, struct addr *from, uint32_t most_ms, uint64_t end_ms)
{
    const int fd = socket(to->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    *from = (struct addr){ .len = 0 };
    if (fd == -1)
        return -1;
    const bool ok =
        connect(fd, &to->sa, to->len) == 0 ||
        ((errno == EINPROGRESS || errno == EAGAIN) && is_connected(fd, most_ms, end_ms));
    const int error = errno;
    if (!addr_local(fd, from))
        *from = (struct addr){ .len = 0 };
    if (ok)
        return fd;
    close(fd);
    errno = error;
    return -1;
}

int remote_dial_local(const char *path, uint64_t end_ms)
{
    struct addr addr, from;

    if (addr_unix(path, &addr))
        return dial(&addr, &from, REMOTE_CONNECT_MS, end_ms);
    errno = ENAMETOOLONG;
    return -1;
}

/* --- why it failed --------------------------------------------------------------------------- */

/* Without its port. */
static const char *host_text(const struct addr *addr, char text[ADDR_TEXT_MAX])
{
    struct addr host = *addr;

    if (addr_port(&host) != 0)
        addr_set_port(&host, 0);
    char *end = strrchr(addr_format(&host, text), ':');
    if (end != NULL)
        *end = '\0';
    return text;
}

static bool is_silence(const struct failure *f)
{
    return f->error == EAGAIN || f->error == ETIMEDOUT;
}

/* Who is not in the set gets no answer at all. */
static void put_reason(const struct failure *f, char out[REASON_MAX])
{
    char text[ADDR_TEXT_MAX];

    if (is_silence(f))
        snprintf(out, REASON_MAX,
                 "is the address of this machine (%s, unless it is translated on the way) in allow "
                 "of [management] there? Others get none. Or a packet filter, or a route, is in "
                 "the way",
                 host_text(&f->from, text));
    else
        snprintf(out, REASON_MAX, "%s%s", strerror(f->error),
                 f->error == ECONNREFUSED ? "; nobody listens there: is it a bind of [management]?"
                                          : "");
}

static void explain(const struct remote_url *url, const struct failure *failures, size_t count)
{
    char reason[REASON_MAX], text[ADDR_TEXT_MAX];

    put_reason(&failures[0], reason);
    if (count == 1) {
        fprintf(stderr,
                is_silence(&failures[0]) ? "no answer from %s: %s\n" : "cannot connect to %s: %s\n",
                url->authority, reason);
        return;
    }
    fprintf(stderr, "cannot connect to %s: none of its %zu addresses takes a connection\n",
            url->authority, count);
    for (size_t i = 0; i < count; i++) {
        put_reason(&failures[i], reason);
        fprintf(stderr, "  %s: %s%s\n", addr_format(&failures[i].to, text),
                is_silence(&failures[i]) ? "no answer: " : "", reason);
    }
}

/* --- all of them ----------------------------------------------------------------------------- */

/* One that is silent must not use up what the others need. */
static uint32_t share_ms(uint64_t end_ms, bool is_last)
{
    const uint64_t left = left_ms(end_ms), share = is_last ? left : left / 2;

    return share < REMOTE_CONNECT_MS ? (uint32_t)share : REMOTE_CONNECT_MS;
}

int remote_dial(const struct remote_url *url, uint64_t end_ms)
{
    struct addr addrs[ADDRESSES_MAX];
    struct failure failures[ADDRESSES_MAX];
    char why[512];
    const size_t count =
        addr_resolve_all(span_text(url->authority), addrs, ADDRESSES_MAX, why, sizeof(why));

    if (count == 0)
        fprintf(stderr, "%s\n", why);
    for (size_t i = 0; i < count; i++) {
        struct failure *f = &failures[i];
        const int fd = dial(&addrs[i], &f->from, share_ms(end_ms, i + 1 == count), end_ms);
        if (fd != -1)
            return fd;
        f->to = addrs[i];
        f->error = errno;
    }
    if (count > 0)
        explain(url, failures, count);
    return -1;
}
