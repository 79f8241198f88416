/*
 * listener.c -- listening sockets, and accepting from them.
 *
 * What an acceptor waits for, from its flags and timer:
 *
 *   started, no pause    ev_io: the next connection
 *   exhausted            ev_timer: 100 ms, then ev_io again
 *   held                 nothing, until acceptor_resume()
 */
#include <errno.h>
#include <linux/filter.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "net/edge_filter.h"

#include "net/listener.h"

enum { ACCEPTS_A_TURN = 64 };
static const double pause_seconds = 0.1;

/* The sentence for a failed step, with the cure where there is one. */
static void explain(const struct addr *addr, const char *doing, int error, char *why,
                    size_t why_size)
{
    char text[ADDR_TEXT_MAX];
    addr_format(addr, text);

    if (error == EADDRINUSE)
        snprintf(why, why_size, "%s is in use by another process: stop it or choose another port",
                 text);
    else if (error == EACCES && addr->sa.sa_family != AF_UNIX)
        snprintf(why, why_size,
                 "%s needs CAP_NET_BIND_SERVICE: grant it or choose a port from 1024 up", text);
    else if (error == EADDRNOTAVAIL)
        snprintf(why, why_size,
                 "%s is not an address of this machine: choose one that `ip addr`"
                 " shows, or 0.0.0.0 or [::] for all",
                 text);
    else
        snprintf(why, why_size, "%s: cannot %s: %s", text, doing, strerror(error));
}

/* Whether somebody accepts on this Unix socket. */
static bool unix_answers(const struct addr *addr)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd == -1)
        return false;
    /* EAGAIN: its backlog is full, so it is there. */
    bool answers = connect(fd, &addr->sa, addr->len) == 0 || errno == EAGAIN;
    close(fd);
    return answers;
}

/* 0, or an errno. Only a socket is ever removed. */
static int clear_stale_unix(const struct addr *addr)
{
    struct stat st;

    if (lstat(addr->un.sun_path, &st) == -1)
        return errno == ENOENT ? 0 : errno;
    if (!S_ISSOCK(st.st_mode))
        return EEXIST;
    if (unix_answers(addr))
        return EADDRINUSE;
    return unlink(addr->un.sun_path) == 0 ? 0 : errno;
}

static bool set_on(int fd, int level, int option)
{
    int on = 1;
    return setsockopt(fd, level, option, &on, sizeof(on)) == 0;
}

/* Returns what could not be done, or NULL; errno is set then. SO_REUSEADDR:
 * what an earlier run left in TIME_WAIT must not keep the next one out; another
 * socket that listens still does. */
static const char *set_options(int fd, const struct addr *addr, bool reuseport)
{
    if (addr->sa.sa_family == AF_UNIX)
        return NULL;
    if (!set_on(fd, SOL_SOCKET, SO_REUSEADDR))
        return "set SO_REUSEADDR";
    if (reuseport && !set_on(fd, SOL_SOCKET, SO_REUSEPORT))
        return "set SO_REUSEPORT";
    if (addr->sa.sa_family == AF_INET6 && !set_on(fd, IPPROTO_IPV6, IPV6_V6ONLY))
        return "set IPV6_V6ONLY";
    if (!set_on(fd, IPPROTO_TCP, TCP_NODELAY))
        return "set TCP_NODELAY";
    return NULL;
}

/* A bound socket, or -1 with a sentence. */
static int open_bound(const struct addr *addr, bool reuseport, char *why, size_t why_size)
{
    const char *doing = "open a socket";
    int fd = socket(addr->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd == -1)
        goto failed;

    doing = set_options(fd, addr, reuseport);
    if (doing != NULL)
        goto failed;

    doing = "bind";
    if (bind(fd, &addr->sa, addr->len) == -1)
        goto failed;
    return fd;

failed:
    explain(addr, doing, errno, why, why_size);
    if (fd != -1)
        close(fd);
    return -1;
}

bool listener_probe(struct addr *addr, char *why, size_t why_size)
{
    if (addr->sa.sa_family == AF_UNIX) {
        if (!unix_answers(addr))
            return true;
        explain(addr, "bind", EADDRINUSE, why, why_size);
        return false;
    }

    int fd = open_bound(addr, false, why, why_size);
    if (fd == -1)
        return false;
    struct addr bound;
    if (addr_local(fd, &bound))
        addr_set_port(addr, addr_port(&bound));
    close(fd);
    return true;
}

int listener_open_behind(struct edge_filter *filter, const struct addr *addr, bool reuseport,
                         char *why, size_t why_size)
{
    int error = addr->sa.sa_family == AF_UNIX ? clear_stale_unix(addr) : 0;
    if (error != 0) {
        explain(addr, "replace what is there", error, why, why_size);
        return -1;
    }

    int fd = open_bound(addr, reuseport, why, why_size);
    if (fd != -1 && filter != NULL)
        edge_filter_attach(filter, fd);
    if (fd != -1 && listen(fd, SOMAXCONN) == -1) {
        explain(addr, "listen", errno, why, why_size);
        close(fd);
        fd = -1;
    }
    return fd;
}

int listener_open(const struct addr *addr, bool reuseport, char *why, size_t why_size)
{
    return listener_open_behind(NULL, addr, reuseport, why, why_size);
}

/* --- leaving ------------------------------------------------------------------ */

/* What the kernel hands to a filter of a TCP socket begins with the TCP header; its flags are in
 * byte 13. A SYN without ACK begins a connection: it is dropped. The ACK that ends a handshake
 * must not be: its sender takes itself for connected. */
static bool attach_filter(int fd)
{
    enum { FLAGS_AT = 13, SYN = 0x02, ACK = 0x10 };
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, FLAGS_AT),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, SYN | ACK),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYN, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
    };
    const struct sock_fprog program = { sizeof(code) / sizeof(code[0]), code };

    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) == 0;
}

/* The filter that keeps strangers out does this too, without asking for a capability. */
bool acceptor_leave(struct acceptor *a)
{
    a->is_leaving = true;
    return (a->filter != NULL && edge_filter_attach_leaving(a->filter, a->fd)) ||
           attach_filter(a->fd);
}

void acceptor_stay(struct acceptor *a)
{
    a->is_leaving = false;
    if (a->filter != NULL)
        edge_filter_attach(a->filter, a->fd);
    else
        edge_filter_shed(a->fd);
}

/* --- accepting ---------------------------------------------------------------- */

static void start_pause(struct acceptor *a, int error)
{
    if (!a->is_exhausted)
        log_warn("accept paused reason=\"%s\" (raise the limit, or max_connections is too high)",
                 strerror(error));
    a->is_exhausted = true;
    ev_io_stop(a->loop, &a->io);
    ev_timer_set(&a->pause, pause_seconds, 0);
    ev_timer_start(a->loop, &a->pause);
}

static bool is_shortage(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

/* After accept() failed: false when this turn is over. Else it was one connection's own
 * trouble: accept(2) hands on its network errors. */
static bool goes_on(struct acceptor *a, int error)
{
    if (error == EAGAIN)
        a->is_exhausted = false;
    else if (is_shortage(error))
        start_pause(a, error);
    else
        return true;
    return false;
}

static void hand_on(struct acceptor *a, int fd, const struct addr *peer)
{
    if (a->filter != NULL || a->is_leaving)
        edge_filter_shed(fd); /* it has inherited ours */
    a->on_accept(a, fd, peer);
}

static void on_readable(struct ev_loop *loop, ev_io *io, int revents)
{
    struct acceptor *a = io->data;
    (void)loop;
    (void)revents;

    /* The callback may hold or stop us. */
    for (int i = 0; i < ACCEPTS_A_TURN && ev_is_active(&a->io); i++) {
        struct addr peer = { .len = 0 };
        socklen_t len = sizeof(peer.un);
        int fd = accept4(a->fd, &peer.sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd == -1) {
            if (!goes_on(a, errno))
                return;
            continue;
        }
        peer.len = len;
        hand_on(a, fd, &peer);
    }
}

void acceptor_empty(struct acceptor *a)
{
    struct addr peer = { .len = 0 };
    int fd;

    for (;;) {
        peer.len = sizeof(peer.un);
        fd = accept4(a->fd, &peer.sa, &peer.len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd != -1)
            hand_on(a, fd, &peer);
        else if (errno == EAGAIN || is_shortage(errno))
            return;
    }
}

static void on_pause_over(struct ev_loop *loop, ev_timer *timer, int revents)
{
    struct acceptor *a = timer->data;
    (void)revents;
    ev_io_start(loop, &a->io);
}

void acceptor_start(struct acceptor *a, struct ev_loop *loop, int fd, acceptor_fn *on_accept,
                    void *user)
{
    a->loop = loop;
    a->fd = fd;
    a->on_accept = on_accept;
    a->user = user;
    a->filter = NULL;
    a->is_exhausted = false;
    a->is_leaving = false;
    a->is_started = true;
    ev_io_init(&a->io, on_readable, fd, EV_READ);
    a->io.data = a;
    ev_timer_init(&a->pause, on_pause_over, pause_seconds, 0);
    a->pause.data = a;
    ev_io_start(loop, &a->io);
}

void acceptor_stop(struct acceptor *a)
{
    if (!a->is_started)
        return;
    acceptor_hold(a);
    a->is_started = false;
}

void acceptor_hold(struct acceptor *a)
{
    if (!a->is_started)
        return;
    ev_io_stop(a->loop, &a->io);
    ev_timer_stop(a->loop, &a->pause);
}

void acceptor_resume(struct acceptor *a)
{
    if (a->is_started && !ev_is_active(&a->pause))
        ev_io_start(a->loop, &a->io);
}
