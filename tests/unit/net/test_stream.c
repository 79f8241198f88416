/* Streams, plain and TLS: every byte once and in order, however small the socket is. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <ev.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>

#include "net/addr.h"
#include "net/stream.h"

#include "make_cert.h"
#include "tls_peer.h"

enum { PIECE_MAX = 40000 };

static struct tls_server *server;
static uint32_t seed = 1; /* the same run every time */

static size_t some(size_t n)
{
    seed = seed * 1664525 + 1013904223;
    return (seed >> 8) % n;
}

/* What a test gets: NULL is plain, else the TLS 1.x. */
static bool speaks_tls(const char *minor)
{
    tls_peer_speak(minor);
    return minor != NULL;
}

/* A stream and who is at the other end; `tls` is the peer's, if it is TLS. */
struct pair {
    struct stream s;
    int fd;
    struct tls_peer tls;
    bool is_tls;
    uint64_t sent, seen;           /* by the stream */
    uint64_t peer_sent, peer_seen; /* by the peer */
    size_t peer_offered;           /* mbedTLS wants the same call again */
};

/* Byte number n of any stream of bytes. */
static char byte_at(uint64_t n)
{
    return (char)((n * UINT64_C(0x9e3779b97f4a7c15)) >> 56);
}

static char *bytes_from(uint64_t n, size_t len)
{
    static char bytes[PIECE_MAX];
    for (size_t i = 0; i < len; i++)
        bytes[i] = byte_at(n + i);
    return bytes;
}

static void check_bytes(const char *bytes, size_t len, uint64_t from)
{
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] != byte_at(from + i))
            fail_msg("byte %lu is wrong", from + i);
    }
}

/* The least buffers that the kernel gives; what is written is there at once. */
static void connect_local(int *ours, int *theirs)
{
    int fds[2], tiny = 1;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    for (int i = 0; i < 2; i++)
        setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &tiny, sizeof(tiny));
    *ours = fds[0];
    *theirs = fds[1];
}

static void connect_tcp(int *ours, int *theirs)
{
    struct addr addr = { .len = sizeof(addr.in), .in = { .sin_family = AF_INET } };
    int listener = socket(AF_INET, SOCK_STREAM, 0);

    addr.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(listener, &addr.sa, addr.len), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_true(addr_local(listener, &addr));
    *theirs = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    connect(*theirs, &addr.sa, addr.len);
    *ours = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    assert_true(*ours != -1);
    close(listener);
}

typedef void connect_fn(int *ours, int *theirs);

static void open_over(struct pair *p, bool is_tls, connect_fn *make)
{
    int fd;

    memset(p, 0, sizeof(*p));
    p->is_tls = is_tls;
    make(&fd, &p->fd);
    if (!is_tls) {
        stream_init(&p->s, fd, NULL);
        return;
    }
    struct tls_session *session = tls_session_new(server, fd);
    tls_peer_init(&p->tls, p->fd, NULL);
    assert_int_equal(tls_peer_meet(&p->tls, session), TLS_DONE);
    stream_init(&p->s, fd, session);
}

static void open_pair(struct pair *p, bool is_tls)
{
    open_over(p, is_tls, connect_local);
}

static void close_pair(struct pair *p)
{
    stream_close(&p->s);
    assert_int_equal(p->s.fd, -1);
    assert_null(p->s.tls);
    if (p->is_tls)
        tls_peer_done(&p->tls);
    if (p->fd != -1)
        close(p->fd);
}

/* --- what the peer does; -1 is "blocked", 0 the end ------------------------ */

static ssize_t peer_read(struct pair *p, size_t size)
{
    char bytes[PIECE_MAX];
    ssize_t n;
    if (p->is_tls)
        n = mbedtls_ssl_read(&p->tls.ssl, (unsigned char *)bytes, size);
    else
        n = recv(p->fd, bytes, size, 0);
    if (n == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY)
        return 0;
    if (n < 0 && (p->is_tls ? !tls_peer_is_blocked((int)n) : errno != EAGAIN))
        fail_msg("the peer cannot read: %ld", n);
    if (n < 0)
        return -1;
    check_bytes(bytes, (size_t)n, p->peer_seen);
    p->peer_seen += (size_t)n;
    return n;
}

static ssize_t peer_write(struct pair *p, size_t size)
{
    ssize_t n;
    if (p->peer_offered > 0)
        size = p->peer_offered;
    const char *bytes = bytes_from(p->peer_sent, size);
    if (p->is_tls)
        n = mbedtls_ssl_write(&p->tls.ssl, (const unsigned char *)bytes, size);
    else
        n = send(p->fd, bytes, size, MSG_NOSIGNAL);
    p->peer_offered = n < 0 ? size : 0;
    if (n > 0)
        p->peer_sent += (size_t)n;
    return n < 0 ? -1 : n;
}

/* --- what the stream does ------------------------------------------------- */

static enum stream_io read_some(struct pair *p, size_t size)
{
    char bytes[PIECE_MAX];
    size_t moved;
    enum stream_io outcome = stream_read(&p->s, bytes, size, &moved);
    assert_true(outcome == STREAM_MOVED ? moved > 0 && moved <= size : moved == 0);
    check_bytes(bytes, moved, p->seen);
    p->seen += moved;
    return outcome;
}

static enum stream_io write_some(struct pair *p, size_t size)
{
    size_t moved;
    enum stream_io outcome = stream_write(&p->s, span_of(bytes_from(p->sent, size), size), &moved);
    assert_true(outcome == STREAM_MOVED ? moved > 0 && moved <= size : moved == 0);
    p->sent += moved;
    return outcome;
}

static enum stream_io write_pieces(struct pair *p, size_t size, int count)
{
    struct iovec pieces[8];
    char *bytes = bytes_from(p->sent, size);
    size_t moved, at = 0;

    for (int i = 0; i < count; i++) {
        size_t len = i == count - 1 ? size - at : some(size - at + 1);
        pieces[i] = (struct iovec){ .iov_base = bytes + at, .iov_len = len };
        at += len;
    }
    enum stream_io outcome = stream_writev(&p->s, pieces, count, &moved);
    assert_true(outcome == STREAM_MOVED ? moved > 0 && moved <= size : moved == 0);
    p->sent += moved;
    return outcome;
}

static void check_usable(struct pair *p, enum stream_io outcome)
{
    assert_true(outcome == STREAM_MOVED || outcome == STREAM_BLOCKED);
    assert_true(p->is_tls || (stream_wants(&p->s) == 0 && stream_pending(&p->s) == 0));
}

static void do_something(struct pair *p)
{
    size_t size = 1 + some(some(2) == 0 ? 100 : PIECE_MAX - 1);
    switch (some(6)) {
    case 0:
        check_usable(p, write_some(p, size));
        break;
    case 1:
        check_usable(p, write_pieces(p, size, 1 + (int)some(8)));
        break;
    case 2:
        check_usable(p, stream_flush(&p->s));
        break;
    case 3:
        check_usable(p, read_some(p, size));
        break;
    case 4:
        peer_read(p, size);
        break;
    case 5:
        peer_write(p, size);
        break;
    }
}

/* Until all has arrived on both sides; then there is no byte more. */
static void settle(struct pair *p)
{
    for (int i = 0; i < 100000; i++) {
        if (p->peer_offered > 0)
            peer_write(p, 0);
        bool moved = peer_read(p, PIECE_MAX) > 0;
        moved |= read_some(p, PIECE_MAX) == STREAM_MOVED;
        enum stream_io outcome = stream_flush(&p->s);
        check_usable(p, outcome);
        if (outcome == STREAM_MOVED && p->seen == p->peer_sent && p->peer_seen == p->sent)
            break;
        if (!moved)
            usleep(100); /* the kernel delivers in its own time */
    }
    assert_int_equal(p->seen, p->peer_sent);
    assert_int_equal(p->peer_seen, p->sent);
    assert_int_equal(stream_wants(&p->s), 0);
    assert_true(peer_read(p, 1) <= 0);
    assert_true(read_some(p, 1) != STREAM_MOVED);
}

static void test_random_both_ways(void **state)
{
    struct pair p;
    open_pair(&p, speaks_tls(*state));
    for (int i = 0; i < 3000; i++)
        do_something(&p);
    settle(&p);
    assert_true(p.sent > 100000 && p.seen > 100000);
    close_pair(&p);
}

static void fill(struct pair *p)
{
    for (int i = 0; i < 10000; i++) {
        if (write_some(p, PIECE_MAX) == STREAM_BLOCKED)
            return;
    }
    fail_msg("a socket without end");
}

static void test_stalled_peer(void **state)
{
    struct pair p;
    open_pair(&p, speaks_tls(*state));
    fill(&p);
    if (p.is_tls) {
        assert_int_equal(stream_wants(&p.s), EV_WRITE);
        assert_int_equal(stream_flush(&p.s), STREAM_BLOCKED);
    }
    assert_int_equal(write_some(&p, 1), STREAM_BLOCKED);
    settle(&p);
    assert_int_equal(write_some(&p, 1), STREAM_MOVED);
    settle(&p);
    close_pair(&p);
}

/* FIN waits for what is inside; the other direction stays open. */
static void test_finish_behind_a_stalled_peer(void **state)
{
    struct pair p;
    ssize_t n;

    open_pair(&p, speaks_tls(*state));
    fill(&p);
    stream_finish(&p.s);
    for (int i = 0; i < 100000 && (n = peer_read(&p, PIECE_MAX)) != 0; i++) {
        if (n == -1)
            usleep(100);
        assert_int_not_equal(stream_flush(&p.s), STREAM_FAILED);
    }
    assert_int_equal(n, 0);
    assert_int_equal(p.peer_seen, p.sent);
    assert_int_equal(stream_wants(&p.s), 0);
    assert_true(peer_write(&p, 1000) == 1000);
    settle(&p);
    assert_int_equal(p.seen, 1000);
    size_t moved;
    assert_int_equal(stream_write(&p.s, SPAN("x"), &moved), STREAM_FAILED);
    close_pair(&p);
}

/* The peer ends first: with close_notify, or with FIN alone. */
static void check_half_close(bool is_tls, bool notify, connect_fn *make)
{
    struct pair p;
    open_over(&p, is_tls, make);
    assert_true(peer_write(&p, 1000) == 1000);
    if (notify)
        assert_int_equal(mbedtls_ssl_close_notify(&p.tls.ssl), 0);
    shutdown(p.fd, SHUT_WR);
    while (read_some(&p, 77) != STREAM_EOF)
        ;
    assert_int_equal(p.seen, 1000);
    assert_int_equal(read_some(&p, 77), STREAM_EOF);
    assert_int_equal(write_some(&p, 1000), STREAM_MOVED);
    for (int i = 0; i < 1000 && p.peer_seen < 1000; i++) {
        if (peer_read(&p, PIECE_MAX) == -1)
            usleep(100);
    }
    assert_int_equal(p.peer_seen, 1000);
    close_pair(&p);
}

static void test_peer_ends_first(void **state)
{
    check_half_close(speaks_tls(*state), false, connect_local);
    check_half_close(speaks_tls(*state), false, connect_tcp);
    if (speaks_tls(*state))
        check_half_close(true, true, connect_tcp);
}

static void test_close_is_clean(void **state)
{
    struct pair p;
    open_pair(&p, speaks_tls(*state));
    assert_int_equal(write_some(&p, 1000), STREAM_MOVED);
    stream_close(&p.s);
    for (int i = 0; i < 1000 && p.peer_seen < 1000; i++) {
        if (peer_read(&p, PIECE_MAX) == -1)
            usleep(100);
    }
    if (p.is_tls) { /* the end is said, not guessed */
        int rc = mbedtls_ssl_read(&p.tls.ssl, (unsigned char[1]){ 0 }, 1);
        assert_int_equal(rc, MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY);
    }
    close_pair(&p);
}

/* Segments that the peer has got; struct tcp_info of libc ends before them. */
static uint32_t packets_in(const struct pair *p)
{
    enum { SEGS_IN = 35 };
    uint32_t info[64] = { 0 };
    socklen_t len = sizeof(info);
    assert_int_equal(getsockopt(p->fd, IPPROTO_TCP, TCP_INFO, info, &len), 0);
    assert_true(len > SEGS_IN * sizeof(info[0]));
    return info[SEGS_IN];
}

static void read_to_end(struct pair *p)
{
    ssize_t n = -1;
    for (int i = 0; i < 100000 && n != 0; i++) {
        n = peer_read(p, PIECE_MAX);
        if (n == -1)
            usleep(100);
    }
    assert_int_equal(n, 0);
    assert_int_equal(p->peer_seen, p->sent);
}

/* The same over a socket that has no such thing as packets, and with TLS. */
static void test_last_bytes_and_end(void **state)
{
    connect_fn *over[] = { connect_tcp, connect_local };
    const bool is_tls = speaks_tls(*state);
    for (size_t i = 0; i < 2; i++) {
        struct pair p;
        size_t moved;
        open_over(&p, is_tls, over[i]);
        /* With another, the kernel may send later, and join what comes meanwhile by itself. */
        setsockopt(p.s.fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4);
        const uint32_t before = over[i] == connect_tcp ? packets_in(&p) : 0;
        assert_int_equal(stream_write_last(&p.s, span_of(bytes_from(0, 100), 100), &moved),
                         STREAM_MOVED);
        assert_int_equal(moved, 100);
        p.sent += moved;
        stream_finish(&p.s);
        read_to_end(&p);
        if (over[i] == connect_tcp && !is_tls)
            assert_int_equal(packets_in(&p), before + 1);
        close_pair(&p);
    }
}

static void test_is_at_end(void **state)
{
    struct pair p;
    const bool is_tls = speaks_tls(*state);
    open_over(&p, is_tls, connect_tcp);
    assert_false(stream_is_at_end(&p.s));
    assert_int_equal(peer_write(&p, 10), 10);
    shutdown(p.fd, SHUT_WR);
    assert_false(stream_is_at_end(&p.s)); /* there is something to read */
    while (p.seen < 10)
        read_some(&p, 10 - p.seen);
    for (int i = 0; i < 100000 && !is_tls && !stream_is_at_end(&p.s); i++)
        usleep(100);
    assert_int_equal(stream_is_at_end(&p.s), !is_tls);
    assert_int_equal(read_some(&p, 10), STREAM_EOF);
    close_pair(&p);
}

static void reset_by_peer(struct pair *p)
{
    const struct linger at_once = { .l_onoff = 1 };
    setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    close(p->fd);
    p->fd = -1;
}

static void test_peer_resets(void **state)
{
    struct pair p;
    open_over(&p, speaks_tls(*state), connect_tcp);
    reset_by_peer(&p);
    assert_int_equal(read_some(&p, 10), STREAM_FAILED);
    assert_true(stream_was_reset(&p.s));
    assert_string_equal(stream_error(&p.s), "Connection reset by peer");
    assert_int_equal(write_some(&p, 10), STREAM_FAILED);
    assert_true(stream_was_reset(&p.s));
    close_pair(&p);
}

/* A write is what notices it; there is no SIGPIPE, or this test would end here. */
static void test_write_after_reset(void **state)
{
    struct pair p;
    open_over(&p, speaks_tls(*state), connect_tcp);
    reset_by_peer(&p);
    for (int i = 0; i < 3; i++)
        assert_int_equal(write_some(&p, 10), STREAM_FAILED);
    assert_true(stream_was_reset(&p.s));
    assert_int_equal(stream_wants(&p.s), 0);
    close_pair(&p);
}

/* What becomes of an answer to a peer that has sent FIN. */
static enum stream_fate fate_of_answer(struct pair *p)
{
    enum stream_fate fate = STREAM_UNKNOWN;

    write_some(p,
               10); /* may fail already: 1.3 has sent tickets, and to close over them is a reset */
    stream_finish(&p->s);
    for (int i = 0; i < 1000 && fate == STREAM_UNKNOWN; i++) {
        fate = stream_fate(&p->s);
        usleep(1000);
    }
    return fate;
}

static void test_fate_of_an_answer(void **state)
{
    struct pair p;

    open_over(&p, speaks_tls(*state), connect_tcp);
    shutdown(p.fd, SHUT_WR);
    assert_int_equal(fate_of_answer(&p), STREAM_TAKEN);
    assert_int_equal(stream_fate(&p.s), STREAM_TAKEN);
    close_pair(&p);

    open_over(&p, speaks_tls(*state), connect_tcp);
    close(p.fd);
    p.fd = -1;
    assert_int_equal(fate_of_answer(&p), STREAM_REFUSED);
    assert_int_equal(stream_fate(&p.s), STREAM_REFUSED);
    close_pair(&p);
}

/* Bytes on their way wait for an ACK; those that find the window closed are held up. */
static void test_waits_and_is_held_up(void **state)
{
    struct pair p;
    open_over(&p, speaks_tls(*state), connect_tcp);
    setsockopt(p.s.fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int)); /* as alb has it */
    assert_int_equal(write_some(&p, 10), STREAM_MOVED);
    assert_false(stream_is_held_up(&p.s));
    while (write_some(&p, PIECE_MAX) == STREAM_MOVED)
        continue;
    assert_true(stream_waits(&p.s));
    assert_true(stream_is_held_up(&p.s));
    for (int i = 0; i < 100000 && stream_waits(&p.s); i++) {
        stream_flush(&p.s);
        if (peer_read(&p, PIECE_MAX) == -1)
            usleep(100);
    }
    assert_false(stream_waits(&p.s));
    assert_false(stream_is_held_up(&p.s));
    close_pair(&p);
}

static void test_reset_is_seen_by_peer(void **state)
{
    struct pair p;
    char byte;
    open_over(&p, speaks_tls(*state), connect_tcp);
    stream_reset(&p.s);
    ssize_t n;
    do
        n = recv(p.fd, &byte, 1, 0);
    while (n > 0); /* a ticket had come before */
    assert_int_equal(n, -1);
    assert_int_equal(errno, ECONNRESET);
    close_pair(&p);
}

static void test_nothing_to_do(void **state)
{
    struct pair p;
    size_t moved = 7;
    open_pair(&p, speaks_tls(*state));
    assert_int_equal(stream_write(&p.s, SPAN(""), &moved), STREAM_MOVED);
    assert_int_equal(moved, 0);
    assert_int_equal(stream_writev(&p.s, &(struct iovec){ "", 0 }, 1, &moved), STREAM_MOVED);
    assert_int_equal(moved, 0);
    assert_int_equal(read_some(&p, 10), STREAM_BLOCKED);
    assert_int_equal(stream_flush(&p.s), STREAM_MOVED);
    assert_int_equal(stream_wants(&p.s), 0);
    close_pair(&p);
}

static void test_tls_pending(void **state)
{
    struct pair p;
    tls_peer_speak(*state);
    open_pair(&p, true);
    assert_true(peer_write(&p, 1000) == 1000);
    while (read_some(&p, 10) == STREAM_BLOCKED)
        usleep(100);
    assert_int_equal(stream_pending(&p.s), 990);
    assert_int_equal(read_some(&p, 990), STREAM_MOVED);
    assert_int_equal(stream_pending(&p.s), 0);
    close_pair(&p);
}

/* Small pieces leave as one record, so the peer reads them at once. */
static void test_tls_pieces_share_a_record(void **state)
{
    struct pair p;
    tls_peer_speak(*state);
    open_pair(&p, true);
    assert_int_equal(write_pieces(&p, 800, 8), STREAM_MOVED);
    ssize_t n;
    while ((n = peer_read(&p, PIECE_MAX)) == -1)
        usleep(100);
    assert_int_equal(n, 800);
    close_pair(&p);
}

/* A record with nothing in it is no end of the stream. */
static void test_tls_empty_records(void **state)
{
    struct pair p;
    tls_peer_speak(*state);
    open_pair(&p, true);
    for (int i = 0; i < 3; i++)
        assert_int_equal(mbedtls_ssl_write(&p.tls.ssl, (const unsigned char *)"", 0), 0);
    assert_true(peer_write(&p, 10) == 10);
    for (int i = 0; i < 1000 && p.seen < 10; i++) {
        if (read_some(&p, 10) == STREAM_BLOCKED)
            usleep(100);
    }
    assert_int_equal(p.seen, 10);
    close_pair(&p);
}

static void test_tls_damaged_record(void **state)
{
    struct pair p;
    tls_peer_speak(*state);
    static const char record[] = "\x17\x03\x03\x00\x20"
                                 "0123456789abcdef0123456789abcdef";
    open_pair(&p, true);
    assert_int_equal(send(p.fd, record, sizeof(record) - 1, 0), sizeof(record) - 1);
    assert_int_equal(read_some(&p, 10), STREAM_FAILED);
    assert_false(stream_was_reset(&p.s));
    assert_true(strlen(stream_error(&p.s)) > 5);
    assert_int_equal(write_some(&p, 10), STREAM_FAILED);
    assert_int_equal(stream_flush(&p.s), STREAM_FAILED);
    close_pair(&p);
}

static int setup(void **state)
{
    (void)state;
    server = any_server();
    return server == NULL;
}

static int teardown(void **state)
{
    (void)state;
    tls_server_unref(&server);
    return 0;
}

#define EACH(test)                                                                                 \
    { #test " plain", test, NULL, NULL, NULL }, { #test " TLS 1.2", test, NULL, NULL, "2" },       \
    {                                                                                              \
#test " TLS 1.3", test, NULL, NULL, "3"                                                    \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(test_random_both_ways),
        EACH(test_stalled_peer),
        EACH(test_finish_behind_a_stalled_peer),
        EACH(test_peer_ends_first),
        EACH(test_close_is_clean),
        EACH(test_last_bytes_and_end),
        EACH(test_is_at_end),
        EACH(test_peer_resets),
        EACH(test_write_after_reset),
        EACH(test_fate_of_an_answer),
        EACH(test_waits_and_is_held_up),
        EACH(test_reset_is_seen_by_peer),
        EACH(test_nothing_to_do),
        TLS_BOTH(test_tls_pending),
        TLS_BOTH(test_tls_pieces_share_a_record),
        TLS_BOTH(test_tls_empty_records),
        TLS_BOTH(test_tls_damaged_record),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
