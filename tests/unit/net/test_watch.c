/* Watchers of streams: events come, and the kernel is told no more than it must be. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "net/watch.h"

#include "make_cert.h"
#include "tls_peer.h"

static int told;   /* how often the kernel was told something */
static int failed; /* and would not have it */

/* In place of libc's: libev's calls come here. */
int epoll_ctl(int poll, int what, int fd, struct epoll_event *event)
{
    const int rc = (int)syscall(SYS_epoll_ctl, poll, what, fd, event);

    told++;
    failed += rc == -1;
    return rc;
}

struct watched {
    struct ev_loop *loop;
    struct stream s;
    ev_io io;
    int peer;
};

static int events; /* since they were last looked at */
static ev_io *by;  /* whose they were */

static void on_io(struct ev_loop *loop, ev_io *io, int revents)
{
    (void)loop;
    by = io;
    events |= revents;
}

/* What a turn of the loop brings. */
static int turn(const struct watched *w)
{
    events = 0;
    ev_run(w->loop, EVRUN_NOWAIT);
    return events;
}

static void open_pair(struct watched *w)
{
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    w->loop = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
    w->peer = fds[1];
    stream_init(&w->s, fds[0], NULL);
    ev_io_init(&w->io, on_io, w->s.fd, EV_READ);
    turn(w);
    told = failed = 0;
}

static void close_pair(struct watched *w)
{
    ev_io_stop(w->loop, &w->io);
    stream_close(&w->s);
    close(w->peer);
    ev_loop_destroy(w->loop);
    assert_int_equal(failed, 0);
}

static void say(const struct watched *w)
{
    assert_int_equal(send(w->peer, "x", 1, 0), 1);
}

static void test_only_changes_are_told(void **state)
{
    struct watched w;
    (void)state;

    open_pair(&w);
    const struct {
        int wanted, told, come;
    } steps[] = {
        { EV_READ, 1, 0 },
        { EV_READ, 1, 0 },
        { EV_READ | EV_WRITE, 2, EV_WRITE },
        { EV_READ | EV_WRITE, 2, EV_WRITE },
        { EV_READ, 3, 0 },
        { 0, 3, 0 }, /* libev says that when an event comes in vain */
        { 0, 3, 0 },
    };
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        watch_stream(w.loop, &w.io, &w.s, steps[i].wanted);
        assert_int_equal(turn(&w), steps[i].come);
        assert_int_equal(told, steps[i].told);
    }
    close_pair(&w);
}

static void test_within_a_turn_the_last_word_counts(void **state)
{
    struct watched w;
    (void)state;

    open_pair(&w);
    watch_stream(w.loop, &w.io, &w.s, EV_READ);
    turn(&w);
    watch_stream(w.loop, &w.io, &w.s, EV_WRITE);
    watch_stream(w.loop, &w.io, &w.s, 0);
    watch_stream(w.loop, &w.io, &w.s, EV_READ);
    say(&w);
    assert_int_equal(turn(&w), EV_READ);
    assert_int_equal(told, 1);
    close_pair(&w);
}

/* A pair that was waited for by its first owner, through a turn. */
static void open_watched_pair(struct watched *w)
{
    open_pair(w);
    watch_stream(w->loop, &w->io, &w->s, EV_READ);
    turn(w);
}

/* The end of a pair that `other` waits for. */
static void close_handed_pair(struct watched *w, ev_io *other)
{
    ev_io_stop(w->loop, other);
    close_pair(w);
}

static void test_another_owner_is_not_told(void **state)
{
    struct watched w;
    ev_io other;
    (void)state;

    open_watched_pair(&w);
    say(&w);
    watch_hand_on(w.loop, &w.io, &other);
    assert_false(ev_is_active(&w.io) || ev_is_active(&other));
    watch_stream(w.loop, &other, &w.s, EV_READ);
    assert_int_equal(turn(&w), EV_READ);
    assert_ptr_equal(by, &other);
    assert_int_equal(told, 1);
    close_handed_pair(&w, &other);
}

/* What it waited for when it was handed on is no longer what it waits for. */
static void test_another_owner_waits_for_something_else(void **state)
{
    struct watched w;
    ev_io other;
    (void)state;

    open_watched_pair(&w);
    watch_hand_on(w.loop, &w.io, &other);
    watch_stream(w.loop, &other, &w.s, EV_WRITE);
    assert_int_equal(turn(&w), EV_WRITE);
    close_handed_pair(&w, &other);
}

/* One that was never started has nothing to hand on but itself. */
static void test_handed_on_before_the_first_event(void **state)
{
    struct watched w;
    ev_io other;
    (void)state;

    open_pair(&w);
    watch_hand_on(w.loop, &w.io, &other);
    watch_stream(w.loop, &other, &w.s, EV_READ);
    say(&w);
    assert_int_equal(turn(&w), EV_READ);
    assert_int_equal(told, 1);
    close_handed_pair(&w, &other);
}

/* The next connection often has the number of the last one, and the kernel knows nothing of it. */
static void test_a_number_that_comes_again_is_told(void **state)
{
    struct watched w;
    (void)state;

    open_pair(&w);
    for (int i = 0; i < 3; i++) {
        int fds[2];
        const int number = w.s.fd;
        watch_stream(w.loop, &w.io, &w.s, EV_READ);
        if (i > 0)
            turn(&w); /* else: within the same turn */
        ev_io_stop(w.loop, &w.io);
        stream_close(&w.s);
        close(w.peer);
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
        assert_int_equal(fds[0], number);
        w.peer = fds[1];
        stream_init(&w.s, fds[0], NULL);
        ev_io_init(&w.io, on_io, fds[0], EV_READ);
        watch_stream(w.loop, &w.io, &w.s, EV_READ);
        say(&w);
        assert_int_equal(turn(&w), EV_READ);
    }
    close_pair(&w);
}

/* A handshake thread had the socket, and brings it under another number. */
static void test_another_number(void **state)
{
    struct watched w;
    (void)state;

    open_pair(&w);
    const int before = w.s.fd;
    w.s.fd = dup(before);
    close(before);
    watch_stream(w.loop, &w.io, &w.s, EV_READ);
    say(&w);
    assert_int_equal(turn(&w), EV_READ);
    assert_int_equal(w.io.fd, w.s.fd);
    close_pair(&w);
}

static void test_what_tls_holds_is_an_event(void **state)
{
    struct tls_server *server = any_server();
    struct watched w;
    struct tls_peer peer;
    size_t moved;
    char byte;
    (void)state;

    open_pair(&w);
    w.s.tls = tls_session_new(server, w.s.fd);
    tls_peer_speak("2");
    tls_peer_init(&peer, w.peer, NULL);
    assert_int_equal(tls_peer_meet(&peer, w.s.tls), TLS_DONE);
    assert_int_equal(mbedtls_ssl_write(&peer.ssl, (const unsigned char *)"xyz", 3), 3);
    assert_int_equal(stream_read(&w.s, &byte, 1, &moved), STREAM_MOVED);
    watch_stream(w.loop, &w.io, &w.s, EV_READ);
    assert_int_equal(turn(&w), EV_READ);
    watch_stream(w.loop, &w.io, &w.s, 0);
    assert_int_equal(turn(&w), 0);
    close_pair(&w);
    tls_peer_done(&peer);
    tls_server_unref(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_changes_are_told),
        cmocka_unit_test(test_within_a_turn_the_last_word_counts),
        cmocka_unit_test(test_another_owner_is_not_told),
        cmocka_unit_test(test_another_owner_waits_for_something_else),
        cmocka_unit_test(test_handed_on_before_the_first_event),
        cmocka_unit_test(test_a_number_that_comes_again_is_told),
        cmocka_unit_test(test_another_number),
        cmocka_unit_test(test_what_tls_holds_is_an_event),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
