/* Listeners: who is in the way, and accepting when descriptors run out. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "net/listener.h"

static char why[300];

static struct addr parsed(const char *text)
{
    struct addr addr;
    assert_true(addr_parse(span_text(text), true, &addr, why, sizeof(why)));
    return addr;
}

static int connected(int listener)
{
    struct addr addr;
    assert_true(addr_local(listener, &addr));
    int fd = socket(addr.sa.sa_family, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, &addr.sa, addr.len), 0);
    return fd;
}

/* A listener on a free port; the port is written back. */
static int open_free(struct addr *addr, bool reuseport)
{
    assert_true(listener_probe(addr, why, sizeof(why)));
    assert_true(addr_port(addr) != 0);
    int fd = listener_open(addr, reuseport, why, sizeof(why));
    assert_true(fd != -1);
    return fd;
}

static int option(int fd, int level, int name)
{
    int value = -1;
    socklen_t len = sizeof(value);
    getsockopt(fd, level, name, &value, &len);
    return value;
}

static void test_options(void **state)
{
    (void)state;
    struct addr addr = parsed("[::1]:0");
    int fd = open_free(&addr, true);
    int client = connected(fd);
    int peer = accept(fd, NULL, NULL);

    assert_int_not_equal(option(fd, SOL_SOCKET, SO_REUSEADDR), 0);
    assert_int_not_equal(option(fd, SOL_SOCKET, SO_REUSEPORT), 0);
    assert_int_not_equal(option(fd, IPPROTO_IPV6, IPV6_V6ONLY), 0);
    assert_int_not_equal(option(peer, IPPROTO_TCP, TCP_NODELAY), 0);
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    close(client);
    close(peer);
    close(fd);
}

static void check_in_use(const struct addr *addr)
{
    char text[ADDR_TEXT_MAX], want[200];
    struct addr probed = *addr;

    snprintf(want, sizeof(want), "%s is in use by another process: stop it or choose another port",
             addr_format(addr, text));
    assert_false(listener_probe(&probed, why, sizeof(why)));
    assert_string_equal(why, want);
    assert_int_equal(listener_open(addr, false, why, sizeof(why)), -1);
    assert_string_equal(why, want);
}

static void test_probe_finds_listener(void **state)
{
    (void)state;
    struct addr addr = parsed("127.0.0.1:0");
    int fd = open_free(&addr, false);
    check_in_use(&addr);
    close(fd);
    assert_true(listener_probe(&addr, why, sizeof(why)));
}

/* The reason for the probe: a second process with SO_REUSEPORT would get in. */
static void test_probe_finds_reuseport_listener(void **state)
{
    (void)state;
    struct addr addr = parsed("127.0.0.1:0");
    int a = open_free(&addr, true);
    int b = listener_open(&addr, true, why, sizeof(why));
    assert_true(b != -1);
    check_in_use(&addr);
    close(a);
    close(b);
}

/* The side that closes first keeps the port in TIME_WAIT. */
static void test_probe_passes_time_wait(void **state)
{
    (void)state;
    struct addr addr = parsed("127.0.0.1:0");
    char byte;
    int fd = open_free(&addr, false);
    int client = connected(fd);
    int peer = accept(fd, NULL, NULL);

    close(peer);
    assert_int_equal(read(client, &byte, 1), 0);
    close(client);
    close(fd);
    assert_true(listener_probe(&addr, why, sizeof(why)));
    close(open_free(&addr, false));
}

static void test_foreign_address(void **state)
{
    (void)state;
    struct addr addr = parsed("192.0.2.1:8080");
    assert_false(listener_probe(&addr, why, sizeof(why)));
    assert_non_null(strstr(why, "192.0.2.1:8080 is not an address of this machine"));
}

/* Root, and a system that lowered ip_unprivileged_port_start, may bind it. */
static void test_low_port(void **state)
{
    (void)state;
    struct addr addr = parsed("127.0.0.1:81");
    if (geteuid() == 0 && seteuid(65534) == -1)
        skip();
    bool ok = listener_probe(&addr, why, sizeof(why));
    if (geteuid() == 65534)
        assert_int_equal(seteuid(0), 0);
    if (ok)
        skip();
    assert_string_equal(
        why, "127.0.0.1:81 needs CAP_NET_BIND_SERVICE: grant it or choose a port from 1024 up");
}

static void test_unix_socket(void **state)
{
    (void)state;
    char dir[] = "/tmp/postern-test-XXXXXX", path[64];
    struct addr addr;
    struct stat st;

    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/s", dir);
    assert_true(addr_unix(path, &addr));
    assert_true(listener_probe(&addr, why, sizeof(why)));
    int fd = listener_open(&addr, false, why, sizeof(why));
    assert_true(fd != -1);
    assert_false(listener_probe(&addr, why, sizeof(why)));
    assert_int_equal(listener_open(&addr, false, why, sizeof(why)), -1);
    assert_non_null(strstr(why, "in use by another process"));
    close(connected(fd));

    close(fd); /* stale now: the file stays, nobody answers */
    assert_int_equal(lstat(path, &st), 0);
    fd = listener_open(&addr, false, why, sizeof(why));
    assert_true(fd != -1);
    close(fd);
    unlink(path);

    /* What is no socket is not ours to remove. */
    close(open(path, O_CREAT | O_WRONLY, 0600));
    assert_int_equal(listener_open(&addr, false, why, sizeof(why)), -1);
    assert_int_equal(lstat(path, &st), 0);
    unlink(path);
    rmdir(dir);
}

/* --- accepting ------------------------------------------------------------ */

enum { MANY = 200 };

static struct ev_loop *loop;
static int accepted[MANY], accepted_count;
static bool hold_after_one;

static void on_accept(struct acceptor *a, int fd, const struct addr *peer)
{
    struct addr local;
    assert_ptr_equal(a->user, &loop);
    assert_true(addr_peer(fd, &local) && addr_equal(&local, peer));
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    accepted[accepted_count++] = fd;
    if (hold_after_one)
        acceptor_hold(a);
}

static void close_accepted(void)
{
    while (accepted_count > 0)
        close(accepted[--accepted_count]);
}

static void run_turns(int n)
{
    while (n-- > 0)
        ev_run(loop, EVRUN_NOWAIT);
}

static void test_at_most_64_a_turn(void **state)
{
    (void)state;
    struct addr addr = parsed("127.0.0.1:0");
    struct acceptor a;
    int fd = open_free(&addr, false), clients[100];

    for (int i = 0; i < 100; i++)
        clients[i] = connected(fd);
    acceptor_start(&a, loop, fd, on_accept, &loop);
    run_turns(1);
    assert_int_equal(accepted_count, 64);
    run_turns(1);
    assert_int_equal(accepted_count, 100);
    acceptor_stop(&a);
    acceptor_stop(&a); /* harmless */
    for (int i = 0; i < 100; i++)
        close(clients[i]);
    close_accepted();
    close(fd);
}

static void test_hold_and_resume(void **state)
{
    (void)state;
    struct addr addr = parsed("127.0.0.1:0");
    struct acceptor a;
    int fd = open_free(&addr, false), clients[3];

    for (int i = 0; i < 3; i++)
        clients[i] = connected(fd);
    hold_after_one = true;
    acceptor_start(&a, loop, fd, on_accept, &loop);
    run_turns(3);
    assert_int_equal(accepted_count, 1);
    acceptor_resume(&a);
    run_turns(3);
    assert_int_equal(accepted_count, 2);
    hold_after_one = false;
    acceptor_resume(&a);
    acceptor_resume(&a);
    run_turns(3);
    assert_int_equal(accepted_count, 3);
    acceptor_stop(&a);
    acceptor_resume(&a); /* stopped is stopped */
    assert_false(ev_is_active(&a.io));
    for (int i = 0; i < 3; i++)
        close(clients[i]);
    close_accepted();
    close(fd);
}

/* Whether its SYN is answered within 100 ms. */
static bool connects(int listener)
{
    struct addr addr;
    assert_true(addr_local(listener, &addr));
    int fd = socket(addr.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
    connect(fd, &addr.sa, addr.len);
    struct pollfd wait = { .fd = fd, .events = POLLOUT };
    const bool does = poll(&wait, 1, 100) == 1;
    close(fd);
    return does;
}

/* A filter that the socket keeps would drop what its client sends. */
static void check_hears(int client, int peer)
{
    char byte = 0;

    assert_int_equal(send(client, "x", 1, 0), 1);
    struct pollfd wait = { .fd = peer, .events = POLLIN };
    assert_int_equal(poll(&wait, 1, 5000), 1);
    assert_int_equal(recv(peer, &byte, 1, 0), 1);
}

static void test_leave_and_stay(void **state)
{
    (void)state;
    struct addr addr = parsed("127.0.0.1:0");
    struct acceptor a;
    int fd = open_free(&addr, false), clients[100];

    acceptor_start(&a, loop, fd, on_accept, &loop);
    for (int i = 0; i < 100; i++)
        clients[i] = connected(fd);
    assert_true(acceptor_leave(&a));
    assert_false(connects(fd));
    acceptor_empty(&a);
    assert_int_equal(accepted_count, 100);
    for (int i = 0; i < 100; i++)
        check_hears(clients[i], accepted[i]);
    acceptor_stay(&a);
    assert_true(connects(fd));
    run_turns(2);
    assert_int_equal(accepted_count, 101);
    acceptor_stop(&a);
    for (int i = 0; i < 100; i++)
        close(clients[i]);
    close_accepted();
    close(fd);
}

/* As when a filter is forbidden: it has one already that is locked. */
static void test_leave_without_a_filter(void **state)
{
    (void)state;
    struct addr addr = parsed("127.0.0.1:0");
    struct sock_filter pass[] = { { BPF_RET | BPF_K, 0, 0, UINT32_MAX } };
    const struct sock_fprog program = { 1, pass };
    const int on = 1;
    struct acceptor a;
    int fd = open_free(&addr, false);

    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LOCK_FILTER, &on, sizeof(on)), 0);
    acceptor_start(&a, loop, fd, on_accept, &loop);
    assert_false(acceptor_leave(&a));
    assert_int_equal(errno, EPERM);
    int client = connected(fd);
    acceptor_empty(&a);
    assert_int_equal(accepted_count, 1);
    check_hears(client, accepted[0]);
    acceptor_stop(&a);
    close(client);
    close_accepted();
    close(fd);
}

static int lines_in(int fd)
{
    char text[4096];
    int lines = 0;
    ssize_t n = pread(fd, text, sizeof(text), 0);
    for (ssize_t i = 0; i < n; i++)
        lines += text[i] == '\n';
    return lines;
}

/* Valgrind plays the limit itself: it accepts, closes, and then says EMFILE. */
static bool is_under_valgrind(void)
{
    const char *preload = getenv("LD_PRELOAD");
    return preload != NULL && strstr(preload, "vgpreload") != NULL;
}

/* One line for a spell, no spinning, and the backlog is served afterwards. */
static void test_descriptors_run_out(void **state)
{
    (void)state;
    if (is_under_valgrind())
        skip();
    struct addr addr = parsed("127.0.0.1:0");
    struct acceptor a;
    struct rlimit before, none;
    int fd = open_free(&addr, false), clients[4];
    FILE *log = tmpfile();

    for (int i = 0; i < 4; i++)
        clients[i] = connected(fd);
    acceptor_start(&a, loop, fd, on_accept, &loop);
    int next = dup(fd); /* the lowest free descriptor is the limit */
    close(next);
    getrlimit(RLIMIT_NOFILE, &before);
    none = before;
    none.rlim_cur = (rlim_t)next;
    log_set_fd(fileno(log));
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    run_turns(20);
    assert_int_equal(accepted_count, 0);
    assert_false(ev_is_active(&a.io));
    assert_true(a.is_exhausted);
    for (int i = 0; i < 2; i++) { /* the pause ends, and begins again */
        ev_run(loop, EVRUN_ONCE);
        ev_run(loop, EVRUN_ONCE);
    }
    assert_int_equal(lines_in(fileno(log)), 1);

    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    for (int i = 0; i < 10 && accepted_count < 4; i++)
        ev_run(loop, EVRUN_ONCE);
    assert_int_equal(accepted_count, 4);
    run_turns(1);
    assert_false(a.is_exhausted);
    log_set_fd(2);
    acceptor_stop(&a);
    for (int i = 0; i < 4; i++)
        close(clients[i]);
    close_accepted();
    close(fd);
    fclose(log);
}

static int setup(void **state)
{
    (void)state;
    loop = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
    run_turns(1); /* its descriptors are there before a limit is set */
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    ev_loop_destroy(loop);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_probe_finds_listener),
        cmocka_unit_test(test_probe_finds_reuseport_listener),
        cmocka_unit_test(test_probe_passes_time_wait),
        cmocka_unit_test(test_foreign_address),
        cmocka_unit_test(test_low_port),
        cmocka_unit_test(test_unix_socket),
        cmocka_unit_test_setup_teardown(test_at_most_64_a_turn, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hold_and_resume, setup, teardown),
        cmocka_unit_test_setup_teardown(test_leave_and_stay, setup, teardown),
        cmocka_unit_test_setup_teardown(test_leave_without_a_filter, setup, teardown),
        cmocka_unit_test_setup_teardown(test_descriptors_run_out, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
