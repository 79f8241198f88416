/* Handshakes in progress: done, refused, too slow, plain HTTP; each ends once, with a reason. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/handshake.h"
#include "net/stream.h"
#include "net/tls_client.h"

#include "make_cert.h"
#include "tls_peer.h"

/* A time-out that no test waits for: ten handshakes under valgrind may take half a minute. */
enum { AMPLE_MS = 600000 };

static struct tls_server *server;
static struct loop loop;
static struct handshaker h;

/* The last outcome; `why` and the session's texts outlive the call as copies. */
static struct {
    int count;
    int fd;
    struct tls_session *tls;
    struct addr peer;
    uint64_t accepted_us;
    void *tag;
    char why[200];
    bool is_late;
} seen;

static void on_done(void *user, struct handshake_result *result)
{
    assert_ptr_equal(user, &seen);
    assert_int_equal(result->tls == NULL, result->why != NULL);
    assert_true(fcntl(result->fd, F_GETFD) != -1); /* open during the call in any case */
    seen.count++;
    seen.fd = result->fd;
    seen.tls = result->tls;
    seen.peer = result->peer;
    seen.accepted_us = result->accepted_us;
    seen.tag = result->tag;
    seen.is_late = result->is_late;
    snprintf(seen.why, sizeof(seen.why), "%s", result->why == NULL ? "" : result->why);
}

static int setup(void **state)
{
    (void)state;
    memset(&seen, 0, sizeof(seen));
    loop_init(&loop, 0, 8, NULL);
    handshaker_init(&h, &loop, AMPLE_MS, on_done, &seen);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    handshaker_done(&h);
    loop_done(&loop);
    return 0;
}

static struct addr peer_addr(void)
{
    struct addr addr;
    char why[200];
    assert_true(addr_parse(SPAN("10.1.2.3:4567"), false, &addr, why, sizeof(why)));
    return addr;
}

/* Begin a handshake; returns the peer's end. */
static int begin(void *tag)
{
    struct addr peer = peer_addr();
    int fds[2];
    uint32_t before = h.count;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    handshaker_begin(&h, fds[0], &peer, server, tag);
    assert_int_equal(h.count, before + 1);
    return fds[1];
}

static void turn(void)
{
    ev_run(loop.ev, EVRUN_NOWAIT);
}

static void run_until_seen(int count)
{
    for (int i = 0; i < 1000 && seen.count < count; i++)
        ev_run(loop.ev, EVRUN_ONCE);
    assert_int_equal(seen.count, count);
}

static void check_failed(const char *why)
{
    assert_string_equal(seen.why, why);
    assert_null(seen.tls);
    assert_int_equal(fcntl(seen.fd, F_GETFD), -1);
    assert_int_equal(h.count, 0);
}

static void test_done(void **state)
{
    (void)state;
    struct tls_peer peer;
    struct stream stream;
    struct addr want = peer_addr();
    uint64_t before = clock_wall_us();
    int tag, fd = begin(&tag);

    tls_peer_init(&peer, fd, "chat.example");
    for (int i = 0; i < 1000 && seen.count == 0; i++) {
        assert_true(tls_peer_handshake(&peer));
        turn();
    }
    assert_true(tls_peer_handshake(&peer) && peer.is_done);
    assert_int_equal(seen.count, 1);
    assert_string_equal(seen.why, "");
    assert_ptr_equal(seen.tag, &tag);
    assert_true(addr_equal(&seen.peer, &want));
    assert_true(seen.accepted_us >= before && seen.accepted_us <= clock_wall_us());
    assert_string_equal(tls_session_sni(seen.tls), "chat.example");
    assert_int_equal(h.count, 0);
    /* Whoever has it now may close it: nobody here watches it any more. */
    assert_int_equal(epoll_ctl(h.poll, EPOLL_CTL_DEL, seen.fd, NULL), -1);
    assert_int_equal(errno, ENOENT);

    stream_init(&stream, seen.fd, seen.tls);
    size_t moved;
    char got[8];
    assert_int_equal(mbedtls_ssl_write(&peer.ssl, (const unsigned char *)"hello", 5), 5);
    assert_int_equal(stream_read(&stream, got, sizeof(got), &moved), STREAM_MOVED);
    assert_memory_equal(got, "hello", 5);
    stream_close(&stream);
    tls_peer_done(&peer);
    close(fd);
}

static void close_done(void *user, struct handshake_result *result)
{
    struct stream stream;
    (void)user;
    assert_null(result->why);
    stream_init(&stream, result->fd, result->tls);
    stream_close(&stream);
    seen.count++;
}

static void test_many_at_once(void **state)
{
    (void)state;
    enum { MANY = 10 };
    struct tls_peer peers[MANY];

    h.done = close_done;
    for (int i = 0; i < MANY; i++) {
        tls_peer_init(&peers[i], begin(NULL), NULL);
        peers[i].is_slow = i % 2 == 0;
    }
    for (int i = 0; i < 100000 && seen.count < MANY; i++) {
        for (int k = 0; k < MANY; k++)
            assert_true(tls_peer_handshake(&peers[k]) || peers[k].is_done);
        turn();
    }
    assert_int_equal(seen.count, MANY);
    assert_int_equal(h.count, 0);
    for (int i = 0; i < MANY; i++) {
        tls_peer_done(&peers[i]);
        close(peers[i].fd);
    }
}

static void test_garbage(void **state)
{
    (void)state;
    int fd = begin(NULL);
    assert_int_equal(send(fd, "\xff\xff\xff\xff\xff\xff", 6, 0), 6);
    run_until_seen(1);
    check_failed("what came is not TLS");
    close(fd);
}

static void test_hang_up(void **state)
{
    (void)state;
    close(begin(NULL));
    run_until_seen(1);
    check_failed("the peer hung up");
}

/* A peer that stops halfway: the time-out is for the whole handshake. */
static void test_stall(void **state)
{
    (void)state;
    uint64_t before = clock_mono_ms();
    h.timeout_ms = 200;
    int fd = begin(NULL);
    assert_int_equal(send(fd, "\x16\x03\x01\x02\x00\x01", 6, 0), 6);
    run_until_seen(1);
    check_failed("the handshake took too long");
    assert_true(clock_mono_ms() - before >= 200);
    close(fd);
}

static void test_end_of_the_handshaker(void **state)
{
    (void)state;
    int a = begin(NULL), b = begin(NULL);
    turn();
    handshaker_done(&h);
    assert_int_equal(seen.count, 2);
    check_failed("shutting down");
    close(a);
    close(b);
}

static size_t read_answer(int fd, char *into, size_t size)
{
    size_t len = 0;
    ssize_t n;
    for (int i = 0; i < 1000; i++) {
        turn();
        while ((n = recv(fd, into + len, size - 1 - len, 0)) > 0)
            len += (size_t)n;
        if (n == 0)
            break;
        poll(NULL, 0, 1);
    }
    assert_int_equal(n, 0); /* FIN, not RST */
    into[len] = '\0';
    return len;
}

static void check_answer(const char *got)
{
    const char *body = strstr(got, "\r\n\r\n");
    assert_true(strncmp(got, "HTTP/1.1 400 Bad Request\r\n", 26) == 0);
    assert_non_null(body);
    assert_non_null(strstr(body, "The plain HTTP request was sent to HTTPS port"));
    unsigned long length = strtoul(strstr(got, "Content-Length: ") + 16, NULL, 10);
    assert_int_equal(length, strlen(body + 4));
}

static void test_plain_http(void **state)
{
    (void)state;
    char got[1000];
    int fd = begin(NULL);
    assert_true(send(fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27, 0) == 27);
    read_answer(fd, got, sizeof(got));
    check_answer(got);
    assert_int_equal(seen.count, 0); /* until the peer is done, or has had its time */
    close(fd);
    run_until_seen(1);
    check_failed("a plain HTTP request came to an HTTPS port");
}

/* Over TCP: a request with a body that nobody reads must not cost the answer. */
static void test_plain_http_with_a_body(void **state)
{
    (void)state;
    static char body[40000];
    struct addr addr = { .len = sizeof(addr.in), .in = { .sin_family = AF_INET } };
    char got[1000];
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    addr.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(listener, &addr.sa, addr.len), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_true(addr_local(listener, &addr));
    connect(fd, &addr.sa, addr.len);
    handshaker_begin(&h, accept4(listener, NULL, NULL, SOCK_NONBLOCK), &addr, server, NULL);
    memset(body, 'x', sizeof(body));
    memcpy(body, "POST / HTTP/1.1\r\n", 17);
    assert_true(send(fd, body, sizeof(body), 0) == sizeof(body));
    read_answer(fd, got, sizeof(got));
    check_answer(got);
    close(fd);
    run_until_seen(1);
    check_failed("a plain HTTP request came to an HTTPS port");
    close(listener);
}

/* A peer that never stops sending is not read for ever. */
static void test_plain_http_without_end(void **state)
{
    (void)state;
    static char body[16384];
    int fd = begin(NULL);
    size_t sent = 0;

    memset(body, 'G', sizeof(body));
    for (int i = 0; i < 10000 && seen.count == 0; i++) {
        ssize_t n = send(fd, body, sizeof(body), MSG_NOSIGNAL);
        sent += n > 0 ? (size_t)n : 0;
        turn();
    }
    assert_int_equal(seen.count, 1);
    assert_true(sent < 1000000);
    check_failed("a plain HTTP request came to an HTTPS port");
    close(fd);
}

/* --- to a server ------------------------------------------------------------------ */

static int listen_somewhere(struct addr *addr)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    *addr = (struct addr){ .len = sizeof(addr->in), .in = { .sin_family = AF_INET } };
    addr->in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, &addr->sa, addr->len), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_true(addr_local(fd, addr));
    return fd;
}

static void connect_to(const struct addr *addr, atomic_bool *connected, void *tag)
{
    const struct tls_client_options o = { .ca_file = "", .server_name = "" };
    struct tls_client *client = tls_client_new(&o, NULL, 0);
    struct tls_resume *resume = tls_resume_new();
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    atomic_init(connected, false);
    connect(fd, &addr->sa, addr->len);
    tls_resume_set_name(resume, "localhost");
    handshaker_connect(&h, fd, tls_client_session(client, resume, fd), connected, tag);
    tls_client_unref(&client);
    tls_resume_unref(&resume);
}

static void test_connect(void **state)
{
    (void)state;
    atomic_bool connected;
    struct addr addr;
    int listener = listen_somewhere(&addr);

    connect_to(&addr, &connected, &addr);
    assert_false(connected);
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    struct tls_session *theirs = tls_session_new(server, fd);
    for (int i = 0; i < 5000 && seen.count == 0; i++) {
        turn();
        tls_handshake(theirs);
        usleep(100);
    }
    assert_int_equal(seen.count, 1);
    assert_string_equal(seen.why, "");
    assert_ptr_equal(seen.tag, &addr);
    assert_true(connected);
    assert_string_equal(tls_session_sni(theirs), "localhost");
    tls_session_free(&theirs);
    tls_session_free(&seen.tls);
    close(seen.fd);
    close(fd);
    close(listener);
}

static void test_connect_refused(void **state)
{
    (void)state;
    atomic_bool connected;
    struct addr addr;

    close(listen_somewhere(&addr));
    connect_to(&addr, &connected, NULL);
    run_until_seen(1);
    check_failed("Connection refused");
    assert_false(connected);
    assert_false(seen.is_late);
}

static void test_connect_to_the_silent(void **state)
{
    (void)state;
    atomic_bool connected;
    struct addr addr;
    int listener = listen_somewhere(&addr);

    h.timeout_ms = 100;
    connect_to(&addr, &connected, NULL);
    run_until_seen(1);
    check_failed("the TLS handshake with the target took too long");
    assert_true(connected);
    assert_true(seen.is_late);
    close(listener);
}

static void test_connect_to_another_language(void **state)
{
    (void)state;
    atomic_bool connected;
    struct addr addr;
    int listener = listen_somewhere(&addr);

    connect_to(&addr, &connected, NULL);
    int fd = accept(listener, NULL, NULL);
    assert_int_equal(send(fd, "220 ready\r\n", 11, 0), 11);
    run_until_seen(1);
    check_failed("what the target sent is not TLS");
    close(fd);
    close(listener);
}

static int make_server(void **state)
{
    (void)state;
    server = any_server();
    return server == NULL;
}

static int free_server(void **state)
{
    (void)state;
    tls_server_unref(&server);
    return 0;
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(test_done),
        EACH(test_many_at_once),
        EACH(test_garbage),
        EACH(test_hang_up),
        EACH(test_stall),
        EACH(test_end_of_the_handshaker),
        EACH(test_plain_http),
        EACH(test_plain_http_with_a_body),
        EACH(test_plain_http_without_end),
        EACH(test_connect),
        EACH(test_connect_refused),
        EACH(test_connect_to_the_silent),
        EACH(test_connect_to_another_language),
    };
    return cmocka_run_group_tests(tests, make_server, free_server);
}
