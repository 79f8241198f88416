/*
 * backend.c -- the server behind the balancers that are measured: the least that
 * one can be, so that what is measured is not it.
 *
 *     backend PORT
 *
 * Answers every request head with the same few bytes and keeps the connection;
 * one thread, one epoll. It trusts its clients: they are ours.
 */

#include <stdint.h>

#include "bench_net.h"

enum { EVENTS = 256, READ_BYTES = 65536 };

static const char answer[] =
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok";
static const char head_end[] = "\r\n\r\n";

static void take_all(int poll, int listener)
{
    int fd;

    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) != -1) {
        no_delay(fd);
        watch(poll, fd, (void *)(intptr_t)fd);
    }
}

/* Heads come whole: a balancer writes each with one call. */
static void serve(int fd)
{
    static char bytes[READ_BYTES];
    const ssize_t n = recv(fd, bytes, sizeof(bytes), 0);

    if (n == -1 && errno == EAGAIN)
        return;
    if (n <= 0) {
        close(fd);
        return;
    }
    for (const char *at = bytes, *end = bytes + n;
         (at = memmem(at, (size_t)(end - at), head_end, sizeof(head_end) - 1)) != NULL;
         at += sizeof(head_end) - 1) {
        if (send(fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL) == -1)
            break;
    }
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: backend PORT\n");
        return 2;
    }
    const int listener = listen_on((unsigned short)atoi(argv[1]));
    const int poll = must(epoll_create1(0), "epoll_create1");
    struct epoll_event events[EVENTS];

    watch(poll, listener, (void *)(intptr_t)listener);
    for (;;) {
        const int n = epoll_wait(poll, events, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            const int fd = (int)(intptr_t)events[i].data.ptr;
            if (fd == listener)
                take_all(poll, listener);
            else
                serve(fd);
        }
    }
}
