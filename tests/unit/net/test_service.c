/* The daemon chores: limits, signals as events, readiness for systemd and for tests. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "net/service.h"

static void test_nofile_is_raised(void **state)
{
    (void)state;
    struct rlimit limit, low;

    getrlimit(RLIMIT_NOFILE, &limit);
    low = limit;
    low.rlim_cur = 64;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    uint32_t got = service_raise_nofile();
    getrlimit(RLIMIT_NOFILE, &low);
    assert_true(low.rlim_cur == limit.rlim_max);
    assert_true(got == limit.rlim_max || got == UINT32_MAX);
    setrlimit(RLIMIT_NOFILE, &limit);
}

static void test_cores(void **state)
{
    (void)state;
    assert_in_range(service_cores(), 1, 100000);
}

struct seen {
    struct service_signals *signals;
    struct ev_loop *loop;
    struct service_signal list[8];
    int count;
};

static void on_signal(void *user, const struct service_signal *signal)
{
    struct seen *seen = user;
    seen->list[seen->count++] = *signal;
    if (signal->number == SIGTERM)
        service_signals_stop(seen->signals, seen->loop);
}

static void test_signals_are_events(void **state)
{
    (void)state;
    struct service_signals signals;
    struct seen seen = { .signals = &signals, .loop = ev_loop_new(EVFLAG_NOENV) };

    assert_true(service_signals_start(&signals, seen.loop, on_signal, &seen));
    ev_run(seen.loop, EVRUN_NOWAIT);
    assert_int_equal(seen.count, 0);
    kill(getpid(), SIGHUP);
    ev_run(seen.loop, EVRUN_ONCE);
    kill(getpid(), SIGUSR1);
    ev_run(seen.loop, EVRUN_ONCE);
    kill(getpid(), SIGTERM); /* its callback stops the watcher */
    ev_run(seen.loop, EVRUN_ONCE);
    assert_int_equal(seen.count, 3);
    static const int numbers[] = { SIGHUP, SIGUSR1, SIGTERM };
    for (int i = 0; i < 3; i++) {
        assert_int_equal(seen.list[i].number, numbers[i]);
        assert_true(seen.list[i].has_sender);
        assert_int_equal(seen.list[i].pid, getpid());
        assert_int_equal(seen.list[i].uid, getuid());
    }
    service_signals_stop(&signals, seen.loop); /* harmless */
    ev_loop_destroy(seen.loop);
}

/* sigqueue() has its sender's word only, and raise() the kernel's. */
static void test_who_has_sent_a_signal(void **state)
{
    (void)state;
    struct service_signals signals;
    struct seen seen = { .signals = &signals, .loop = ev_loop_new(EVFLAG_NOENV) };

    assert_true(service_signals_start(&signals, seen.loop, on_signal, &seen));
    sigqueue(getpid(), SIGHUP, (union sigval){ .sival_int = 1 });
    ev_run(seen.loop, EVRUN_ONCE);
    raise(SIGUSR1);
    ev_run(seen.loop, EVRUN_ONCE);
    assert_int_equal(seen.count, 2);
    assert_false(seen.list[0].has_sender);
    assert_int_equal(seen.list[0].pid, 0);
    assert_true(seen.list[1].has_sender);
    assert_int_equal(seen.list[1].pid, getpid());
    service_signals_stop(&signals, seen.loop);
    ev_loop_destroy(seen.loop);
}

static void test_sigpipe_is_ignored(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    close(fds[0]);
    assert_int_equal(write(fds[1], "x", 1), -1);
    close(fds[1]);
}

static void check_notified(const char *socket_name, int fd)
{
    char got[64];

    setenv("NOTIFY_SOCKET", socket_name, 1);
    service_notify("READY=1");
    ssize_t n = recv(fd, got, sizeof(got), MSG_DONTWAIT);
    assert_int_equal(n, 7);
    assert_memory_equal(got, "READY=1", 7);
    close(fd);
}

static int bound(struct sockaddr_un *addr, size_t path_len)
{
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path_len);
    assert_int_equal(bind(fd, (struct sockaddr *)addr, len), 0);
    return fd;
}

static void test_notify(void **state)
{
    char name[64];
    struct sockaddr_un addr = { .sun_family = AF_UNIX };

    unsetenv("NOTIFY_SOCKET");
    service_notify("READY=1");
    setenv("NOTIFY_SOCKET", "relative", 1);
    service_notify("READY=1");

    snprintf(name, sizeof(name), "%s/notify", (char *)*state);
    snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", name);
    check_notified(name, bound(&addr, strlen(name) + 1));
    unlink(name);
    service_notify("READY=1"); /* nobody there: no matter */

    snprintf(name, sizeof(name), "@postern-test-%d", (int)getpid());
    memset(addr.sun_path, 0, sizeof(addr.sun_path));
    memcpy(addr.sun_path + 1, name + 1, strlen(name) - 1);
    check_notified(name, bound(&addr, strlen(name)));
    unsetenv("NOTIFY_SOCKET");
}

static void test_ready_file(void **state)
{
    char path[64], why[200] = "", got[64] = "";
    struct stat st;

    snprintf(path, sizeof(path), "%s/ready", (char *)*state);
    assert_true(service_write_ready_file(path, "{\"old\":1, \"longer\":2}", why, sizeof(why)));
    assert_true(service_write_ready_file(path, "{\"port\":1}", why, sizeof(why)));
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_int_equal(fread(got, 1, sizeof(got) - 1, file), 10);
    fclose(file);
    assert_string_equal(got, "{\"port\":1}");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0644);
    unlink(path);
    assert_int_equal(rmdir(*state), 0); /* nothing is left beside it */

    assert_false(service_write_ready_file(path, "{}", why, sizeof(why)));
    assert_non_null(strstr(why, path));
    assert_int_equal(mkdir(*state, 0700), 0);
}

static int setup(void **state)
{
    static char dir[] = "/tmp/postern-test-XXXXXX";
    *state = mkdtemp(dir);
    service_block_signals();
    return *state == NULL;
}

static int teardown(void **state)
{
    return rmdir(*state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nofile_is_raised),   cmocka_unit_test(test_cores),
        cmocka_unit_test(test_signals_are_events), cmocka_unit_test(test_who_has_sent_a_signal),
        cmocka_unit_test(test_sigpipe_is_ignored), cmocka_unit_test(test_notify),
        cmocka_unit_test(test_ready_file),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
