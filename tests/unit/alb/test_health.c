/* test_health.c -- health checks against a small server on the same loop. */
#include <dirent.h>
#include <ev.h>
#include <sys/socket.h>

#include "base/log.h"
#include "net/listener.h"

#include "alb/health.h"
#include "alb/members.h"
#include "alb/registrations.h"
#include "alb/target.h"

#include "config_fixture.h"

/* --- the server ------------------------------------------------------------------- */

enum ending { CLOSES, RESETS, STAYS };

enum { OPEN_MAX = 32 };

/* Answers every request in the same way, or as `choose` says. */
static struct server {
    struct ev_loop *loop;
    struct acceptor acceptor;
    struct addr addr;
    const char *answer;
    enum ending ending;
    const char *(*choose)(void);
    char request[2048];
    unsigned requests;
    int open[OPEN_MAX]; /* those that stay */
    size_t open_count;
} server;

static struct config *config;
static struct members *members;
static struct registry registry;
static struct registrations registered;
static const struct members_sources sources = { .said = &registered };
static struct health *health;

/* The request of a check is small and comes in one piece. */
static void on_accept(struct acceptor *a, int fd, const struct addr *peer)
{
    (void)a;
    (void)peer;
    ssize_t n = -1;
    for (int i = 0; i < 1000 && n == -1; i++) {
        ev_run(server.loop, EVRUN_NOWAIT); /* the check is to write, on this very loop */
        n = recv(fd, server.request, sizeof(server.request) - 1, 0);
    }
    server.requests++;
    if (n > 0)
        server.request[n] = '\0';
    const char *answer = server.choose != NULL ? server.choose() : server.answer;
    if (answer[0] != '\0')
        assert_int_equal(send(fd, answer, strlen(answer), MSG_NOSIGNAL), strlen(answer));
    const struct linger at_once = { .l_onoff = 1 };
    if (server.ending == RESETS)
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    if (server.ending != STAYS)
        close(fd);
    else if (server.open_count < OPEN_MAX)
        server.open[server.open_count++] = fd;
}

static void server_start(void)
{
    char why[256];
    struct addr any;

    assert_true(addr_parse(SPAN("127.0.0.1:0"), true, &any, why, sizeof(why)));
    const int fd = listener_open(&any, false, why, sizeof(why));
    assert_true(fd >= 0 && addr_local(fd, &server.addr));
    acceptor_start(&server.acceptor, server.loop, fd, on_accept, NULL);
}

static void server_stop(void)
{
    acceptor_stop(&server.acceptor);
    close(server.acceptor.fd);
    for (size_t i = 0; i < server.open_count; i++)
        close(server.open[i]);
}

/* --- a configuration with one target, and a loop --------------------------------------- */

static struct config *make_config(const char *settings)
{
    char text[1024], target[ADDR_TEXT_MAX];
    struct problems p;

    snprintf(text, sizeof(text),
             EDGE LISTENER "[target_group chat]\ntarget = %s\nhealth_check.path = /up?a=b\n"
                           "health_check.matcher = 200,210-299\n%s",
             addr_format(&server.addr, target), settings);
    struct config *c = read_text(text, &p);
    assert_non_null(c);
    problems_done(&p);
    c->groups[0].options.health_interval_ms = 5; /* less than a file may say */
    c->groups[0].options.health_timeout_ms = 3000;
    return c;
}

static struct target *target(void)
{
    return members->groups[0].targets[0];
}

static int set_up(void **state)
{
    (void)state;
    memset(&server, 0, sizeof(server));
    server.loop = ev_loop_new(EVFLAG_NOENV);
    server_start();
    registry_init(&registry);
    health = health_new(server.loop);
    config = make_config("health_check.healthy_threshold_count = 3\n");
    members = members_new(&registry, config, &sources);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    health_free(&health);
    members_free(&members);
    config_free(&config);
    registry_done(&registry);
    server_stop();
    ev_loop_destroy(server.loop);
    return 0;
}

static void reload(struct config *next)
{
    struct members *next_members = members_new(&registry, next, &sources);

    health_follow(health, next_members);
    members_free(&members);
    config_free(&config);
    config = next;
    members = next_members;
}

static void run_until(bool (*done)(void))
{
    const uint64_t end = clock_mono_ms() + 5000;

    while (!done() && clock_mono_ms() < end)
        ev_run(server.loop, EVRUN_ONCE);
    assert_true(done());
}

static bool is_judged(void)
{
    return target_state_of(target()) != TARGET_INITIAL;
}

static bool was_asked(void)
{
    return server.requests > 0;
}

static size_t descriptors(void)
{
    DIR *fds = opendir("/proc/self/fd");
    size_t n = 0;

    while (readdir(fds) != NULL)
        n++;
    closedir(fds);
    return n;
}

/* --- one answer, one verdict ----------------------------------------------------------- */

#define HEAD(status) "HTTP/1.1 " status "\r\nContent-Length: 0\r\n\r\n"

static const struct verdict {
    const char *name, *answer;
    enum ending ending;
    enum target_state state;
    const char *reason, *description; /* a '*' stands for words of another module */
} verdicts[] = {
    { "200", HEAD("200 OK"), CLOSES, TARGET_HEALTHY, "", "" },
    { "HTTP/1.0", "HTTP/1.0 200 OK\r\n\r\nhello", CLOSES, TARGET_HEALTHY, "", "" },
    { "the head is enough", "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", STAYS, TARGET_HEALTHY,
      "", "" },
    { "low end of a range", HEAD("210 X"), CLOSES, TARGET_HEALTHY, "", "" },
    { "high end of a range", HEAD("299 X"), CLOSES, TARGET_HEALTHY, "", "" },
    { "between the ranges", HEAD("201 X"), CLOSES, TARGET_UNHEALTHY, "Target.ResponseCodeMismatch",
      "Health checks failed with these codes: [201]" },
    { "503", HEAD("503 No"), CLOSES, TARGET_UNHEALTHY, "Target.ResponseCodeMismatch",
      "Health checks failed with these codes: [503]" },
    { "103 comes first", "HTTP/1.1 103 Early Hints\r\n\r\n" HEAD("200 OK"), CLOSES, TARGET_HEALTHY,
      "", "" },
    { "101 is an answer",
      "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n", CLOSES,
      TARGET_UNHEALTHY, "Target.ResponseCodeMismatch",
      "Health checks failed with these codes: [101]" },
    { "silence", "", STAYS, TARGET_UNHEALTHY, "Target.Timeout", "Request timed out" },
    { "half a head", "HTTP/1.1 200 OK\r\nA:", STAYS, TARGET_UNHEALTHY, "Target.Timeout",
      "Request timed out" },
    { "half a head and an end", "HTTP/1.1 200 OK\r\nA:", CLOSES, TARGET_UNHEALTHY,
      "Target.FailedHealthChecks",
      "Health checks failed: the target closed inside the response head" },
    { "no word", "", CLOSES, TARGET_UNHEALTHY, "Target.FailedHealthChecks",
      "Health checks failed: the target closed without an answer" },
    { "reset", "", RESETS, TARGET_UNHEALTHY, "Target.FailedHealthChecks",
      "Health checks failed: Connection reset by peer" },
    { "garbage", "SSH-2.0-OpenSSH_9.2\r\n\r\n", STAYS, TARGET_UNHEALTHY,
      "Target.FailedHealthChecks", "Health checks failed: *" },
};

static void test_one_answer_one_verdict(void **state)
{
    for (size_t i = 0; i < COUNT(verdicts); i++) {
        const struct verdict *v = &verdicts[i];
        assert_int_equal(set_up(state), 0);
        server.answer = v->answer;
        server.ending = v->ending;
        if (strcmp(v->reason, "Target.Timeout") == 0)
            config->groups[0].options.health_timeout_ms = 20;
        assert_string_equal(health_reason(target()), "Elb.RegistrationInProgress");
        health_follow(health, members);
        assert_string_equal(health_reason(target()), "Elb.InitialHealthChecking");
        run_until(is_judged);
        if (target_state_of(target()) != v->state ||
            strcmp(health_reason(target()), v->reason) != 0 ||
            !text_wildcard(span_text(v->description), span_text(health_description(target())),
                           false))
            fail_msg("%s: %s %s \"%s\"", v->name, target_state_name(target_state_of(target())),
                     health_reason(target()), health_description(target()));
        assert_int_equal(tear_down(state), 0);
    }
}

static void test_nobody_listens(void **state)
{
    (void)state;
    server_stop();
    health_follow(health, members);
    run_until(is_judged);
    assert_int_equal(target_state_of(target()), TARGET_UNHEALTHY);
    assert_string_equal(health_description(target()), "Health checks failed: Connection refused");
    server_start(); /* for tear_down() */
}

static void test_a_head_without_end_is_bounded(void **state)
{
    static char endless[60000];
    (void)state;
    memset(endless, 'a', sizeof(endless) - 1);
    memcpy(endless, SPAN("HTTP/1.1 200 OK\r\nA: ").ptr, SPAN("HTTP/1.1 200 OK\r\nA: ").len);
    server.answer = endless;
    health_follow(health, members);
    run_until(is_judged);
    assert_int_equal(target_state_of(target()), TARGET_UNHEALTHY);
    assert_string_equal(health_reason(target()), "Target.FailedHealthChecks");
}

static void test_the_request_is_the_managed_balancers(void **state)
{
    char want[512], text[ADDR_TEXT_MAX];
    (void)state;

    server.answer = HEAD("200 OK");
    health_follow(health, members);
    run_until(is_judged);
    snprintf(want, sizeof(want),
             "GET /up?a=b HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n"
             "User-Agent: ELB-HealthChecker/2.0\r\n\r\n",
             addr_format(&server.addr, text));
    assert_string_equal(server.request, want);
}

/* --- many answers, against a model ------------------------------------------------------ */

enum { ROUNDS = 300 };

static struct model {
    enum target_state state;
    unsigned passes, failures;
    unsigned seed;
} model;

static void model_take(bool passed)
{
    model.passes = passed ? model.passes + 1 : 0;
    model.failures = passed ? 0 : model.failures + 1;
    if (passed && (model.state == TARGET_INITIAL || model.passes >= 3))
        model.state = TARGET_HEALTHY;
    if (model.failures >= 2)
        model.state = TARGET_UNHEALTHY;
}

/* At each request the target must be what the answers before it make it. */
static const char *choose_answer(void)
{
    assert_int_equal(target_state_of(target()), model.state);
    model.seed = model.seed * 1103515245u + 12345u;
    const bool passes = (model.seed >> 16) % 5 > 1;
    model_take(passes);
    return passes ? HEAD("200 OK") : HEAD("500 No");
}

static bool rounds_are_over(void)
{
    return server.requests >= ROUNDS;
}

static void test_states_follow_the_thresholds(void **state)
{
    (void)state;
    model = (struct model){ .state = TARGET_INITIAL, .seed = 7 };
    server.choose = choose_answer;
    health_follow(health, members);
    run_until(rounds_are_over);
}

/* --- following a configuration ----------------------------------------------------------- */

static void test_a_reload_keeps_state_and_probe(void **state)
{
    (void)state;
    server.answer = HEAD("200 OK");
    health_follow(health, members);
    run_until(is_judged);
    struct target *before = target();
    const struct probe *probe = before->probe;
    reload(make_config(""));
    assert_ptr_equal(target(), before);
    assert_ptr_equal(before->probe, probe);
    assert_int_equal(target_state_of(before), TARGET_HEALTHY);
    server.requests = 0;
    run_until(was_asked);
}

static void test_checks_can_be_switched_off_and_on(void **state)
{
    (void)state;
    server.answer = HEAD("200 OK");
    reload(make_config("health_check.enabled = no\n"));
    assert_int_equal(target_state_of(target()), TARGET_UNAVAILABLE);
    assert_true(target_is_usable(target()));
    assert_null(target()->probe);
    assert_string_equal(health_reason(target()), "Target.HealthCheckDisabled");
    reload(make_config(""));
    assert_int_equal(target_state_of(target()), TARGET_INITIAL);
    run_until(is_judged);
    assert_int_equal(target_state_of(target()), TARGET_HEALTHY);
}

static void on_gone(void *user, struct target *t)
{
    (void)user;
    health_forget(health, t);
    assert_null(t->probe);
    assert_string_equal(health_reason(t), "Target.DeregistrationInProgress");
}

static void test_a_removed_target_is_asked_no_more(void **state)
{
    const struct members none = { .group_count = 0 };
    (void)state;

    server.ending = STAYS; /* so that a check is under way */
    server.answer = "";
    const size_t before = descriptors();
    health_follow(health, members);
    run_until(was_asked);
    assert_true(descriptors() > before);
    struct target *t = target_ref(target());
    members_mark(&registry, &none, on_gone, NULL);
    assert_int_equal(target_state_of(t), TARGET_DRAINING);
    assert_int_equal(descriptors(), before + server.open_count);
    target_unref(&t);
    health_follow(health, &none);
    server.requests = 0;
    for (int i = 0; i < 20; i++) {
        ev_run(server.loop, EVRUN_NOWAIT);
        usleep(1000);
    }
    assert_int_equal(server.requests, 0);
}

static void test_no_descriptor_is_left_behind(void **state)
{
    (void)state;
    const size_t before = descriptors();
    model = (struct model){ .seed = 1 };
    server.answer = HEAD("500 No");
    health_follow(health, members);
    run_until(rounds_are_over);
    health_free(&health);
    assert_int_equal(descriptors(), before);
}

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_answer_one_verdict),
        WITH_SERVER(test_nobody_listens),
        WITH_SERVER(test_a_head_without_end_is_bounded),
        WITH_SERVER(test_the_request_is_the_managed_balancers),
        WITH_SERVER(test_states_follow_the_thresholds),
        WITH_SERVER(test_a_reload_keeps_state_and_probe),
        WITH_SERVER(test_checks_can_be_switched_off_and_on),
        WITH_SERVER(test_a_removed_target_is_asked_no_more),
        WITH_SERVER(test_no_descriptor_is_left_behind),
    };

    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
