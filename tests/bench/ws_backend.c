/*
 * ws_backend.c -- the WebSocket server behind the balancers that are measured: it accepts
 * every upgrade, echoes every frame, and answers a Ping and a Close.
 *
 *     ws_backend PORT
 *
 * One thread, one epoll; a connection owns memory only while a frame of its own is on its way.
 * It trusts its clients: they are ours, and mask with zeros. A balancer's pings are masked
 * otherwise.
 */
#include "bench_net.h"

#include "ws/handshake.h"

enum { EVENTS = 256, READ_BYTES = 256 * 1024, OP_CLOSE = 8, OP_PING = 9 };

struct conn {
    int fd;
    char *kept; /* of a frame that is not whole */
    size_t have;
    int is_open;
};

static char bytes[READ_BYTES];

static void take_all(int poll, int listener)
{
    int fd;

    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) != -1) {
        struct conn *c = calloc(1, sizeof(*c));
        c->fd = fd;
        no_delay(fd);
        watch(poll, fd, c);
    }
}

static void end(struct conn *c)
{
    close(c->fd);
    free(c->kept);
    free(c);
}

/* The head is whole: a balancer writes it with one call. */
static int upgrade(struct conn *c, char *head, size_t len)
{
    static const char name[] = "\r\nSec-WebSocket-Key: ";

    head[len] = '\0';
    const char *key = strcasestr(head, name); /* HAProxy writes names in lower case */
    char accept[WS_ACCEPT_SIZE], answer[256];

    if (key == NULL)
        return -1;
    key += sizeof(name) - 1;
    ws_accept_value(span_of(key, 24), accept);
    const int n = snprintf(answer, sizeof(answer),
                           "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                           "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
                           accept);
    c->is_open = 1;
    return send_all(c->fd, answer, (size_t)n);
}

/* Bytes of the whole frame at `at`; 0: not all of its header is there. */
static size_t frame_len(const unsigned char *at, size_t len, size_t *header)
{
    const size_t short_len = len < 2 ? 0 : at[1] & 127;
    size_t payload = short_len;

    *header = short_len == 127 ? 14 : short_len == 126 ? 8 : 6;
    if (len < *header)
        return 0;
    if (short_len >= 126) {
        payload = 0;
        for (size_t i = 2; i < *header - 4; i++)
            payload = payload << 8 | at[i];
    }
    return *header + payload;
}

static void make_pong(unsigned char *frame)
{
    frame[0] ^= OP_PING ^ (OP_PING + 1);
    for (int i = 0; i < (frame[1] & 127); i++)
        frame[6 + i] ^= frame[2 + i % 4];
}

/* The same frame without its mask, which is zeros. -1: it was a Close. */
static int echo(struct conn *c, unsigned char *frame, size_t header, size_t len)
{
    unsigned char *out = frame + 4;

    if ((frame[0] & 15) == OP_PING)
        make_pong(frame);
    memmove(out, frame, header - 4);
    out[1] &= 127;
    if (send_all(c->fd, out, len - 4) == -1)
        return -1;
    return (out[0] & 15) == OP_CLOSE ? -1 : 0;
}

static void keep(struct conn *c, const char *at, size_t len)
{
    char *kept = len == 0 ? NULL : malloc(len);

    if (len > 0)
        memcpy(kept, at, len);
    free(c->kept);
    c->kept = kept;
    c->have = len;
}

static int take_frames(struct conn *c, char *at, size_t len)
{
    size_t header, n;

    while ((n = frame_len((unsigned char *)at, len, &header)) != 0 && n <= len) {
        if (echo(c, (unsigned char *)at, header, n) == -1)
            return -1;
        at += n;
        len -= n;
    }
    keep(c, at, len);
    return 0;
}

static void serve(struct conn *c)
{
    if (c->have > 0)
        memcpy(bytes, c->kept, c->have);
    const ssize_t n = recv(c->fd, bytes + c->have, sizeof(bytes) - 1 - c->have, 0);

    if (n == -1 && errno == EAGAIN)
        return;
    if (n <= 0) {
        end(c);
        return;
    }
    const size_t len = c->have + (size_t)n;
    if ((c->is_open ? take_frames(c, bytes, len) : upgrade(c, bytes, len)) == -1)
        end(c);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: ws_backend PORT\n");
        return 2;
    }
    const int listener = listen_on((unsigned short)atoi(argv[1]));
    const int poll = must(epoll_create1(0), "epoll_create1");
    struct epoll_event events[EVENTS];

    watch(poll, listener, NULL);
    for (;;) {
        const int n = epoll_wait(poll, events, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr == NULL)
                take_all(poll, listener);
            else
                serve(events[i].data.ptr);
        }
    }
}
