/* What open tunnels are told of a configuration: from [alb], or their group. */
#include "alb/tunnel_policy.h"

#include "config_fixture.h"

#define OTHER "[target_group other]\ntarget = 127.0.0.1:9002\n"

static struct config *read_good(const char *text)
{
    struct problems p;
    struct config *c = read_text(text, &p);

    assert_non_null(c);
    problems_done(&p);
    return c;
}

static void test_a_group_says_it_or_alb_does(void **state)
{
    struct config *c = read_good(
        ALB "websocket.close_timeout = 9s\nwebsocket.idle_close = cut\n" EDGE LISTENER GROUP
            "websocket.idle_close = frame\n" OTHER);
    const struct tunnel_policy *chat = tunnel_policy_of(c, "chat");
    const struct tunnel_policy *other = tunnel_policy_of(c, "other");

    (void)state;
    assert_int_equal(chat->idle_ms, 300000);
    assert_int_equal(chat->close_ms, 9000);
    assert_int_equal(chat->ping_ms, 0);
    assert_int_equal(chat->pong_ms, 10000);
    assert_true(chat->idle_counts_pings);
    assert_false(chat->cut_on_idle);
    assert_true(other->cut_on_idle);
    assert_false(other->cut_on_drain);
    assert_false(tunnel_policy_equal(chat, other));
    assert_true(tunnel_policy_equal(other, c->policy));
    assert_null(tunnel_policy_of(c, "nobody"));
    config_free(&c);
}

static void test_profile_aws_is_inherited_too(void **state)
{
    struct config *c = read_good(ALB "profile = aws\n" EDGE LISTENER GROUP
                                     "websocket.drain_close = frame\n" OTHER);

    (void)state;
    assert_true(tunnel_policy_of(c, "chat")->cut_on_idle);
    assert_false(tunnel_policy_of(c, "chat")->cut_on_drain);
    assert_true(tunnel_policy_of(c, "other")->cut_on_drain);
    config_free(&c);
}

static void test_it_outlives_the_snapshot(void **state)
{
    struct config *c = read_good(ALB EDGE LISTENER GROUP);
    struct tunnel_policy *p = tunnel_policy_ref(tunnel_policy_of(c, "chat"));

    (void)state;
    config_free(&c);
    assert_int_equal(p->idle_ms, 300000);
    tunnel_policy_unref(&p);
    assert_null(p);
    tunnel_policy_unref(&p);
}

static void test_what_a_reload_changes(void **state)
{
    static const struct {
        const char *before, *now;
        bool differ;
    } cases[] = {
        { "", "", false },
        { "", "shutdown_timeout = 1s\n", false },
        { "", "idle_timeout.timeout_seconds = 9\n", true },
        { "", "websocket.close_timeout = 9s\n", true },
        { "", "websocket.ping_interval = 25s\n", true },
        { "websocket.ping_interval = 25s\n", "websocket.ping_interval = 25000ms\n", false },
        { "", "websocket.pong_timeout = 9s\n", true },
        { "", "websocket.idle_counts_pings = off\n", true },
        { "", "websocket.idle_close = cut\n", true },
        { "", "websocket.drain_close = cut\n", true },
        { "", "websocket.drain_close = frame\n", false },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[2][512];
        snprintf(text[0], 512, "[alb]\n%s" EDGE LISTENER GROUP, cases[i].before);
        snprintf(text[1], 512, "[alb]\n%s" EDGE LISTENER GROUP, cases[i].now);
        struct config *before = read_good(text[0]), *now = read_good(text[1]);
        assert_int_equal(tunnel_policies_differ(before, now), cases[i].differ);
        assert_int_equal(tunnel_policies_differ(now, before), cases[i].differ);
        config_free(&before);
        config_free(&now);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_group_says_it_or_alb_does),
        cmocka_unit_test(test_profile_aws_is_inherited_too),
        cmocka_unit_test(test_it_outlives_the_snapshot),
        cmocka_unit_test(test_what_a_reload_changes),
    };

    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
