/* The filter in the kernel, on the loopback: whoever is outside hears nothing, and is counted. */
#include "edge_fixture.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/addr.h"
#include "net/edge_filter.h"

static char why[512];
static struct edge_filter *filter;

/* Where the kernel lets us: as root. */
static int with_filter(void **state)
{
    (void)state;
    filter = edge_filter_new();
    return 0;
}

static int without_filter(void **state)
{
    (void)state;
    edge_filter_free(&filter);
    return 0;
}

static void need_ebpf(void)
{
    if (edge_filter_mode(filter) == EDGE_FILTER_EBPF)
        return;
    print_message("not tested: %s\n", edge_filter_lack(filter));
    skip();
}

static bool set_rule(const char *blocks, enum edge_doing doing)
{
    struct edge_set *set = set_of(blocks);
    const struct edge_rule rule = { set, doing };
    const bool ok = edge_filter_set(filter, &rule, why, sizeof(why));

    edge_set_free(&set);
    return ok;
}

static struct addr at(const char *ip, uint16_t port)
{
    const struct ip parsed = ip_of(ip);
    struct addr addr;

    addr_of_ip(&parsed, port, &addr);
    return addr;
}

/* A listener with the filter; its address in `addr`, whose port is 0. */
static int open_listener(struct addr *addr)
{
    int fd = socket(addr->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK, 0);

    assert_int_equal(bind(fd, &addr->sa, addr->len), 0);
    assert_true(edge_filter_attach(filter, fd));
    assert_int_equal(listen(fd, 16), 0);
    assert_true(addr_local(fd, addr));
    return fd;
}

/* A connection that begins. */
static int begin_from(const char *source, const struct addr *to)
{
    struct addr from = at(source, 0);
    int fd = socket(from.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK, 0);

    assert_int_equal(bind(fd, &from.sa, from.len), 0);
    if (connect(fd, &to->sa, to->len) == -1)
        assert_int_equal(errno, EINPROGRESS);
    return fd;
}

static bool is_connected(int fd, int wait_ms)
{
    struct pollfd p = { .fd = fd, .events = POLLOUT };
    int error = 0;
    socklen_t len = sizeof(error);

    if (poll(&p, 1, wait_ms) == 0)
        return false;
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
    assert_int_equal(error, 0); /* silence, or a connection: nothing else */
    return true;
}

static uint64_t dropped(int family)
{
    struct edge_filter_counts counts;

    edge_filter_counts(filter, &counts);
    return counts.dropped[family == 6];
}

static uint64_t observed(void)
{
    struct edge_filter_counts counts;

    edge_filter_counts(filter, &counts);
    return counts.observed[0];
}

/* A SYN from there: it comes through, or it is dropped and counted. */
static bool comes_through(const char *source, const struct addr *to)
{
    const int family = strchr(source, ':') == NULL ? 4 : 6;
    const uint64_t before = dropped(family);
    const int fd = begin_from(source, to);

    while (dropped(family) == before && !is_connected(fd, 1))
        ;
    const bool is_in = is_connected(fd, 0);
    close(fd);
    return is_in;
}

static void test_members_only(void **state)
{
    struct addr v4 = at("127.0.0.1", 0), v6 = at("::1", 0);
    (void)state;

    need_ebpf();
    assert_true(set_rule("127.0.0.2 127.0.3.0/24", EDGE_DROPS));
    const int fd = open_listener(&v4), fd6 = open_listener(&v6);

    assert_true(comes_through("127.0.0.2", &v4));
    assert_true(comes_through("127.0.3.77", &v4));
    assert_false(comes_through("127.0.0.1", &v4));
    assert_false(comes_through("127.0.4.1", &v4));
    assert_false(comes_through("::1", &v6));
    assert_true(set_rule("::1", EDGE_DROPS));
    assert_true(comes_through("::1", &v6));
    assert_false(comes_through("127.0.0.2", &v4));
    close(fd);
    close(fd6);
}

static void test_who_is_not_dropped(void **state)
{
    struct addr to = at("127.0.0.1", 0);
    (void)state;

    need_ebpf();
    assert_true(set_rule("", EDGE_ADMITS_ALL));
    const int fd = open_listener(&to);

    assert_true(comes_through("127.0.0.5", &to));
    assert_int_equal(observed(), 0);
    assert_true(set_rule("127.0.0.2", EDGE_OBSERVES));
    assert_true(comes_through("127.0.0.5", &to));
    assert_true(comes_through("127.0.0.2", &to));
    assert_int_equal(observed(), 1);
    assert_true(set_rule("127.0.0.2", EDGE_DROPS));
    assert_false(comes_through("127.0.0.5", &to));
    close(fd);
}

/* What changes in two steps: first more, then less. */
static void test_extended_then_settled(void **state)
{
    struct addr to = at("127.0.0.1", 0);
    struct edge_set *next = set_of("127.0.0.3");
    const struct edge_rule rule = { next, EDGE_DROPS };
    (void)state;

    need_ebpf();
    assert_true(set_rule("127.0.0.2", EDGE_DROPS));
    const int fd = open_listener(&to);

    assert_true(edge_filter_extend(filter, &rule, why, sizeof(why)));
    assert_true(comes_through("127.0.0.2", &to));
    assert_true(comes_through("127.0.0.3", &to));
    edge_filter_settle(filter);
    assert_false(comes_through("127.0.0.2", &to));
    assert_true(comes_through("127.0.0.3", &to));
    edge_set_free(&next);
    close(fd);
}

/* Blocks inside of others come and go. */
static void test_nested_blocks(void **state)
{
    struct addr to = at("127.0.0.1", 0);
    (void)state;

    need_ebpf();
    assert_true(set_rule("127.0.0.0/24", EDGE_DROPS));
    const int fd = open_listener(&to);

    assert_true(set_rule("127.0.0.2 127.0.0.128/25", EDGE_DROPS));
    assert_true(comes_through("127.0.0.2", &to));
    assert_true(comes_through("127.0.0.200", &to));
    assert_false(comes_through("127.0.0.3", &to));
    assert_true(set_rule("127.0.0.0/8", EDGE_DROPS));
    assert_true(comes_through("127.0.0.3", &to));
    close(fd);
}

static void test_refused_are_noted(void **state)
{
    struct addr v4 = at("127.0.0.1", 0), v6 = at("::1", 0);
    struct edge_refused seen[4];
    (void)state;

    need_ebpf();
    assert_true(set_rule("", EDGE_DROPS));
    const int fd = open_listener(&v4), fd6 = open_listener(&v6);
    const uint64_t began_ms = clock_mono_ms();

    assert_false(comes_through("127.0.0.9", &v4));
    assert_false(comes_through("127.0.0.9", &v4));
    assert_false(comes_through("::1", &v6));
    assert_int_equal(edge_filter_refused(filter, seen, 4), 2);
    const struct edge_refused *of_4 = &seen[seen[0].ip.family == 4 ? 0 : 1];
    const struct edge_refused *of_6 = &seen[seen[0].ip.family == 4 ? 1 : 0];
    const struct ip first = ip_of("127.0.0.9"), second = ip_of("::1");
    assert_true(ip_equal(&of_4->ip, &first));
    assert_true(ip_equal(&of_6->ip, &second));
    assert_true(of_4->count >= 2); /* a SYN is sent again */
    assert_int_equal(of_4->port, addr_port(&v4));
    assert_int_equal(of_6->port, addr_port(&v6));
    assert_true(of_4->last_ms + 1 >= began_ms && of_4->last_ms <= clock_mono_ms());
    assert_int_equal(edge_filter_refused(filter, seen, 1), 1);
    close(fd);
    close(fd6);
}

/* An accepted socket does not care for the set any more. */
static void test_accepted_sockets_shed_it(void **state)
{
    struct addr to = at("127.0.0.1", 0);
    char byte;
    (void)state;

    need_ebpf();
    assert_true(set_rule("127.0.0.2", EDGE_DROPS));
    const int fd = open_listener(&to), client = begin_from("127.0.0.2", &to);
    assert_true(is_connected(client, 5000));
    const int peer = accept(fd, NULL, NULL);
    assert_true(peer != -1);

    edge_filter_shed(peer);
    edge_filter_shed(peer);
    assert_true(set_rule("", EDGE_DROPS));
    assert_int_equal(write(client, "x", 1), 1);
    assert_int_equal(read(peer, &byte, 1), 1);
    close(peer);
    close(client);
    close(fd);
}

/* The socket is to be closed: no new connection, by whomever. */
static void test_leaving(void **state)
{
    struct addr to = at("127.0.0.1", 0);
    (void)state;

    need_ebpf();
    assert_true(set_rule("127.0.0.2", EDGE_DROPS));
    const int fd = open_listener(&to);

    assert_true(edge_filter_attach_leaving(filter, fd));
    const int client = begin_from("127.0.0.2", &to);
    assert_false(is_connected(client, 50));
    close(client);
    assert_true(edge_filter_attach(filter, fd));
    assert_true(comes_through("127.0.0.2", &to));
    close(fd);
}

/* --- many ------------------------------------------------------------------------------ */

static struct edge_set *set_of_many(uint32_t first, size_t count)
{
    struct edge_set *set = edge_set_new();

    for (size_t i = 0; i < count; i++) {
        const uint32_t a = first + 2 * (uint32_t)i;
        const struct cidr block = {
            { 4, { (uint8_t)(a >> 24), (uint8_t)(a >> 16), (uint8_t)(a >> 8), (uint8_t)a } }, 32
        };
        edge_set_add(set, &block);
    }
    edge_set_build(set);
    return set;
}

static void test_full(void **state)
{
    struct addr to = at("127.0.0.1", 0);
    struct edge_set *many = set_of_many(0x0a000000, EDGE_BLOCKS_MAX - 1);
    struct edge_set *others = set_of_many(0x7f000002, 2);
    struct edge_rule rule = { many, EDGE_DROPS };
    (void)state;

    need_ebpf();
    const int fd = open_listener(&to);
    assert_true(edge_filter_set(filter, &rule, why, sizeof(why)));
    rule.set = others; /* there is room for one of the two */
    assert_false(edge_filter_has_room(filter, &rule, why, sizeof(why)));
    assert_false(edge_filter_set(filter, &rule, why, sizeof(why)));
    assert_non_null(strstr(why, "the old IPv4 blocks (262143) and the new ones (2) are 262145,"));
    assert_false(comes_through("127.0.0.2", &to));
    assert_true(set_rule("10.0.0.0", EDGE_DROPS));
    assert_true(edge_filter_set(filter, &rule, why, sizeof(why)));
    assert_true(comes_through("127.0.0.2", &to));
    assert_true(comes_through("127.0.0.4", &to));
    edge_set_free(&many);
    edge_set_free(&others);
    close(fd);
}

/* --- to another process ------------------------------------------------------------------- */

/* As if we were that one. */
static struct edge_filter *adopted(void)
{
    int fds[EDGE_FILTER_FDS], copies[EDGE_FILTER_FDS];

    assert_true(edge_filter_handles(filter, fds));
    for (int i = 0; i < EDGE_FILTER_FDS; i++)
        copies[i] = dup(fds[i]);
    return edge_filter_adopt(copies);
}

static void test_adopted(void **state)
{
    struct addr to = at("127.0.0.1", 0);
    struct edge_set *next = set_of("127.0.0.3 10.0.0.0/8 ::1");
    const struct edge_rule rule = { next, EDGE_DROPS };
    (void)state;

    need_ebpf();
    assert_true(set_rule("127.0.0.2 2001:db8::/32 ::1", EDGE_DROPS));
    const int fd = open_listener(&to);
    struct edge_filter *other = adopted();

    assert_true(edge_filter_set(other, &rule, why, sizeof(why)));
    assert_false(comes_through("127.0.0.2", &to));
    assert_true(comes_through("127.0.0.3", &to));
    edge_filter_reclaim(filter);
    assert_true(comes_through("127.0.0.2", &to));
    assert_false(comes_through("127.0.0.3", &to));
    edge_filter_free(&other);
    edge_set_free(&next);
    close(fd);
}

#define WITH_FILTER(test) cmocka_unit_test_setup_teardown(test, with_filter, without_filter)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FILTER(test_members_only),
        WITH_FILTER(test_who_is_not_dropped),
        WITH_FILTER(test_extended_then_settled),
        WITH_FILTER(test_nested_blocks),
        WITH_FILTER(test_refused_are_noted),
        WITH_FILTER(test_accepted_sockets_shed_it),
        WITH_FILTER(test_leaving),
        WITH_FILTER(test_full),
        WITH_FILTER(test_adopted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
