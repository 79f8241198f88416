/* Handshakes that have begun and not ended: a client whose kernel drops what comes to it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <linux/filter.h>
#include <poll.h>
#include <unistd.h>

#include "net/half_open.h"
#include "net/listener.h"

static char why[300];

static struct addr parsed(const char *text)
{
    struct addr addr;

    assert_true(addr_parse(span_text(text), true, &addr, why, sizeof(why)));
    return addr;
}

static int opened(struct addr *addr)
{
    assert_true(listener_probe(addr, why, sizeof(why)));
    const int fd = listener_open(addr, false, why, sizeof(why));
    assert_true(fd != -1);
    return fd;
}

/* Its SYN goes out; the answer to it does not come in. */
static int half_connected(const struct addr *to)
{
    struct sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
    const struct sock_fprog program = { 1, &nothing };
    const int fd = socket(to->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK, 0);

    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)), 0);
    assert_int_equal(connect(fd, &to->sa, to->len), -1);
    assert_int_equal(errno, EINPROGRESS);
    return fd;
}

/* Each is answered when it is sent again. */
static void let_in(int fd)
{
    const int unused = 0;
    struct pollfd p = { .fd = fd, .events = POLLOUT };

    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &unused, sizeof(unused)), 0);
    assert_int_equal(poll(&p, 1, 20 * 1000), 1);
}

static const struct {
    const char *bind, *connect_to, *elsewhere;
} cases[] = {
    { "127.0.0.1:0", "127.0.0.1:0", "127.0.0.2:0" },
    { "0.0.0.0:0", "127.0.0.1:0", "127.0.0.2:0" },
    { "[::1]:0", "[::1]:0", "[::2]:0" },
    { "[::]:0", "[::1]:0", "127.0.0.1:0" },
};

static void test_each_is_counted_until_it_is_whole(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct addr at = parsed(cases[i].bind), to = parsed(cases[i].connect_to);
        struct addr elsewhere = parsed(cases[i].elsewhere);
        const int fd = opened(&at);
        addr_set_port(&to, addr_port(&at));
        addr_set_port(&elsewhere, addr_port(&at));
        assert_int_equal(half_open_count(&at), 0);
        const int a = half_connected(&to), b = half_connected(&to);
        assert_int_equal(half_open_count(&at), 2);
        assert_int_equal(half_open_count(&elsewhere), 0);
        let_in(a);
        assert_int_equal(half_open_count(&at), 1);
        close(a);
        close(b);
        close(fd);
    }
}

static void test_many_need_more_than_one_answer(void **state)
{
    enum { MANY = 120 };
    struct addr at = parsed("127.0.0.1:0");
    const int fd = opened(&at);
    int clients[MANY];

    (void)state;
    for (int i = 0; i < MANY; i++)
        clients[i] = half_connected(&at);
    assert_int_equal(half_open_count(&at), MANY);
    for (int i = 0; i < MANY; i++)
        close(clients[i]);
    close(fd);
}

static void test_no_address_of_tcp(void **state)
{
    struct addr at;

    (void)state;
    assert_true(addr_unix("/run/a.sock", &at));
    assert_int_equal(half_open_count(&at), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_is_counted_until_it_is_whole),
        cmocka_unit_test(test_many_need_more_than_one_answer),
        cmocka_unit_test(test_no_address_of_tcp),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
