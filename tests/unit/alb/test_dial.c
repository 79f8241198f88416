/* test_dial.c -- dials between a worker and a handshake thread whose inboxes are nearly always
 * full: each one arrives, comes home once, and leaves nothing open. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/tls_client.h"

#include "alb/balancer.h"
#include "alb/dial.h"
#include "alb/greeter.h"
#include "alb/target.h"
#include "alb/worker.h"

enum { INBOX = 8, AT_ONCE = 100, ROUNDS = 8, TARGET_REFS = 1 };

static struct balancer balancer;
static struct worker worker;
static struct greeter greeter;
static struct target target;
static struct tls_client *client;

static void start(void)
{
    char why[128];

    loop_init(&greeter.loop, 0, INBOX, &greeter);
    dial_desk_init(&greeter.dials, &greeter.loop);
    loop_init(&worker.loop, 0, INBOX, &worker);
    dial_line_init(&worker.dials);
    worker.balancer = &balancer;
    balancer.greeters = &greeter;
    balancer.greeter_count = 1;
    atomic_init(&target.refs, TARGET_REFS);
    client = tls_client_new(&(struct tls_client_options){ .ca_file = "", .server_name = "" }, why,
                            sizeof(why));
    assert_non_null(client);
    target.tls = tls_resume_new();
}

static void end(void)
{
    dial_desk_done(&greeter.dials);
    loop_done(&greeter.loop);
    dial_line_done(&worker.dials, &worker.loop);
    loop_done(&worker.loop);
    tls_client_unref(&client);
    tls_resume_unref(&target.tls);
}

static void on_home(void *user, const struct handshake_result *result)
{
    (void)user;
    (void)result;
    fail_msg("it was let go");
}

/* A handshake over it fails at once: some have begun before they are let go. */
static int dead_socket(void)
{
    int ends[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
    close(ends[1]);
    return ends[0];
}

/* The client left while its dial stands in line: nobody is told, and the socket is closed. */
static int send_one(int from)
{
    const int fd = dup(from);

    assert_true(fd >= 0);
    struct dial *d = dial_start(&worker, &target, client, fd, on_home, NULL);
    dial_let_go(&d);
    assert_null(d);
    return fd;
}

static void test_full_inboxes_lose_nothing(void **state)
{
    const int from = dead_socket();
    int fds[AT_ONCE];

    (void)state;
    start();
    loop_start(&greeter.loop, "greeter");
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < AT_ONCE; i++)
            fds[i] = send_one(from);
        while (atomic_load(&target.refs) != TARGET_REFS)
            ev_run(worker.loop.ev, EVRUN_ONCE);
        for (int i = 0; i < AT_ONCE; i++)
            assert_int_equal(fcntl(fds[i], F_GETFD), -1);
    }
    loop_stop(&greeter.loop);
    loop_join(&greeter.loop);
    end();
    close(from);
}

static void test_the_end_closes_what_stands_in_line(void **state)
{
    const int from = dead_socket();
    int fds[AT_ONCE];

    (void)state;
    start(); /* nobody runs the greeter */
    for (int i = 0; i < AT_ONCE; i++)
        fds[i] = send_one(from);
    assert_int_equal(atomic_load(&target.refs), TARGET_REFS + AT_ONCE);
    loop_run_left(&greeter.loop); /* INBOX of them come home */
    loop_run_left(&worker.loop);
    end();
    assert_int_equal(atomic_load(&target.refs), TARGET_REFS);
    for (int i = 0; i < AT_ONCE; i++)
        assert_int_equal(fcntl(fds[i], F_GETFD), -1);
    close(from);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_full_inboxes_lose_nothing),
        cmocka_unit_test(test_the_end_closes_what_stands_in_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
