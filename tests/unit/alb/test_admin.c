/* test_admin.c -- the admin port and the control socket, over real sockets, in
 * front of a balancer without loops. */
#include <errno.h>
#include <jansson.h>
#include <sys/stat.h>

#include "base/log.h"

#include "base/seal.h"

#include "alb/admin.h"
#include "alb/balancer_private.h"
#include "alb/edge.h"
#include "alb/health.h"
#include "alb/members.h"
#include "alb/names.h"
#include "alb/doors.h"
#include "alb/tunnel_listing.h"

#include "config_fixture.h"

/* Any free port: another program may have that of the fixture. */
#define ANY_PORT "[listener web]\nbind = 127.0.0.1:0\ndefault_action = forward chat\n"

enum { ANSWER_BYTES = 256 * 1024 };

static struct balancer b;
static struct addr tcp, control;
static char answer[ANSWER_BYTES];

static const char good_file[] = EDGE ANY_PORT GROUP;

static void no_change(void *user)
{
    (void)user;
}

static int set_up(void **state)
{
    struct problems p;
    char why[256];

    (void)state;
    write_text("alb.ini", good_file);
    memset(&b, 0, sizeof(b));
    b.path = "alb.ini";
    b.state_path = mem_text("alb.state");
    list_init(&b.listeners);
    list_init(&b.waiters);
    list_init(&b.listings);
    tunnel_ring_init(&b.closed);
    registry_init(&b.registry);
    balancer_make_filters(&b);
    balancer_init_logs(&b);
    loop_init(&b.control, -1, 64, &b);
    b.started_ms = clock_mono_ms();
    b.ring = seal_ring_random();
    b.config = read_text(good_file, &p);
    problems_done(&p);
    b.names = names_new(b.control.ev, &b.counters, no_change, NULL);
    const struct members_sources sources = balancer_sources(&b);
    b.members = members_new(&b.registry, b.config, &sources);
    b.health = health_new(b.control.ev);
    b.admin = admin_new(&b);
    b.doors = doors_new(&b);
    assert_true(addr_parse(SPAN("127.0.0.1:0"), true, &tcp, why, sizeof(why)));
    assert_true(admin_listen_tcp(b.admin, &tcp, &tcp, why, sizeof(why)));
    assert_true(admin_listen_unix(b.admin, "alb.sock", why, sizeof(why)));
    assert_true(addr_unix("alb.sock", &control));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    admin_free(&b.admin);
    doors_free(&b.doors);
    audit_done(&b.audit);
    names_free(&b.names);
    edge_view_free(&b.edge);
    assert_int_equal(access("alb.sock", F_OK), -1);
    health_free(&b.health);
    members_free(&b.members);
    config_free(&b.config);
    seal_ring_free(&b.ring);
    registry_done(&b.registry);
    registrations_done(&b.said);
    mem_free(b.state_path);
    unlink("alb.state");
    balancer_end_logs(&b);
    balancer_free_filters(&b);
    tunnel_listings_done(&b);
    tunnel_ring_done(&b.closed);
    list_each_safe (at, after, &b.listeners) {
        struct listener *l = list_entry(at, struct listener, link);
        free(l->name);
        free(l->bind);
        free(l);
    }
    loop_done(&b.control);
    return 0;
}

static int enter(void **state)
{
    const int failed = enter_folder(state);

    clock_run();
    return failed;
}

/* --- a client on the same thread ------------------------------------------------------- */

static int dial(const struct addr *to)
{
    const int fd = socket(to->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(connect(fd, &to->sa, to->len), 0);
    return fd;
}

static void put(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        const ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n == -1)
            assert_int_equal(errno, EAGAIN);
        bytes += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
        ev_run(b.control.ev, EVRUN_NOWAIT);
    }
}

/* What has come within `ms`, or up to the end of the connection, which is true. */
static bool take(int fd, unsigned ms)
{
    const uint64_t end = clock_mono_ms() + ms;
    size_t len = 0;
    ssize_t n = -1;

    while (n != 0 && clock_mono_ms() < end) {
        ev_run(b.control.ev, EVRUN_NOWAIT);
        n = recv(fd, answer + len, sizeof(answer) - 1 - len, MSG_DONTWAIT);
        len += n > 0 ? (size_t)n : 0;
    }
    answer[len] = '\0';
    return n == 0;
}

/* One request, whose answer is the last. */
static void ask(const struct addr *to, const char *request)
{
    const int fd = dial(to);

    put(fd, request, strlen(request));
    assert_true(take(fd, 5000));
    close(fd);
}

static const char *body(void)
{
    const char *end = strstr(answer, "\r\n\r\n");

    assert_non_null(end);
    return end + 4;
}

static void expect_answer(const char *name, const char *want)
{
    if (!text_wildcard(span_text(want), span_text(answer), false))
        fail_msg("%s:\n--- got\n%s--- want\n%s", name, answer, want);
}

/* --- who may ask for what ----------------------------------------------------------------- */

#define END "Connection: close\r\n\r\n"
#define LOCAL "Host: localhost\r\n" END

static const struct exchange_case {
    const char *name;
    bool on_control;
    const char *request, *want;
} cases[] = {
    { "health", false, "GET /health HTTP/1.1\r\n" LOCAL, "HTTP/1.1 200 OK\r\n*\r\n\r\nok\n" },
    { "health, control", true, "GET /health HTTP/1.1\r\n" LOCAL, "HTTP/1.1 200 *\r\n\r\nok\n" },
    { "it says who", false, "GET /health HTTP/1.1\r\n" LOCAL, "*Server: postern-alb\r\n*" },
    { "HEAD", false, "HEAD /health HTTP/1.1\r\n" LOCAL, "HTTP/1.1 200 *Length: 3\r\n*\r\n\r\n" },
    { "a query", false, "GET /health?x=1 HTTP/1.1\r\n" LOCAL, "HTTP/1.1 200 *" },
    { "no such page", false, "GET /nope HTTP/1.1\r\n" LOCAL,
      "HTTP/1.1 404 *GET  /metrics *GET  /status *" },
    { "commands are listed on control", true, "GET /nope HTTP/1.1\r\n" LOCAL,
      "HTTP/1.1 404 *POST /reload *" },
    { "no command on TCP", false, "POST /reload HTTP/1.1\r\nContent-Length: 0\r\n" LOCAL,
      "HTTP/1.1 405 *Allow: GET, HEAD\r\n*commands go to the control socket.\n" },
    { "nor by GET", false, "GET /reload HTTP/1.1\r\n" LOCAL, "HTTP/1.1 404 *" },
    { "a command is POST", true, "GET /reload HTTP/1.1\r\n" LOCAL,
      "HTTP/1.1 405 *Allow: POST\r\n*" },
    { "a page is GET", true, "POST /status HTTP/1.1\r\nContent-Length: 0\r\n" LOCAL,
      "HTTP/1.1 405 *Allow: GET, HEAD\r\n*" },
    { "no request at all", false, "hello\r\n\r\n", "HTTP/1.1 400 *" },
    { "chunks", true, "POST /reload HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" LOCAL,
      "HTTP/1.1 411 *" },
    { "a body too large", true, "POST /reload HTTP/1.1\r\nContent-Length: 1048577\r\n" LOCAL,
      "HTTP/1.1 413 *" },
    { "IPv4", false, "GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n" END, "HTTP/1.1 200 *" },
    { "IPv6", false, "GET /health HTTP/1.1\r\nHost: [::1]\r\n" END, "HTTP/1.1 200 *" },
    { "bare IPv6", false, "GET /health HTTP/1.1\r\nHost: ::1\r\n" END, "HTTP/1.1 4*" },
    { "any case", false, "GET /health HTTP/1.1\r\nHost: LocalHost\r\n" END, "HTTP/1.1 200 *" },
    { "a name", false, "GET /health HTTP/1.1\r\nHost: evil.example\r\n" END, "HTTP/1.1 403 *" },
    { "a name that ends well", false, "GET /health HTTP/1.1\r\nHost: x.localhost\r\n" END,
      "HTTP/1.1 403 *" },
    { "a name that starts well", false, "GET /health HTTP/1.1\r\nHost: 127.0.0.1.nip.io\r\n" END,
      "HTTP/1.1 403 *" },
    { "another port", false, "GET /health HTTP/1.1\r\nHost: localhost:1\r\n" END,
      "HTTP/1.1 403 *" },
    { "no host", false, "GET /health HTTP/1.0\r\n\r\n", "HTTP/1.1 403 *" },
    { "names are fine on control", true, "GET /health HTTP/1.1\r\nHost: alb\r\n" END,
      "HTTP/1.1 200 *" },
};

static void test_who_may_ask_for_what(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        ask(cases[i].on_control ? &control : &tcp, cases[i].request);
        expect_answer(cases[i].name, cases[i].want);
    }
}

static void test_the_right_port_in_host(void **state)
{
    char request[128];
    (void)state;
    snprintf(request, sizeof(request), "GET /health HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n" END,
             addr_port(&tcp));
    ask(&tcp, request);
    expect_answer("port", "HTTP/1.1 200 *");
}

static void test_one_byte_at_a_time(void **state)
{
    static const char request[] = "GET /health HTTP/1.1\r\n" LOCAL;
    (void)state;
    const int fd = dial(&tcp);
    for (size_t i = 0; i < sizeof(request) - 1; i++) {
        assert_false(take(fd, 0));
        assert_string_equal(answer, "");
        put(fd, request + i, 1);
    }
    assert_true(take(fd, 5000));
    expect_answer("byte at a time", "HTTP/1.1 200 *\r\n\r\nok\n");
    close(fd);
}

static void test_requests_on_one_connection_in_order(void **state)
{
    static const char request[] = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
                                  "POST /status HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
                                  "GET /nope HTTP/1.1\r\n" LOCAL "GET /health HTTP/1.1\r\n" LOCAL;
    (void)state;
    const int fd = dial(&control);
    put(fd, request, sizeof(request) - 1);
    assert_true(take(fd, 5000));
    close(fd);
    expect_answer("in order", "HTTP/1.1 200 *ok\nHTTP/1.1 405 *HTTP/1.1 404 *they do again\n");
    assert_null(strstr(strstr(answer, "404"), "200 OK")); /* nothing after the last */
}

static void test_a_large_body_is_taken_and_an_answer_not_lost(void **state)
{
    static char big[1024 * 1024 + 100];
    (void)state;
    const int n = snprintf(big, 200, "POST /status HTTP/1.1\r\nContent-Length: 1000000\r\n" LOCAL);
    memset(big + n, 'x', sizeof(big) - (size_t)n);
    const int fd = dial(&control);
    put(fd, big, (size_t)n + 1000000);
    assert_true(take(fd, 5000));
    close(fd);
    expect_answer("large", "HTTP/1.1 405 *");
}

/* --- reports ---------------------------------------------------------------------------- */

static void test_status_is_json(void **state)
{
    (void)state;
    atomic_store(&b.members->groups[0].targets[0]->state, TARGET_HEALTHY);
    atomic_store(&b.members->groups[0].targets[0]->outstanding, 3);
    ask(&tcp, "GET /status HTTP/1.1\r\n" LOCAL);
    json_t *json = json_loads(body(), 0, NULL);
    const char *state_is, *config, *group, *target, *health_is;
    int workers, outstanding;
    assert_non_null(json);
    assert_int_equal(json_unpack(json, "{s:s,s:s,s:i,s:[],s:[{s:s,s:[{s:s,s:s,s:s,s:s,s:i}]}]}",
                                 "state", &state_is, "config", &config, "workers", &workers,
                                 "listeners", "target_groups", "name", &group, "targets", "target",
                                 &target, "state", &health_is, "reason", &(const char *){ NULL },
                                 "description", &(const char *){ NULL }, "outstanding",
                                 &outstanding),
                     0);
    assert_string_equal(state_is, "serving");
    assert_string_equal(config, "alb.ini");
    assert_string_equal(group, "chat");
    assert_string_equal(target, "127.0.0.1:9001");
    assert_string_equal(health_is, "healthy");
    assert_int_equal(outstanding, 3);
    json_decref(json);
}

static void test_metrics_have_every_target(void **state)
{
    static const char *const lines[] = {
        "\nalb_uptime_seconds ",
        "\nalb_build_info{version=\"" POSTERN_VERSION "\"} 1\n",
        "\nalb_reloads_total{outcome=\"accepted\"} 0\n",
        "\nalb_connections_total 4\n",
        "\nalb_healthy_hosts{target_group=\"chat\"} 0\n",
        "\nalb_unhealthy_hosts{target_group=\"chat\"} 1\n",
        "\nalb_target_healthy{target_group=\"chat\",target=\"127.0.0.1:9001\"} 0\n",
        "\nalb_target_requests_total{target_group=\"chat\",target=\"127.0.0.1:9001\"} 7\n",
        "\nalb_target_connections_total{target_group=\"chat\",target=\"127.0.0.1:9001\"} 0\n",
    };
    (void)state;
    metric_add(&b.counters.connections, 4);
    metric_add(&b.members->groups[0].targets[0]->counters.requests, 7);
    ask(&tcp, "GET /metrics HTTP/1.1\r\n" LOCAL);
    expect_answer("type", "*Content-Type: text/plain; version=0.0.4;*");
    for (size_t i = 0; i < COUNT(lines); i++) {
        if (strstr(body(), lines[i]) == NULL)
            fail_msg("missing:%s in\n%s", lines[i], body());
    }
}

/* --- reloading --------------------------------------------------------------------------- */

#define RELOAD "POST /reload HTTP/1.1\r\nContent-Length: 0\r\n" LOCAL

static void test_a_bad_file_is_refused_with_every_line(void **state)
{
    (void)state;
    write_text("alb.ini", EDGE LISTENER GROUP "x\xff = \"1\n[nope]\n");
    ask(&control, RELOAD);
    expect_answer("refused",
                  "HTTP/1.1 400 *{\"ok\":false,\"errors\":[\"alb.ini:*\",\"alb.ini:*\"]}\n");
    json_t *json = json_loads(body(), 0, NULL);
    assert_non_null(json);
    json_decref(json);
    assert_int_equal(b.reloads_failed, 1);
}

/* All loops have what is under way. */
static void swap_all(void)
{
    assert_non_null(b.publishing);
    atomic_store(&b.publishing->waiting, 1);
    publication_acknowledge(b.publishing);
}

/* There are no loops here, so that the reload is under way until we say. */
static void test_the_answer_waits_until_all_loops_have_it(void **state)
{
    (void)state;
    const int fd = dial(&control);
    put(fd, RELOAD, strlen(RELOAD));
    assert_false(take(fd, 50));
    assert_string_equal(answer, "");
    swap_all();
    assert_true(take(fd, 5000));
    close(fd);
    expect_answer("accepted",
                  "HTTP/1.1 200 *{\"ok\":true,\"message\":\"reloaded\",\"warnings\":[*]}\n");
    assert_int_equal(b.reloads, 1);
}

static void test_a_second_reload_waits_for_its_turn(void **state)
{
    int fds[3];
    (void)state;

    for (size_t i = 0; i < COUNT(fds); i++) {
        fds[i] = dial(&control);
        put(fds[i], RELOAD, strlen(RELOAD));
        assert_false(take(fds[i], 20));
    }
    assert_int_equal(b.reloads, 1);
    for (size_t i = 0; i < COUNT(fds); i++) {
        assert_int_equal(b.reloads, i + 1);
        swap_all();
        assert_true(take(fds[i], 5000));
        expect_answer("in turn", "HTTP/1.1 200 *{\"ok\":true*");
        close(fds[i]);
    }
    assert_null(b.publishing);
}

static void test_changes_of_members_are_gathered(void **state)
{
    (void)state;
    assert_int_equal(balancer_change_members(&b), 1);
    assert_int_equal(balancer_change_members(&b), 2);
    assert_int_equal(balancer_change_members(&b), 2);
    const struct config *config = b.config;
    for (unsigned i = 1; i <= 2; i++) {
        assert_int_equal(b.publishing->number, i);
        swap_all();
        for (int turns = 0; turns < 1000 && b.in_force < i; turns++)
            ev_run(b.control.ev, EVRUN_NOWAIT);
        assert_int_equal(b.in_force, i);
    }
    assert_null(b.publishing);
    assert_ptr_equal(b.config, config);
}

static void test_who_leaves_while_a_reload_is_under_way(void **state)
{
    (void)state;
    const int fd = dial(&control);
    put(fd, RELOAD, strlen(RELOAD));
    assert_false(take(fd, 20));
    close(fd);
    swap_all();
    ask(&control, "GET /health HTTP/1.1\r\n" LOCAL);
    expect_answer("still there", "HTTP/1.1 200 *");
}

/* --- sockets --------------------------------------------------------------------------------- */

static void test_the_control_socket_is_for_owner_and_group(void **state)
{
    struct stat st;
    char why[256];
    (void)state;
    assert_int_equal(stat("alb.sock", &st), 0);
    assert_int_equal(st.st_mode & 07777, 0660);
    assert_true(admin_listen_unix(b.admin, "alb.sock", why, sizeof(why))); /* there already */
}

static void test_no_more_than_64_at_a_time(void **state)
{
    enum { MOST = 64 };
    int fds[MOST + 1];
    (void)state;

    for (int i = 0; i <= MOST; i++) {
        fds[i] = dial(&tcp);
        ev_run(b.control.ev, EVRUN_NOWAIT);
    }
    put(fds[MOST], cases[0].request, strlen(cases[0].request));
    assert_false(take(fds[MOST], 20));
    assert_string_equal(answer, "");
    ask(&control, "GET /health HTTP/1.1\r\n" LOCAL); /* not kept out by them */
    close(fds[0]);
    assert_true(take(fds[MOST], 5000));
    expect_answer("the next", "HTTP/1.1 200 *");
    for (int i = 1; i <= MOST; i++)
        close(fds[i]);
}

#define WITH_ADMIN(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_ADMIN(test_who_may_ask_for_what),
        WITH_ADMIN(test_the_right_port_in_host),
        WITH_ADMIN(test_one_byte_at_a_time),
        WITH_ADMIN(test_requests_on_one_connection_in_order),
        WITH_ADMIN(test_a_large_body_is_taken_and_an_answer_not_lost),
        WITH_ADMIN(test_status_is_json),
        WITH_ADMIN(test_metrics_have_every_target),
        WITH_ADMIN(test_a_bad_file_is_refused_with_every_line),
        WITH_ADMIN(test_the_answer_waits_until_all_loops_have_it),
        WITH_ADMIN(test_a_second_reload_waits_for_its_turn),
        WITH_ADMIN(test_changes_of_members_are_gathered),
        WITH_ADMIN(test_who_leaves_while_a_reload_is_under_way),
        WITH_ADMIN(test_the_control_socket_is_for_owner_and_group),
        WITH_ADMIN(test_no_more_than_64_at_a_time),
    };

    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, enter, leave_folder);
}
