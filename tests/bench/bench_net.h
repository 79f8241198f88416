/* bench_net.h -- what the benchmark's small programs have in common. Failures end the program. */
#ifndef BENCH_NET_H
#define BENCH_NET_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static inline int must(int result, const char *what)
{
    if (result == -1) {
        perror(what);
        exit(1);
    }
    return result;
}

static inline struct sockaddr_in loopback(unsigned short port)
{
    return (struct sockaddr_in){ .sin_family = AF_INET,
                                 .sin_port = htons(port),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static inline void no_delay(int fd)
{
    const int on = 1;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

static inline void watch(int poll, int fd, void *about)
{
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = about };

    must(epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event), "epoll_ctl");
}

/* At all of 127.0.0.0/8: each address may be another target. */
static inline int listen_on(unsigned short port)
{
    struct sockaddr_in at = loopback(port);
    const int on = 1;

    at.sin_addr.s_addr = htonl(INADDR_ANY);
    const int fd = must(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), "socket");

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    must(bind(fd, (const struct sockaddr *)&at, sizeof(at)), "bind");
    must(listen(fd, 4096), "listen");
    return fd;
}

/* All of it: the other end is ours, and reads. */
static inline int send_all(int fd, const void *bytes, size_t len)
{
    const char *at = bytes;

    while (len > 0) {
        const ssize_t n = send(fd, at, len, MSG_NOSIGNAL);
        if (n == -1 && errno != EAGAIN && errno != EINTR)
            return -1;
        at += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return 0;
}

#endif
