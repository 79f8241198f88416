/* test_doors.c -- the sockets of [health] over changes of the configuration: nobody who has
 * connected goes without an answer, and none is left open. */
#include "config_fixture.h"

#include <errno.h>

#include "alb/balancer_private.h"
#include "alb/members.h"
#include "alb/doors.h"

enum { TURNS = 1000, VISITORS = 150 /* more than there may be at a time */ };

#define DOORS(lines) EDGE LISTENER GROUP "[health]\nallow = any\n" lines
#define ONE "bind = 127.0.0.1:0\n"
#define OTHER "bind = [::1]:0\n"
#define ASK "GET /health HTTP/1.0\r\n\r\n"

static struct balancer b;

static struct config *config_of(const char *text)
{
    struct problems p;
    struct config *c = read_text(text, &p);

    assert_non_null(c);
    problems_done(&p);
    return c;
}

/* As a reload does. */
static void become(const char *text)
{
    struct config *next = config_of(text);
    struct problems p;

    problems_init(&p, "f");
    assert_true(doors_may_open(b.doors, next, &p));
    assert_true(balancer_extend_filters(&b, next, &p));
    assert_true(doors_open(b.doors, next, &p));
    doors_close(b.doors, next);
    config_free(&b.config);
    b.config = next;
    balancer_settle_filters(&b);
    problems_done(&p);
}

static int set_up(void **state)
{
    const struct members_sources sources = { .said = &b.said };

    (void)state;
    clock_run();
    memset(&b, 0, sizeof(b));
    loop_init(&b.control, -1, 4, &b);
    registry_init(&b.registry);
    list_init(&b.listeners);
    strangers_init(&b.strangers);
    balancer_make_filters(&b);
    b.config = config_of(EDGE LISTENER GROUP);
    b.members = members_new(&b.registry, b.config, &sources);
    b.doors = doors_new(&b);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    doors_free(&b.doors);
    members_free(&b.members);
    config_free(&b.config);
    balancer_free_filters(&b);
    strangers_done(&b.strangers);
    registry_done(&b.registry);
    loop_done(&b.control);
    return 0;
}

static size_t door_count(void)
{
    struct addr bound;
    size_t n = 0, at = 0;

    while (doors_next(b.doors, DOOR_HEALTH, &at, &bound) != -1)
        n++;
    return n;
}

static struct addr place_of(size_t door)
{
    struct addr bound;

    assert_int_not_equal(doors_next(b.doors, DOOR_HEALTH, &door, &bound), -1);
    return bound;
}

static int dial(const struct addr *to)
{
    const int fd = socket(to->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (connect(fd, &to->sa, to->len) == 0)
        return fd;
    close(fd);
    return -1;
}

static int ask(const struct addr *to)
{
    const int fd = dial(to);

    assert_int_not_equal(fd, -1);
    assert_int_equal(send(fd, ASK, sizeof(ASK) - 1, MSG_NOSIGNAL), sizeof(ASK) - 1);
    return fd;
}

static bool is_answered(int fd)
{
    static const char ok[] = "HTTP/1.1 200 OK\r\n";
    char got[1024];
    ssize_t n = -1;

    for (int i = 0; n == -1 && i < TURNS; i++) {
        ev_run(b.control.ev, EVRUN_NOWAIT);
        n = recv(fd, got, sizeof(got), MSG_DONTWAIT);
        if (n == -1 && errno != EAGAIN)
            break;
        usleep(n == -1 ? 1000 : 0);
    }
    close(fd);
    return n > (ssize_t)sizeof(ok) && memcmp(got, ok, sizeof(ok) - 1) == 0;
}

static void test_doors_come_and_go(void **state)
{
    (void)state;
    become(DOORS(ONE));
    const struct addr one = place_of(0);
    assert_true(is_answered(ask(&one)));
    become(DOORS(ONE OTHER));
    assert_int_equal(door_count(), 2);
    const struct addr still = place_of(0), other = place_of(1);
    assert_true(addr_equal(&still, &one));
    assert_true(is_answered(ask(&one)) && is_answered(ask(&other)));
    become(DOORS(OTHER));
    assert_int_equal(door_count(), 1);
    assert_int_equal(dial(&one), -1);
    assert_true(is_answered(ask(&other)));
    become(EDGE LISTENER GROUP);
    assert_int_equal(door_count(), 0);
    assert_int_equal(dial(&other), -1);
}

/* Nobody has accepted him yet: closing the socket would reset him. */
static void test_whoever_has_connected_is_answered_when_the_door_goes(void **state)
{
    int fds[VISITORS];
    (void)state;

    become(DOORS(ONE));
    const struct addr one = place_of(0);
    for (int i = 0; i < VISITORS; i++)
        fds[i] = ask(&one);
    become(EDGE LISTENER GROUP);
    for (int i = 0; i < VISITORS; i++)
        assert_true(is_answered(fds[i]));
}

static void test_a_door_may_come_again_at_once(void **state)
{
    char text[512], where[ADDR_TEXT_MAX];
    (void)state;

    become(DOORS(ONE));
    const struct addr one = place_of(0);
    snprintf(text, sizeof(text), DOORS("bind = %s\n"), addr_format(&one, where));
    become(EDGE LISTENER GROUP);
    assert_int_equal(dial(&one), -1);
    become(text);
    assert_true(is_answered(ask(&one)));
}

static void test_held_doors_let_wait(void **state)
{
    (void)state;
    become(DOORS(ONE));
    const struct addr one = place_of(0);
    doors_accept(b.doors, false);
    const int fd = ask(&one);
    for (int i = 0; i < 20; i++)
        ev_run(b.control.ev, EVRUN_NOWAIT);
    char byte;
    assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
    doors_accept(b.doors, true);
    assert_true(is_answered(fd));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_doors_come_and_go, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_whoever_has_connected_is_answered_when_the_door_goes,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_door_may_come_again_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_held_doors_let_wait, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
