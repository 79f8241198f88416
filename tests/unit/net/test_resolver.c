/* test_resolver.c -- what needs no DNS: server lists, /etc/hosts, an early end. What DNS
 * says is in tests/system/test_alb_dns_targets.py. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <ev.h>

#include "base/text.h"
#include "net/resolver.h"

static const struct {
    const char *servers, *why; /* NULL: they are good */
} cases[] = {
    { "", NULL },
    { "127.0.0.1", NULL },
    { "127.0.0.1:8600, [::1]:53 ::1", NULL },
    { "1.1.1.1 1.1.1.2 1.1.1.3 1.1.1.4 1.1.1.5 1.1.1.6 1.1.1.7 1.1.1.8", NULL },
    { "1.1.1.1 1.1.1.2 1.1.1.3 1.1.1.4 1.1.1.5 1.1.1.6 1.1.1.7 1.1.1.8 1.1.1.9",
      "there are more than 8 servers" },
    { "localhost", "\"localhost\" is no server: *" },
    { "127.0.0.1:0", "\"127.0.0.1:0\" is no server: *" },
    { "127.0.0.1;127.0.0.2", "* is no server: *" },
};

static void test_servers(void **state)
{
    char why[256];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const bool ok = resolver_check_servers(cases[i].servers, why, sizeof(why));
        if (ok != (cases[i].why == NULL) ||
            (!ok && !text_wildcard(span_text(cases[i].why), span_text(why), false)))
            fail_msg("%s: %s", cases[i].servers, ok ? "was taken" : why);
    }
}

static unsigned answered;

static void on_answer(void *user, const struct resolver_answer *answer)
{
    struct ip want;

    assert_ptr_equal(user, &answered);
    answered++;
    assert_int_equal(answer->outcome, RESOLVER_FOUND);
    assert_true(ip_parse(SPAN("127.0.0.1"), &want));
    assert_int_equal(answer->count, 1);
    assert_true(ip_equal(&answer->ips[0], &want));
}

static void on_nothing(void *user, const struct resolver_answer *answer)
{
    (void)user;
    (void)answer;
    fail_msg("a question that was dropped is answered");
}

static void test_localhost_needs_no_server(void **state)
{
    struct ev_loop *loop = ev_loop_new(EVFLAG_NOENV);
    char why[256];
    struct resolver *r = resolver_new(loop, "127.0.0.1:1", why, sizeof(why));

    (void)state;
    assert_non_null(r);
    answered = 0;
    resolver_ask(r, "localhost", 4, on_answer, &answered);
    for (int i = 0; i < 1000 && answered == 0; i++)
        ev_run(loop, EVRUN_ONCE);
    assert_int_equal(answered, 1);
    resolver_free(&r);
    assert_null(r);
    ev_loop_destroy(loop);
}

/* A server that says nothing. One that refuses is an answer, which may come at once. */
static int open_silent_server(char text[32])
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(at);
    const int fd = socket(AF_INET, SOCK_DGRAM, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    snprintf(text, 32, "127.0.0.1:%u", ntohs(at.sin_port));
    return fd;
}

static void test_an_end_drops_the_questions(void **state)
{
    struct ev_loop *loop = ev_loop_new(EVFLAG_NOENV);
    char why[256], server[32];
    const int silent = open_silent_server(server);
    struct resolver *r = resolver_new(loop, server, why, sizeof(why));

    (void)state;
    resolver_ask(r, "app.example.test", 4, on_nothing, NULL);
    resolver_ask(r, "app.example.test", 6, on_nothing, NULL);
    resolver_free(&r);
    ev_run(loop, EVRUN_NOWAIT);
    ev_loop_destroy(loop);
    close(silent);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_servers),
        cmocka_unit_test(test_localhost_needs_no_server),
        cmocka_unit_test(test_an_end_drops_the_questions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
