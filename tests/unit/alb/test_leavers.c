/* test_leavers.c -- whose connections are to end since the edge set has him no longer: by the
 * address that connects, and by setting by the one that it has announced. */
#include "config_fixture.h"

#include <sys/socket.h>

#include "alb/access_log.h"
#include "alb/balancer.h"
#include "alb/edge.h"
#include "alb/leavers.h"
#include "alb/registrations.h"
#include "alb/tunnel_private.h"
#include "alb/worker.h"

#define IN "127.0.0.2"
#define OUT "127.0.0.3"
#define CLOSE "on_leave = close\n"
#define CHECKED "check_announced = on\n"

static struct balancer balancer;
static struct worker worker;
static struct listener listener;
static struct config *config;
static struct edge_view *view;

static const struct {
    const char *name, *edge; /* lines of the section */
    const char *peer;        /* the address that connects */
    const char *client;      /* whom it announces; NULL: nobody */
    bool has_left;
} rows[] = {
    { "in the set", "allow = " IN "\n" CLOSE, IN, NULL, false },
    { "not in the set", "allow = " IN "\n" CLOSE, OUT, NULL, true },
    { "who leaves may stay", "allow = " IN "\non_leave = keep\n", OUT, NULL, false },
    { "so by default", "allow = " IN "\n", OUT, NULL, false },
    { "nothing is enforced", "allow = " IN "\nenforce = observe\n" CLOSE, OUT, NULL, false },
    { "everybody is in", "allow = any\n" CLOSE, OUT, NULL, false },
    { "nobody is in", "allow = none\n" CLOSE, IN, NULL, true },
    { "it announces a stranger", "allow = " IN "\n" CLOSE, IN, OUT, false },
    { "a stranger announces a member", "allow = " IN "\n" CLOSE, OUT, IN, true },
    { "it announces a stranger, who is looked at", "allow = " IN "\n" CLOSE CHECKED, IN, OUT,
      true },
    { "both are members", "allow = " IN "\n" CLOSE CHECKED, IN, IN, false },
    { "nobody is announced", "allow = " IN "\n" CLOSE CHECKED, IN, NULL, false },
    { "a stranger announces a member, who is looked at", "allow = " IN "\n" CLOSE CHECKED, OUT, IN,
      true },
};

static struct ip ip_of(const char *text)
{
    struct ip ip;

    assert_true(ip_parse(span_text(text), &ip));
    return ip;
}

static void start(const char *edge)
{
    struct problems p;
    char text[1024];

    snprintf(text, sizeof(text), "[edge]\n%s" LISTENER GROUP, edge);
    config = read_text(text, &p);
    assert_non_null(config);
    problems_done(&p);
    view = edge_view_new(config, &balancer.said.edge);
    list_init(&worker.clients);
    worker.balancer = &balancer;
    worker.config = config;
    worker.edge = view;
}

static void stop(void)
{
    edge_view_free(&view);
    config_free(&config);
}

static void test_clients(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct ip peer = ip_of(rows[i].peer);
        struct access_client c = { .ip = peer };
        if (rows[i].client != NULL) {
            c.ip = ip_of(rows[i].client);
            c.announced.via = peer;
        }
        start(rows[i].edge);
        if (leaver_is_client(&worker, &c) != rows[i].has_left)
            fail_msg("%s", rows[i].name);
        stop();
    }
}

/* --- WebSockets -------------------------------------------------------------------------- */

/* A connection from that address of this machine; the far end is in `*far`. */
static int accept_from(const char *address, int *far)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof(at);
    const struct ip ip = ip_of(address);
    const int door = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct addr from;

    assert_int_equal(bind(door, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(door, 1), 0);
    assert_int_equal(getsockname(door, (struct sockaddr *)&at, &size), 0);
    *far = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    addr_of_ip(&ip, 0, &from);
    assert_int_equal(bind(*far, &from.sa, from.len), 0);
    assert_int_equal(connect(*far, (struct sockaddr *)&at, size), 0);
    const int fd = accept4(door, NULL, NULL, SOCK_CLOEXEC);
    assert_int_not_equal(fd, -1);
    close(door);
    return fd;
}

static struct tunnel *tunnel_of(size_t row, int fd)
{
    const char *client = rows[row].client != NULL ? rows[row].client : rows[row].peer;
    struct tunnel *t =
        tunnel_new(NULL, &(struct tunnel_facts){ .client = ip_of(client), .listener = &listener });

    t->client.stream.fd = fd;
    return t;
}

static void test_websockets(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        int far;
        const int fd = accept_from(rows[i].peer, &far);
        struct tunnel *t = tunnel_of(i, fd);
        start(rows[i].edge);
        if (leaver_is_tunnel(&worker, t) != rows[i].has_left)
            fail_msg("%s", rows[i].name);
        worker.tunnels = &t;
        worker.tunnel_count = 1;
        assert_int_equal(leavers_look(&worker), rows[i].has_left);
        t->is_told = true; /* he has his Close already */
        assert_int_equal(leavers_look(&worker), 0);
        worker.tunnel_count = 0;
        stop();
        free(t);
        close(fd);
        close(far);
    }
}

/* Nobody can say any more who was there: its own end is near. */
static void test_a_websocket_whose_client_has_gone(void **state)
{
    int far;
    const int fd = accept_from(OUT, &far);
    struct tunnel *t = tunnel_of(1, fd);
    (void)state;

    start(rows[1].edge);
    assert_true(leaver_is_tunnel(&worker, t));
    const struct linger at_once = { .l_onoff = 1 };
    assert_int_equal(setsockopt(far, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
    close(far);
    assert_false(leaver_is_tunnel(&worker, t));
    stop();
    free(t);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clients),
        cmocka_unit_test(test_websockets),
        cmocka_unit_test(test_a_websocket_whose_client_has_gone),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
