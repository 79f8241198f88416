/* test_ready_page.c -- what [health] answers to whom, for each state of a balancer that runs
 * nothing. */
#include "config_fixture.h"

#include "alb/balancer.h"
#include "alb/group_health.h"
#include "alb/members.h"
#include "alb/ready_page.h"
#include "alb/target.h"

#define DOOR(lines) "[health]\nbind = 127.0.0.1:8081\nallow = any\n" lines
#define SPARE "[target_group spare]\ntarget = 10.0.0.9:80\n" /* no action forwards to it */

#define READY "ready\n"
#define STOPPING "it is shutting down\n"
#define DELAYING "it is about to be drained\n"
#define DRAINED "all targets are drained\n"
#define NO_TARGET "no target of any group is healthy\n"

static struct balancer balancer;
static struct http_message message; /* large */

static void start(const char *text)
{
    const struct members_sources sources = { .said = &balancer.said };
    struct problems p;

    memset(&balancer, 0, sizeof(balancer));
    registry_init(&balancer.registry);
    balancer.config = read_text(text, &p);
    assert_non_null(balancer.config);
    problems_done(&p);
    balancer.members = members_new(&balancer.registry, balancer.config, &sources);
}

static void stop(void)
{
    members_free(&balancer.members);
    config_free(&balancer.config);
    registry_done(&balancer.registry);
}

static struct http_reply ask(const char *request)
{
    struct http_reply reply = { 0 };
    size_t scanned = 0;
    char head[256];

    snprintf(head, sizeof(head), "%s HTTP/1.0\r\n\r\n", request);
    assert_int_equal(http_request_parse(span_text(head), HTTP_DEFENSIVE, &message, &scanned),
                     HTTP_PARSED);
    ready_page(&balancer, &message, &reply);
    return reply;
}

static void expect_page(const char *name, const char *request, int status, const char *body)
{
    const struct http_reply reply = ask(request);

    if (reply.status != status || !span_equal(reply.body, span_text(body)))
        fail_msg("%s: %s: %d %.*s", name, request, reply.status, (int)reply.body.len,
                 reply.body.ptr);
}

static const struct {
    const char *request;
    int status;
    const char *body;
} requests[] = {
    { "GET /health", 200, "ok\n" },
    { "HEAD /health", 200, "ok\n" },
    { "GET /health?verbose", 200, "ok\n" },
    { "POST /health", 405, "" },
    { "OPTIONS /ready", 405, "" },
    { "GET /", 404, "" },
    { "GET /healthy", 404, "" },
    { "GET /health/", 404, "" },
    { "GET /Health", 404, "" },
    { "DELETE /nothing", 404, "" },
};

static void test_requests(void **state)
{
    (void)state;
    start(EDGE LISTENER GROUP DOOR(""));
    for (size_t i = 0; i < COUNT(requests); i++) {
        expect_page("requests", requests[i].request, requests[i].status, requests[i].body);
        const char *fields = ask(requests[i].request).fields;
        assert_int_equal(fields != NULL, requests[i].status == 405);
        assert_true(fields == NULL || strcmp(fields, "Allow: GET, HEAD\r\n") == 0);
    }
    stop();
}

static const struct {
    const char *name, *more; /* of the configuration */
    enum run_state run;
    enum target_state chat, spare; /* of its target, and of the other group's */
    bool is_drained;               /* the first */
    int status;
    const char *body;
} states[] = {
    { "healthy", SPARE, RUN_SERVING, TARGET_HEALTHY, TARGET_UNUSED, false, 200, READY },
    { "not checked", SPARE, RUN_SERVING, TARGET_UNAVAILABLE, TARGET_UNUSED, false, 200, READY },
    { "not yet", SPARE, RUN_SERVING, TARGET_INITIAL, TARGET_UNUSED, false, 503, NO_TARGET },
    { "unhealthy", SPARE, RUN_SERVING, TARGET_UNHEALTHY, TARGET_UNUSED, false, 503, NO_TARGET },
    { "a group of nobody's", SPARE, RUN_SERVING, TARGET_UNHEALTHY, TARGET_HEALTHY, false, 503,
      NO_TARGET },
    { "drained", SPARE, RUN_SERVING, TARGET_HEALTHY, TARGET_UNUSED, true, 503, DRAINED },
    { "drained, and needs none", SPARE DOOR("ready_needs_target = off\n"), RUN_SERVING,
      TARGET_HEALTHY, TARGET_UNUSED, true, 503, DRAINED },
    { "told to stop", SPARE, RUN_WAITING, TARGET_HEALTHY, TARGET_UNUSED, false, 503, STOPPING },
    { "needs none", SPARE DOOR("ready_needs_target = off\n"), RUN_SERVING, TARGET_UNHEALTHY,
      TARGET_UNUSED, false, 200, READY },
    { "another took over", SPARE, RUN_LEAVING, TARGET_HEALTHY, TARGET_UNUSED, false, 503,
      STOPPING },
    { "draining", SPARE, RUN_DRAINING, TARGET_HEALTHY, TARGET_UNUSED, false, 503, STOPPING },
    { "stopping, and unhealthy", SPARE, RUN_CUTTING, TARGET_UNHEALTHY, TARGET_UNUSED, false, 503,
      STOPPING },
};

static void test_states(void **state)
{
    char text[1024];
    (void)state;

    for (size_t i = 0; i < COUNT(states); i++) {
        snprintf(text, sizeof(text), EDGE LISTENER GROUP "%s", states[i].more);
        start(text);
        struct group *groups = balancer.members->groups;
        group_set_state(&groups[0], groups[0].targets[0], states[i].chat, 0);
        group_set_state(&groups[1], groups[1].targets[0], states[i].spare, 0);
        group_set_drained(&groups[0], groups[0].targets[0], states[i].is_drained, 0);
        balancer.state = states[i].run;
        expect_page(states[i].name, "GET /ready", states[i].status, states[i].body);
        expect_page(states[i].name, "GET /health", 200, "ok\n");
        stop();
    }
}

static void nothing(struct balancer *b)
{
    (void)b;
}

static void test_a_drain_of_all_waits(void **state)
{
    (void)state;
    start(EDGE LISTENER GROUP DOOR("ready_needs_target = off\n"));
    balancer.delay_over = nothing;
    expect_page("a drain waits", "GET /ready", 503, DELAYING);
    expect_page("a drain waits", "GET /health", 200, "ok\n");
    balancer.state = RUN_WAITING;
    expect_page("a stop waits", "GET /ready", 503, STOPPING);
    stop();
}

static void test_redirects_alone_need_no_target(void **state)
{
    (void)state;
    start(ACTION("fixed-response 200") DOOR(""));
    expect_page("no group is used", "GET /ready", 200, READY);
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_states),
        cmocka_unit_test(test_a_drain_of_all_waits),
        cmocka_unit_test(test_redirects_alone_need_no_target),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
