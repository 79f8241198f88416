/* test_ready_visit.c -- one connection to [health], over a pair of sockets: what it gets, and that
 * each ends once. */
#include "config_fixture.h"

#include <sys/socket.h>

#include "alb/balancer.h"
#include "alb/members.h"
#include "alb/ready_visit.h"

enum { TURNS = 50, VISITORS = 5 };

#define LOCAL "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"
#define ASK "GET /health HTTP/1.1\r\nHost: a\r\n\r\n"

static struct balancer balancer;
static struct ready_visits visits; /* large */
static int ended[VISITORS];        /* how often; each door is one of these */

static void on_end(void *door)
{
    ++*(int *)door;
}

static int set_up(void **state)
{
    const struct members_sources sources = { .said = &balancer.said };
    struct problems p;

    (void)state;
    clock_run();
    memset(&balancer, 0, sizeof(balancer));
    memset(ended, 0, sizeof(ended));
    loop_init(&balancer.control, -1, 4, &balancer);
    registry_init(&balancer.registry);
    balancer.config = read_text(EDGE LISTENER GROUP, &p);
    problems_done(&p);
    balancer.members = members_new(&balancer.registry, balancer.config, &sources);
    ready_visits_init(&visits, &balancer, on_end);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    ready_visits_end(&visits);
    assert_true(list_is_empty(&visits.all));
    members_free(&balancer.members);
    config_free(&balancer.config);
    registry_done(&balancer.registry);
    loop_done(&balancer.control);
    return 0;
}

/* The visitor's end. */
static int visit(int *door)
{
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
    ready_visit_begin(&visits, pair[0], door);
    return pair[1];
}

static void turn(void)
{
    ev_run(balancer.control.ev, EVRUN_NOWAIT);
}

static void say(int fd, struct span bytes)
{
    assert_int_equal(send(fd, bytes.ptr, bytes.len, MSG_NOSIGNAL), bytes.len);
    turn();
}

/* All that comes until it is over, which must be soon. */
static void hear_all(int fd, char *into, size_t size)
{
    size_t len = 0;

    for (int i = 0; i < TURNS; i++) {
        turn();
        const ssize_t n = recv(fd, into + len, size - 1 - len, 0);
        if (n == 0)
            break;
        len += n > 0 ? (size_t)n : 0;
    }
    into[len] = '\0';
}

static const struct {
    const char *name;
    struct span bytes;
    const char *status; /* NULL: no word */
    const char *body;
} rows[] = {
    { "a request", SPAN_INIT(ASK), "HTTP/1.1 200 OK\r\n", "\r\n\r\nok\n" },
    { "behind a head", SPAN_INIT(LOCAL ASK), "HTTP/1.1 200 OK\r\n", "\r\n\r\nok\n" },
    { "a second one behind it", SPAN_INIT(ASK ASK), "HTTP/1.1 200 OK\r\n", "\r\n\r\nok\n" },
    { "no body to HEAD", SPAN_INIT("HEAD /health HTTP/1.0\r\n\r\n"), "HTTP/1.1 200 OK\r\n",
      "\r\n\r\n" },
    { "not ready", SPAN_INIT("GET /ready HTTP/1.0\r\n\r\n"), "HTTP/1.1 503 ",
      "\r\n\r\nno target of any group is healthy\n" },
    { "no request", SPAN_INIT("\x16\x03\x01\r\n\r\n"), "HTTP/1.1 400 ", "\r\n\r\n" },
    { "no head", SPAN_INIT("PROXY nonsense\r\n"), NULL, "" },
};

static bool ends_with(const char *text, const char *end)
{
    const size_t len = strlen(text), tail = strlen(end);

    return len >= tail && strcmp(text + len - tail, end) == 0;
}

static void check_row(size_t row, size_t piece)
{
    char got[4096];
    const int door = ended[0], fd = visit(&ended[0]);
    const struct span bytes = rows[row].bytes;

    for (size_t at = 0; at < bytes.len && list_is_empty(&visits.all) == false; at += piece)
        say(fd, span_of(bytes.ptr + at, piece < bytes.len - at ? piece : bytes.len - at));
    hear_all(fd, got, sizeof(got));
    if (rows[row].status == NULL ? got[0] != '\0'
                                 : strncmp(got, rows[row].status, strlen(rows[row].status)) != 0)
        fail_msg("%s, %zu at a time: %s", rows[row].name, piece, got);
    if (!ends_with(got, rows[row].body))
        fail_msg("%s, %zu at a time: %s", rows[row].name, piece, got);
    close(fd);
    turn();
    assert_int_equal(ended[0], door + 1);
}

static void test_rows(void **state)
{
    (void)state;
    for (size_t row = 0; row < COUNT(rows); row++) {
        check_row(row, rows[row].bytes.len);
        check_row(row, 1);
    }
}

/* It stays until the visitor has closed, so that no reset takes the answer away; with what it still
 * says thrown away. */
static void test_it_waits_for_the_visitors_end(void **state)
{
    char got[4096];
    const int fd = visit(&ended[0]);
    (void)state;

    say(fd, SPAN(ASK));
    hear_all(fd, got, sizeof(got));
    for (int i = 0; i < 20; i++)
        say(fd, SPAN("and more, which nobody reads"));
    assert_int_equal(ended[0], 0);
    close(fd);
    turn();
    turn();
    assert_int_equal(ended[0], 1);
}

static void test_one_that_goes_without_a_word(void **state)
{
    const int fd = visit(&ended[0]);
    (void)state;

    turn();
    assert_int_equal(ended[0], 0);
    close(fd);
    turn();
    assert_int_equal(ended[0], 1);
}

static void test_one_that_goes_amid_the_request(void **state)
{
    const int fd = visit(&ended[0]);
    (void)state;

    say(fd, SPAN("GET /health"));
    assert_int_equal(ended[0], 0);
    close(fd);
    turn();
    assert_int_equal(ended[0], 1);
}

static void test_all_are_ended(void **state)
{
    static const struct span words[VISITORS] = { SPAN_INIT(""), SPAN_INIT(LOCAL), SPAN_INIT("GET"),
                                                 SPAN_INIT(ASK), SPAN_INIT("") };
    char got[4096];
    int fds[VISITORS];
    (void)state;

    for (int i = 0; i < VISITORS; i++) {
        fds[i] = visit(&ended[i]);
        say(fds[i], words[i]);
    }
    ready_visits_end(&visits);
    for (int i = 0; i < VISITORS; i++) {
        assert_int_equal(ended[i], 1);
        hear_all(fds[i], got, sizeof(got));
        assert_int_equal(got[0] != '\0', i == 3);
        close(fds[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_rows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_it_waits_for_the_visitors_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_that_goes_without_a_word, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_that_goes_amid_the_request, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_all_are_ended, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
