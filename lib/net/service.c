/* service.c -- limits, signals, and telling others that we are ready. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "net/service.h"

static const int handled[] = { SIGHUP, SIGUSR1, SIGTERM, SIGINT };

static void handled_set(sigset_t *set)
{
    sigemptyset(set);
    for (size_t i = 0; i < sizeof(handled) / sizeof(handled[0]); i++)
        sigaddset(set, handled[i]);
}

uint32_t service_raise_nofile(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == -1)
        return 1024;
    rlim_t before = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) == -1)
        limit.rlim_cur = before;
    return limit.rlim_cur > UINT32_MAX ? UINT32_MAX : (uint32_t)limit.rlim_cur;
}

int service_cores(void)
{
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof(set), &set) == 0)
        return CPU_COUNT(&set);
    long n = sysconf(_SC_NPROCESSORS_ONLN); /* more cores than a cpu_set_t has */
    return n < 1 ? 1 : (int)n;
}

void service_block_signals(void)
{
    sigset_t set;

    signal(SIGPIPE, SIG_IGN);
    handled_set(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

/* Of a negative si_code, but for SI_TKILL, the kernel has checked nothing. */
static struct service_signal signal_of(const struct signalfd_siginfo *info)
{
    const bool has_sender = info->ssi_code == SI_USER || info->ssi_code == SI_TKILL;

    return (struct service_signal){ .number = (int)info->ssi_signo,
                                    .has_sender = has_sender,
                                    .pid = has_sender ? (int32_t)info->ssi_pid : 0,
                                    .uid = has_sender ? info->ssi_uid : 0 };
}

static void on_signal_ready(struct ev_loop *loop, ev_io *io, int revents)
{
    struct service_signals *s = io->data;
    struct signalfd_siginfo info;
    (void)loop;
    (void)revents;

    /* The callback may stop us. */
    while (s->fd != -1 && read(s->fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        const struct service_signal signal = signal_of(&info);
        s->on_signal(s->user, &signal);
    }
}

bool service_signals_start(struct service_signals *s, struct ev_loop *loop,
                           service_signal_fn *on_signal, void *user)
{
    sigset_t set;

    handled_set(&set);
    s->on_signal = on_signal;
    s->user = user;
    s->fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    ev_io_init(&s->io, on_signal_ready, s->fd, EV_READ);
    s->io.data = s;
    if (s->fd == -1)
        return false;
    ev_io_start(loop, &s->io);
    return true;
}

void service_signals_stop(struct service_signals *s, struct ev_loop *loop)
{
    if (s->fd == -1)
        return;
    ev_io_stop(loop, &s->io);
    close(s->fd);
    s->fd = -1;
}

void service_notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = { .sun_family = AF_UNIX };

    if (path == NULL || (path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof(to.sun_path))
        return;
    size_t len = strlen(path);
    memcpy(to.sun_path, path, len);
    if (path[0] == '@') /* the abstract namespace */
        to.sun_path[0] = '\0';

    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd == -1)
        return;
    socklen_t to_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    /* A supervisor that does not listen is no trouble of ours. */
    (void)sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&to, to_len);
    close(fd);
}

/* Readable by all, as a file made by fopen() would be. */
static bool write_whole(int fd, const char *text)
{
    size_t len = strlen(text);
    ssize_t n = write(fd, text, len);
    if (n >= 0 && (size_t)n < len)
        errno = ENOSPC;
    return n == (ssize_t)len && fchmod(fd, 0644) == 0;
}

bool service_write_ready_file(const char *path, const char *json, char *why, size_t why_size)
{
    char beside[4096];

    if ((size_t)snprintf(beside, sizeof(beside), "%s.XXXXXX", path) >= sizeof(beside)) {
        snprintf(why, why_size, "%s: the path is too long", path);
        return false;
    }
    int fd = mkostemp(beside, O_CLOEXEC);
    bool is_made = fd != -1;
    bool is_done = is_made && write_whole(fd, json) && rename(beside, path) == 0;
    if (!is_done)
        snprintf(why, why_size, "cannot write %s: %s", path, strerror(errno));
    if (is_made)
        close(fd);
    if (is_made && !is_done)
        unlink(beside);
    return is_done;
}
