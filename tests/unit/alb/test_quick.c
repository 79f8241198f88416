/* `alb quick`: what its arguments become, and how it says what is wrong with them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"

#include "alb/config.h"
#include "alb/quick.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { ARGS_MAX = 8 };

static int count_args(const char *const *args)
{
    int n = 0;

    while (args[n] != NULL)
        n++;
    return n;
}

static bool make(const char *const *args, struct buf *text, char *why, size_t why_size)
{
    buf_init(text, QUICK_TEXT_MAX);
    return quick_config(count_args(args), (char **)(uintptr_t)args, text, why, why_size);
}

/* The file is a good one; what it says beyond that is for the caller to see. */
static struct config *read_back(const char *const *args)
{
    struct problems p;
    struct buf text;
    char why[256] = "";

    if (!make(args, &text, why, sizeof(why)))
        fail_msg("%s: %s", args[1], why);
    problems_init(&p, "quick");
    struct config *c = config_read_text(buf_data(&text), &p);
    if (c == NULL)
        problems_print(&p, stderr);
    assert_non_null(c);
    problems_done(&p);
    buf_done(&text);
    return c;
}

static const struct {
    const char *name;
    const char *args[ARGS_MAX];
    const char *bind, *targets, *admin; /* formatted, targets with a blank between */
} good[] = {
    { "one target", { "--target", "127.0.0.1:3000" }, "127.0.0.1:8080", "127.0.0.1:3000", "" },
    { "a port alone", { "--target", ":3000" }, "127.0.0.1:8080", "127.0.0.1:3000", "" },
    { "IPv6", { "--target", "[::1]:3000" }, "127.0.0.1:8080", "[::1]:3000", "" },
    { "a name", { "--target", "localhost:3000" }, "127.0.0.1:8080", "127.0.0.1:3000", "" },
    { "two targets",
      { "--target", ":1", "--target", ":2" },
      "127.0.0.1:8080",
      "127.0.0.1:1 127.0.0.1:2",
      "" },
    { "listen", { "--target", ":1", "--listen", ":80" }, "127.0.0.1:80", "127.0.0.1:1", "" },
    { "listen first",
      { "--listen", "0.0.0.0:80", "--target", ":1" },
      "0.0.0.0:80",
      "127.0.0.1:1",
      "" },
    { "any port", { "--target", ":1", "--listen", ":0" }, "127.0.0.1:0", "127.0.0.1:1", "" },
    { "admin",
      { "--target", ":1", "--admin", "9100" },
      "127.0.0.1:8080",
      "127.0.0.1:1",
      "127.0.0.1:9100" },
};

static void test_control(void **state)
{
    static const char *const asked[] = { "--target", ":1", "--control", "/run/a b.sock", NULL };
    static const char *const not_asked[] = { "--target", ":1", NULL };
    struct config *c = read_back(asked);

    (void)state;
    assert_string_equal(c->alb.control, "/run/a b.sock");
    config_free(&c);
    c = read_back(not_asked);
    assert_string_equal(c->alb.control, "");
    config_free(&c);
}

static void test_good(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        struct config *c = read_back(good[i].args);
        char text[ADDR_TEXT_MAX], targets[512] = "";

        assert_string_equal(addr_format(&c->listeners[0].bind, text), good[i].bind);
        for (size_t j = 0; j < c->groups[0].target_count; j++) {
            if (j > 0)
                strcat(targets, " ");
            strcat(targets, c->groups[0].targets[j].name.text);
        }
        assert_string_equal(targets, good[i].targets);
        assert_string_equal(c->alb.admin, good[i].admin);
        config_free(&c);
    }
}

static bool admits(const struct config *c, const char *peer)
{
    struct ip ip;

    assert_true(ip_parse(span_text(peer), &ip));
    return config_admits(c, &ip);
}

/* Nobody but this machine gets in, wherever it listens. */
static void test_only_this_machine(void **state)
{
    static const char *const args[] = { "--target", ":1", "--listen", "0.0.0.0:80", NULL };
    static const struct {
        const char *peer;
        bool admitted;
    } peers[] = {
        { "127.0.0.1", true },  { "127.9.9.9", true },  { "::1", true },
        { "10.0.0.1", false },  { "192.0.2.1", false }, { "::2", false },
        { "128.0.0.1", false },
    };
    struct config *c = read_back(args);

    (void)state;
    assert_false(c->edge_any);
    for (size_t i = 0; i < COUNT(peers); i++)
        assert_int_equal(admits(c, peers[i].peer), peers[i].admitted);
    config_free(&c);
}

/* Unless more is asked for, as in a container, whose clients are never this machine. */
static void test_who_else_may_connect(void **state)
{
    static const char *const block[] = { "--target", ":1", "--allow", "172.17.0.0/16", NULL };
    static const char *const any[] = { "--target", ":1", "--allow", "any", NULL };
    struct config *c = read_back(block);

    (void)state;
    assert_true(admits(c, "127.0.0.1") && admits(c, "172.17.0.1"));
    assert_false(admits(c, "172.18.0.1"));
    config_free(&c);
    c = read_back(any);
    assert_true(c->edge_any);
    config_free(&c);
}

static void test_as_the_managed_one(void **state)
{
    static const char *const args[] = { "--target", ":1", NULL };
    struct config *c = read_back(args);

    (void)state;
    assert_int_equal(c->alb.idle_timeout_ms, 60000);
    assert_true(c->alb.access_logs);
    assert_string_equal(c->alb.access_logs_file, "-");
    assert_false(c->groups[0].options.health_enabled);
    assert_false(c->groups[0].options.stickiness);
    assert_ptr_equal(c->listeners[0].fallback.action.groups[0].group, &c->groups[0]);
    config_free(&c);
}

static const struct {
    const char *args[ARGS_MAX];
    const char *why; /* how the sentence begins */
} bad[] = {
    { { NULL }, "no --target: where should requests go?" },
    { { "--listen", ":80" }, "no --target: where should requests go?" },
    { { "--target" }, "--target needs a value behind it" },
    { { "--target", ":1", "--admin" }, "--admin needs a value behind it" },
    { { "localhost:3000" }, "unknown argument localhost:3000" },
    { { "--targets", ":1" }, "unknown argument --targets" },
    { { "--target", "localhost" }, "localhost: " },
    { { "--target", "127.0.0.1:0" }, "127.0.0.1:0: " },
    { { "--target", "127.0.0.1:70000" }, "127.0.0.1:70000: " },
    { { "--target", ":1", "--target", "127.0.0.1:1" },
      "--target 127.0.0.1:1 is the same as --target :1" },
    { { "--target", ":1", "--listen", ":x" }, ":x: " },
    { { "--target", ":1", "--listen", ":1", "--listen", ":2" }, "--listen is there twice" },
    { { "--target", ":1", "--allow", "all" }, "--allow all: " },
    { { "--target", ":1", "--allow", "10.0.0.1/8" }, "--allow 10.0.0.1/8: " },
    { { "--target", ":1", "--allow", "10.0.0.0/8, any" }, "--allow 10.0.0.0/8, any: " },
    { { "--target", ":1", "--allow", "any", "--allow", "any" }, "--allow is there twice" },
    { { "--target", ":1", "--control", "alb.sock" },
      "--control alb.sock is no plain path that begins with /" },
    { { "--target", ":1", "--control", "/a\n[edge]" }, "--control /a\n[edge] is no plain path" },
    { { "--target", ":1", "--admin", "0" }, "--admin 0 is not a port of 1..65535" },
    { { "--target", ":1", "--admin", "127.0.0.1:1" },
      "--admin 127.0.0.1:1 is not a port of 1..65535" },
};

static void test_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct buf text;
        char why[256] = "";

        assert_false(make(bad[i].args, &text, why, sizeof(why)));
        if (strncmp(why, bad[i].why, strlen(bad[i].why)) != 0)
            fail_msg("got %s, want %s", why, bad[i].why);
        buf_done(&text);
    }
}

/* As many targets as there may be still fit. */
static void test_many_targets(void **state)
{
    enum { MOST = 64 };
    char ports[MOST + 1][16];
    char *args[2 * (MOST + 1)];
    struct buf text;
    char why[256] = "";

    (void)state;
    for (int i = 0; i <= MOST; i++) {
        snprintf(ports[i], sizeof(ports[i]), ":%d", i + 1);
        args[2 * i] = (char *)(uintptr_t) "--target";
        args[2 * i + 1] = ports[i];
    }
    buf_init(&text, QUICK_TEXT_MAX);
    assert_true(quick_config(2 * MOST, args, &text, why, sizeof(why)));
    buf_done(&text);
    buf_init(&text, QUICK_TEXT_MAX);
    assert_false(quick_config(2 * (MOST + 1), args, &text, why, sizeof(why)));
    assert_string_equal(why, "more than 64 targets: write a file instead");
    buf_done(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_control),
        cmocka_unit_test(test_only_this_machine),
        cmocka_unit_test(test_who_else_may_connect),
        cmocka_unit_test(test_as_the_managed_one),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_many_targets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
