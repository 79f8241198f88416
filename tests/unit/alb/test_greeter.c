/* test_greeter.c -- a handshake thread whose worker's inbox is full: who waits, that accepting
 * stops meanwhile, and that each connection arrives once, or ends with a reason and a row. */
#include "config_fixture.h"

#include <arpa/inet.h>
#include <fcntl.h>

#include "base/log.h"
#include "net/listener.h"

#include "alb/balancer.h"
#include "alb/balancer_private.h"
#include "alb/edge.h"
#include "alb/greeter.h"
#include "alb/worker.h"

#include "../net/tls_peer.h"

enum { INBOX = 4, AT_ONCE = 24, LIMIT = 100, TURNS = 4000 };

#define HTTPS(name, bind)                                                                          \
    "[listener " name "]\nbind = " bind "\nprotocol = HTTPS\ncertificate = both.pem\n"             \
    "default_action = forward chat\n"
#define CONFIG                                                                                     \
    "[alb]\nconnection_logs.enabled = true\nconnection_logs.file = rows.txt\n"                     \
    "[edge]\nallow = 127.0.0.0/8\n" GROUP HTTPS("one", "127.0.0.1:1") HTTPS("two", "127.0.0.1:2")

static struct balancer balancer;
static struct worker worker; /* nobody runs it: the test is who takes from its inbox */
static struct greeter greeter;
static struct config *config;
static struct edge_view *edge;
static struct listener listeners[2] = {
    { .name = (char *)"one", .bind = (char *)"127.0.0.1:1", .protocol = PROTOCOL_HTTPS },
    { .name = (char *)"two", .bind = (char *)"127.0.0.1:2", .protocol = PROTOCOL_HTTPS },
};
static int log_fd;

/* --- the two sides ------------------------------------------------------------------ */

static struct peer {
    struct tls_peer tls;
    const struct listener *to;
    uint16_t port; /* its own: who it is at that listener; at another it may be somebody else's */
    bool is_silent, arrived;
} peers[AT_ONCE + 1];
static size_t peer_count;

static void listen_on(struct listener *l)
{
    struct worker_listen *order = mem_new(struct worker_listen);
    char why[200];

    assert_true(addr_parse(SPAN("127.0.0.1:0"), true, &l->bound, why, sizeof(why)));
    assert_true(listener_probe(&l->bound, why, sizeof(why)));
    order->listener = l;
    order->fd = listener_open(&l->bound, false, why, sizeof(why));
    assert_int_not_equal(order->fd, -1);
    greeter_listen(&greeter.loop, order);
}

static struct peer *connect_to(const struct listener *l)
{
    struct peer *p = &peers[peer_count++];
    struct sockaddr_in own;
    socklen_t size = sizeof(own);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(connect(fd, &l->bound.sa, l->bound.len), 0);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&own, &size), 0);
    *p = (struct peer){ .to = l, .port = ntohs(own.sin_port) };
    tls_peer_init(&p->tls, fd, NULL);
    return p;
}

static void connect_many(size_t n)
{
    for (size_t i = 0; i < n; i++)
        connect_to(&listeners[0]);
}

static void turn(void)
{
    ev_run(greeter.loop.ev, EVRUN_NOWAIT);
    for (size_t i = 0; i < peer_count; i++) {
        if (!peers[i].is_silent)
            assert_true(tls_peer_handshake(&peers[i].tls));
    }
}

static uint64_t count(metric_value *value)
{
    return metric_get(value);
}

static void turn_until(metric_value *value, uint64_t want)
{
    for (int i = 0; i < TURNS && count(value) < want; i++) {
        turn();
        usleep(1000);
    }
    assert_int_equal(count(value), want);
}

static size_t peer_of(const struct arrival *a)
{
    size_t i = 0;

    while (i < peer_count &&
           (peers[i].to != a->listener || peers[i].port != addr_port(&a->from.peer)))
        i++;
    return i;
}

/* What a worker does, but that it takes one only. False when there is none. */
static bool take_one(void)
{
    struct queue_job job;

    if (!queue_pop(&worker.loop.inbox, &job))
        return false;
    struct arrival *a = job.arg;
    const size_t i = peer_of(a);
    assert_true(i < peer_count && !peers[i].arrived);
    assert_ptr_equal(job.run, worker_adopt_connection);
    assert_non_null(a->from.tls);
    peers[i].arrived = true;
    tls_session_free(&a->from.tls);
    close(a->from.fd);
    free(a);
    return true;
}

static size_t arrived(void)
{
    size_t n = 0;

    for (size_t i = 0; i < peer_count; i++)
        n += peers[i].arrived;
    return n;
}

static void take_until(size_t want)
{
    for (int i = 0; i < TURNS && arrived() < want; i++) {
        turn();
        if (!take_one())
            usleep(1000);
    }
    assert_int_equal(arrived(), want);
}

static size_t waiting(void)
{
    size_t n = 0;

    list_each (at, &greeter.waiting)
        n++;
    return n;
}

/* The connection is ended, whatever was sent before. */
static void check_ended(const struct peer *p)
{
    char bytes[4096];
    ssize_t n;

    do
        n = recv(p->tls.fd, bytes, sizeof(bytes), 0);
    while (n > 0);
    assert_true(n == 0 || errno == ECONNRESET);
}

static size_t lines_with(const char *file, const char *text)
{
    FILE *f = fopen(file, "r");
    char line[4096];
    size_t n = 0;

    assert_non_null(f);
    while (fgets(line, sizeof(line), f) != NULL)
        n += strstr(line, text) != NULL;
    fclose(f);
    return n;
}

/* --- around a test ------------------------------------------------------------------- */

static int setup(void **state)
{
    struct problems problems;
    (void)state;

    balancer = (struct balancer){ .workers = &worker, .worker_count = 1 };
    balancer.greeters = &greeter;
    balancer.greeter_count = 1;
    atomic_init(&balancer.connection_limit, LIMIT);
    atomic_init(&worker.load, 0);
    peer_count = 0;
    clock_run();
    config = read_text(CONFIG, &problems);
    expect("config", &problems, false, "");
    loop_init(&balancer.control, -1, INBOX, &balancer);
    balancer_init_logs(&balancer);
    assert_true(balancer_open_logs(&balancer, config, &problems));
    problems_done(&problems);
    loop_init(&worker.loop, 0, INBOX, &worker);
    greeter_init(&greeter, &balancer, 0);
    greeter.config = config;
    greeter.edge = edge = edge_view_new(config, &(struct edge_additions){ .count = 0 });
    greeter.handshaker.timeout_ms = 60000;
    log_fd = open("log.txt", O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    log_set_fd(log_fd);
    listen_on(&listeners[0]);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    log_set_fd(2);
    close(log_fd);
    for (size_t i = 0; i < peer_count; i++) {
        close(peers[i].tls.fd);
        tls_peer_done(&peers[i].tls);
    }
    audit_done(&balancer.audit);
    loop_done(&worker.loop);
    loop_done(&balancer.control);
    edge_view_free(&edge);
    config_free(&config);
    assert_int_equal(unlink("rows.txt"), 0);
    return 0;
}

/* As the balancer does; what is in the worker's inbox is the worker's. */
static void end(void)
{
    greeter_done(&greeter);
    balancer_end_logs(&balancer);
    while (take_one())
        ;
}

/* --- the tests ------------------------------------------------------------------------ */

static void test_those_that_no_inbox_takes_wait_and_all_arrive(void **state)
{
    (void)state;
    connect_many(AT_ONCE);
    turn_until(&balancer.counters.tls_handshakes, AT_ONCE);
    assert_int_equal(waiting(), AT_ONCE - INBOX);
    take_until(AT_ONCE);
    assert_int_equal(waiting(), 0);
    turn();
    assert_false(ev_is_active(&greeter.retry));
    assert_int_equal(atomic_load(&worker.load), AT_ONCE);
    assert_int_equal(atomic_load(&balancer.connections), AT_ONCE);
    assert_int_equal(count(&balancer.counters.tls_handshakes_failed), 0);
    end();
}

static void test_nothing_is_accepted_while_somebody_waits(void **state)
{
    (void)state;
    connect_many(AT_ONCE);
    turn_until(&balancer.counters.tls_handshakes, AT_ONCE);
    listen_on(&listeners[1]); /* one that is new is held as well */
    struct peer *late = connect_to(&listeners[*state == NULL ? 0 : 1]);
    for (int i = 0; i < 50; i++)
        turn();
    assert_int_equal(atomic_load(&balancer.connections), AT_ONCE);
    assert_false(late->tls.is_done);
    take_until(AT_ONCE + 1);
    assert_true(late->arrived);
    end();
}

static void test_the_slow_time_out_while_others_wait(void **state)
{
    enum { SLOW = 5 };
    (void)state;
    greeter.handshaker.timeout_ms = 500;
    connect_many(SLOW);
    for (size_t i = 0; i < SLOW; i++)
        peers[i].is_silent = true;
    while (atomic_load(&balancer.connections) < SLOW)
        turn();
    greeter.handshaker.timeout_ms = 60000;
    connect_many(AT_ONCE - SLOW);
    turn_until(&balancer.counters.tls_handshakes, AT_ONCE - SLOW);
    turn_until(&balancer.counters.tls_handshakes_failed, SLOW);
    assert_int_equal(lines_with("log.txt", "reason=\"the handshake took too long\""), SLOW);
    assert_int_equal(waiting(), AT_ONCE - SLOW - INBOX);
    assert_int_equal(atomic_load(&balancer.connections), AT_ONCE - SLOW);
    take_until(AT_ONCE - SLOW);
    for (size_t i = 0; i < SLOW; i++)
        check_ended(&peers[i]);
    end();
    assert_int_equal(lines_with("rows.txt", "TID_"), SLOW); /* the others': by their worker */
}

static void test_the_end_closes_those_that_wait_each_with_a_row(void **state)
{
    (void)state;
    connect_many(AT_ONCE);
    peers[0].is_silent = true;
    turn_until(&balancer.counters.tls_handshakes, AT_ONCE - 1);
    end();
    assert_int_equal(arrived(), INBOX);
    for (size_t i = 0; i < AT_ONCE; i++)
        check_ended(&peers[i]);
    assert_int_equal(lines_with("rows.txt", "TID_"), AT_ONCE - INBOX);
    assert_int_equal(lines_with("rows.txt", "TLSv1."), AT_ONCE - INBOX - 1);
    assert_int_equal(lines_with("log.txt", "reason=\"shutting down\""), 1);
}

static void test_over_the_limit_of_connections_the_rest_is_hung_up_on(void **state)
{
    (void)state;
    atomic_store(&balancer.connection_limit, AT_ONCE - 3);
    connect_many(AT_ONCE);
    for (size_t i = AT_ONCE - 3; i < AT_ONCE; i++)
        peers[i].is_silent = true;
    turn_until(&balancer.counters.tls_handshakes, AT_ONCE - 3);
    assert_int_equal(count(&balancer.counters.refused_limit), 3);
    for (size_t i = AT_ONCE - 3; i < AT_ONCE; i++)
        check_ended(&peers[i]);
    take_until(AT_ONCE - 3);
    end();
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_those_that_no_inbox_takes_wait_and_all_arrive),
        TEST(test_nothing_is_accepted_while_somebody_waits),
        { "test_nothing_is_accepted_by_a_new_listener_either",
          test_nothing_is_accepted_while_somebody_waits, setup, teardown, "new" },
        TEST(test_the_slow_time_out_while_others_wait),
        TEST(test_the_end_closes_those_that_wait_each_with_a_row),
        TEST(test_over_the_limit_of_connections_the_rest_is_hung_up_on),
    };

    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
