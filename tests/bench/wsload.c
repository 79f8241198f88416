/*
 * wsload.c -- WebSocket clients for the benchmark.
 *
 *     wsload echo PORT CONNECTIONS SECONDS SIZE IN_FLIGHT [PER_SECOND]
 *         each connection has IN_FLIGHT messages of SIZE bytes under way, or all together send
 *         PER_SECOND. Prints "START" when all are open, then how many came back.
 *     wsload connect PORT CONNECTIONS SECONDS
 *         each connects, is upgraded, sends Close, reads to the end, and begins again. Prints
 *         "START", then how many have.
 *     wsload hold PORT CONNECTIONS
 *         each echoes 8 KB once and then only answers pings. Prints "START"; when its input ends,
 *         how many pings that were.
 *
 * One thread, one epoll. Messages are masked with zeros, so a message is the same bytes each time
 * and what comes back is counted, not read.
 */
#include "bench_net.h"

#include <time.h>

enum { EVENTS = 256, READ_BYTES = 256 * 1024, SOURCES = 32, HOLD_SIZE = 8192 };

struct conn {
    int fd;
    int is_open;
    size_t got; /* bytes of messages that came back */
    size_t sent, back;
};

static const char head[] = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n"
                           "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                           "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";
static const unsigned char close_frame[] = { 0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8 };

static char bytes[READ_BYTES];
static unsigned char *message;     /* as it is sent */
static size_t message_len, answer; /* bytes of it, and of what comes back */
static unsigned short port;
static int poll_fd, is_connect, in_flight;
static int is_holding; /* nothing comes any more but pings, until the input ends */
static size_t opened, count;
static unsigned source;

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void make_message(size_t size)
{
    size_t n = 2;

    message = calloc(1, size + 14);
    message[0] = 0x82;
    if (size < 126) {
        message[1] = (unsigned char)(0x80 | size);
    } else {
        const size_t wide = size < 65536 ? 2 : 8;
        message[1] = wide == 2 ? 0x80 | 126 : 0x80 | 127;
        for (size_t i = 0; i < wide; i++)
            message[n++] = (unsigned char)(size >> 8 * (wide - 1 - i));
    }
    message_len = n + 4 + size;
    answer = n + size;
}

/* From many addresses: one has ports for 28,000 connections a minute only. */
static void dial(struct conn *c)
{
    const struct sockaddr_in to = loopback(port);
    const int on = 1;
    struct sockaddr_in from = { .sin_family = AF_INET };

    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 256 + source++ % SOURCES);
    c->fd = must(socket(AF_INET, SOCK_STREAM, 0), "socket");
    setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
    must(bind(c->fd, (const struct sockaddr *)&from, sizeof(from)), "bind");
    must(connect(c->fd, (const struct sockaddr *)&to, sizeof(to)), "connect");
    no_delay(c->fd);
    c->is_open = 0;
    c->got = c->sent = c->back = 0;
    watch(poll_fd, c->fd, c);
    must(send_all(c->fd, head, sizeof(head) - 1), "send");
}

static void say(struct conn *c)
{
    c->sent++;
    must(send_all(c->fd, message, message_len), "send");
}

static void on_open(struct conn *c)
{
    c->is_open = 1;
    opened++;
    if (is_connect)
        must(send_all(c->fd, close_frame, sizeof(close_frame)), "send");
    for (int i = 0; i < in_flight; i++)
        say(c);
}

static void on_end(struct conn *c)
{
    if (!is_connect) {
        fprintf(stderr, "wsload: a connection has ended\n");
        exit(1);
    }
    close(c->fd);
    count++;
    dial(c);
}

static void on_bytes(struct conn *c, size_t n)
{
    c->got += n;
    for (; !is_connect && c->got >= answer; c->got -= answer) {
        c->back++;
        count++;
        if (in_flight > 0)
            say(c);
    }
}

/* Each is written at once, and comes whole: no mask, 8 bytes. */
static void answer_pings(struct conn *c, size_t n)
{
    unsigned char pong[14] = { 0x8a, 0x88 };

    for (size_t at = 0; at < n; at += 10) {
        if (n - at < 10 || memcmp(bytes + at, "\x89\x08", 2) != 0) {
            fprintf(stderr, "wsload: not a ping\n");
            exit(1);
        }
        memcpy(pong + 6, bytes + at + 2, 8);
        must(send_all(c->fd, pong, sizeof(pong)), "send");
        count++;
    }
}

static void on_readable(struct conn *c)
{
    const ssize_t n = recv(c->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

    if (n == -1 && errno == EAGAIN)
        return;
    if (n <= 0) {
        on_end(c);
        return;
    }
    if (c->is_open) {
        (is_holding ? answer_pings : on_bytes)(c, (size_t)n);
        return;
    }
    const char *end = memmem(bytes, (size_t)n, "\r\n\r\n", 4);
    if (end == NULL || memcmp(bytes, "HTTP/1.1 101 ", 13) != 0) {
        fprintf(stderr, "wsload: no 101: %.*s\n", (int)n, bytes);
        exit(1);
    }
    on_open(c);
    if (end + 4 < bytes + n)
        on_bytes(c, (size_t)(bytes + n - end - 4));
}

static void turn(int wait_ms)
{
    struct epoll_event events[EVENTS];
    const int n = epoll_wait(poll_fd, events, EVENTS, wait_ms);

    for (int i = 0; i < n; i++) {
        if (events[i].data.ptr != NULL)
            on_readable(events[i].data.ptr);
        else if (read(0, bytes, sizeof(bytes)) <= 0)
            is_holding = 0;
    }
}

static struct conn *open_all(size_t connections)
{
    struct conn *all = calloc(connections, sizeof(*all));

    for (size_t i = 0; i < connections; i++) {
        dial(&all[i]);
        while (!is_connect && i + 1 - opened > 64)
            turn(100);
    }
    while (!is_connect && opened < connections)
        turn(100);
    return all;
}

/* So many a second, by turns. */
static void run_at(struct conn *all, size_t connections, double seconds, double rate)
{
    const double begin = now();
    size_t sent = 0;

    for (double t = begin; t - begin < seconds; t = now()) {
        for (; (double)sent < (t - begin) * rate; sent++)
            say(&all[sent % connections]);
        turn(1);
    }
    const double end = now() + 1;
    while (count < sent && now() < end)
        turn(10);
}

static void start(void)
{
    count = 0;
    printf("START\n");
    fflush(stdout);
}

static int measure(struct conn *all, size_t connections, double seconds, double rate)
{
    start();
    if (rate > 0)
        run_at(all, connections, seconds, rate);
    else
        for (const double end = now() + seconds; now() < end;)
            turn(10);
    printf("%zu\n", count);
    return 0;
}

static int hold(struct conn *all, size_t connections)
{
    for (size_t i = 0; i < connections; i++)
        say(&all[i]);
    while (count < connections)
        turn(10);
    start();
    is_holding = 1;
    watch(poll_fd, 0, NULL);
    while (is_holding)
        turn(-1);
    printf("%zu\n", count);
    return 0;
}

int main(int argc, char **argv)
{
    const char *mode = argc > 3 ? argv[1] : "";
    const int is_echo = strcmp(mode, "echo") == 0 && argc >= 7;
    const int is_hold = strcmp(mode, "hold") == 0;

    is_connect = strcmp(mode, "connect") == 0 && argc == 5;
    if (!is_echo && !is_hold && !is_connect) {
        fprintf(stderr, "usage: wsload echo|connect|hold PORT CONNECTIONS ... (see wsload.c)\n");
        return 2;
    }
    const size_t connections = (size_t)atol(argv[3]);
    const double rate = is_echo && argc > 7 ? atof(argv[7]) : 0;
    port = (unsigned short)atoi(argv[2]);
    poll_fd = must(epoll_create1(0), "epoll_create1");
    make_message(is_echo ? (size_t)atol(argv[5]) : HOLD_SIZE);
    in_flight = is_echo && rate == 0 ? atoi(argv[6]) : 0;
    struct conn *all = open_all(connections);
    return is_hold ? hold(all, connections) : measure(all, connections, atof(argv[4]), rate);
}
