/*
 * What a good file becomes; `alb check`; the sample that is installed; and that
 * a damaged file is never half taken.
 */
#include "config_fixture.h"

#include "alb/check.h"

/* --- what a good file becomes ----------------------------------------------------------- */

static const char whole[] =
    "[rule page]\nlistener = web\npriority = 20\n"
    "path-pattern = /index.html /*.css\nhost-header = *.example.com\n"
    "action = fixed-response 200 application/json @body.json\n"
    "[rule chat]\nlistener = web\npriority = 10\npath-pattern = /ws/*\naction = forward chat\n"
    "[rule other]\nlistener = tls\npriority = 10\npath-pattern = /\naction = forward spare\n"
    "[listener web]\nbind = [::1]:8080\n"
    "default_action = fixed-response 404 text/plain \"not \\\"here\\\"\"\n"
    "[listener tls]\nbind = 127.0.0.1:0\nprotocol = https\ncertificate = both.pem\n"
    "default_action = forward chat\n"
    "[target_group chat]\ntarget = 127.0.0.1:9001 weight=7\ntarget = [::1]:9001\n"
    "health_check.matcher = 200,300-399\nstickiness.enabled = true\n"
    "stickiness.lb_cookie.duration_seconds = 1h\n"
    "[target_group spare]\ntarget = 127.0.0.1:9001\n"
    "[edge]\nallow = 10.0.1.37/32 10.0.2.0/24\nallow_file = one.txt two.txt\n"
    "allow_ip_ranges = ranges.json EDGE\n"
    "[alb]\nworkers = 2\nidle_timeout.timeout_seconds = 5m\nadmin = 127.0.0.1:9100\n"
    "seal_key_file = seal.keys\n";

static struct config *read_whole(void)
{
    struct problems p;
    struct config *c = read_text(whole, &p);

    expect("whole", &p, false, "");
    expect("whole", &p, true, "");
    problems_done(&p);
    return c;
}

static void test_whole_alb(void **state)
{
    struct config *c = read_whole();

    (void)state;
    assert_int_equal(c->alb.workers, 2);
    assert_int_equal(c->alb.idle_timeout_ms, 300000);
    assert_int_equal(c->alb.max_connections, 0);
    assert_string_equal(c->alb.seal_key_file, "seal.keys");
    assert_non_null(c->ring);
    assert_int_equal(addr_port(&c->admin), 9100);
    assert_int_equal(c->listener_count, 2);
    assert_int_equal(c->group_count, 2);
    config_free(&c);
}

static void test_whole_groups(void **state)
{
    struct config *c = read_whole();
    const struct group_config *chat = config_group(c, SPAN("chat"));

    (void)state;
    assert_int_equal(chat->target_count, 2);
    assert_string_equal(chat->targets[0].name.text, "127.0.0.1:9001");
    assert_int_equal(chat->targets[0].weight, 7);
    assert_string_equal(chat->targets[1].name.text, "[::1]:9001");
    assert_int_equal(chat->targets[1].weight, 100);
    assert_int_equal(addr_port(&chat->targets[1].name.addr), 9001);
    assert_int_equal(chat->matcher_count, 2);
    assert_int_equal(chat->matcher[0].low, 200);
    assert_int_equal(chat->matcher[0].high, 200);
    assert_int_equal(chat->matcher[1].low, 300);
    assert_int_equal(chat->matcher[1].high, 399);
    assert_int_equal(chat->stickiness.duration_s, 3600);
    assert_string_equal(chat->stickiness.cookie_name, "AWSALB");
    assert_string_equal(chat->stickiness.cors_cookie_name, "AWSALBCORS");
    assert_true(chat->id == stickiness_id(SPAN("chat")));
    assert_int_equal(chat->index, chat - c->groups);
    assert_null(config_group(c, SPAN("web")));
    config_free(&c);
}

static void test_whole_listeners(void **state)
{
    struct config *c = read_whole();
    const struct listener_config *web = config_listener(c, SPAN("web"));
    const struct listener_config *tls = config_listener(c, SPAN("tls"));

    (void)state;
    assert_null(web->tls);
    assert_non_null(tls->tls);
    assert_int_equal(addr_port(&web->bind), 8080);
    assert_int_equal(web->rule_count, 2);
    assert_string_equal(web->rules[0].name, "chat");
    assert_ptr_equal(web->rules[0].action.groups[0].group, config_group(c, SPAN("chat")));
    assert_string_equal(web->rules[1].name, "page");
    assert_int_equal(web->rules[1].priority, 20);
    assert_int_equal(web->rules[1].condition_count, 2);
    assert_int_equal(web->rules[1].conditions[0].kind, CONDITION_HOST);
    assert_int_equal(web->rules[1].conditions[0].count, 1);
    assert_int_equal(web->rules[1].conditions[1].count, 2);
    assert_string_equal(web->rules[1].conditions[1].values[1].text, "/*.css");
    assert_int_equal(web->rules[1].action.kind, ACTION_FIXED_RESPONSE);
    assert_int_equal(web->rules[1].action.status, 200);
    assert_string_equal(web->rules[1].action.content_type, "application/json");
    assert_string_equal(web->rules[1].action.body, "{\"ok\":true}\n");
    assert_string_equal(web->fallback.name, "default");
    assert_int_equal(web->fallback.priority, 0);
    assert_string_equal(web->fallback.action.body, "not \"here\"");
    assert_int_equal(tls->rule_count, 1);
    assert_ptr_equal(tls->fallback.action.groups[0].group, config_group(c, SPAN("chat")));
    config_free(&c);
}

static bool admits(const struct config *c, const char *peer)
{
    struct ip ip;

    assert_true(ip_parse(span_text(peer), &ip));
    return config_admits(c, &ip);
}

static void test_whole_edge(void **state)
{
    struct config *c = read_whole();

    (void)state;
    assert_true(admits(c, "10.0.1.37"));
    assert_false(admits(c, "10.0.1.38"));
    assert_true(admits(c, "10.0.2.255"));
    assert_true(admits(c, "192.0.2.200"));
    assert_true(admits(c, "198.51.100.7"));
    assert_true(admits(c, "2001:db8::1"));
    assert_true(admits(c, "120.52.22.97"));
    assert_true(admits(c, "2600:900f::1"));
    assert_false(admits(c, "127.0.0.1"));
    config_free(&c);
}

static void test_any_and_none(void **state)
{
    static const struct {
        const char *text;
        bool admits;
    } cases[] = {
        { ALB "[edge]\nallow = any\n" LISTENER GROUP, true },
        { ALB "[edge]\nallow = none\n" LISTENER GROUP, false },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct problems p;
        struct config *c = read_text(cases[i].text, &p);
        assert_non_null(c);
        assert_int_equal(c->edge_any, cases[i].admits);
        assert_int_equal(admits(c, "192.0.2.1"), cases[i].admits);
        assert_int_equal(admits(c, "2001:db8::1"), cases[i].admits);
        config_free(&c);
        problems_done(&p);
    }
}

/* --- properties -------------------------------------------------------------------------- */

/* Cut anywhere, a file is taken or refused, and never refused without a word. */
static void test_every_prefix(void **state)
{
    (void)state;
    for (size_t n = 0; n < sizeof(whole); n += 3) {
        struct problems p;
        problems_init(&p, "f");
        struct config *c = config_read_text(span_of(whole, n), &p);
        assert_int_equal(c == NULL, p.errors > 0);
        config_free(&c);
        problems_done(&p);
    }
}

/* Any one byte taken out gives no crash and no silence either. */
static void test_every_missing_byte(void **state)
{
    char *text = mem_array(char, sizeof(whole));

    (void)state;
    for (size_t n = 0; n < sizeof(whole) - 1; n += 2) {
        struct problems p;
        memcpy(text, whole, n);
        memcpy(text + n, whole + n + 1, sizeof(whole) - n - 1);
        problems_init(&p, "f");
        struct config *c = config_read_text(span_of(text, sizeof(whole) - 2), &p);
        assert_int_equal(c == NULL, p.errors > 0);
        config_free(&c);
        problems_done(&p);
    }
    free(text);
}

/* However the rules are shuffled in the file, they come out by priority. */
static void test_rules_by_priority(void **state)
{
    enum { RULES = 50 };
    unsigned order[RULES] = { 0 };

    (void)state;
    srand(1);
    for (unsigned i = 0; i < RULES; i++) {
        unsigned at = (unsigned)rand() % (i + 1);
        order[i] = order[at];
        order[at] = i;
    }
    struct buf text;
    buf_init(&text, 1 << 20);
    assert_true(buf_print(&text, "%s", EDGE LISTENER GROUP));
    for (unsigned i = 0; i < RULES; i++)
        assert_true(buf_print(&text,
                              "[rule r%u]\nlistener = web\npriority = %u\npath-pattern = /\n"
                              "action = forward chat\n",
                              order[i], order[i] * 7 + 1));
    struct problems p;
    problems_init(&p, "f");
    struct config *c = config_read_text(buf_data(&text), &p);
    assert_non_null(c);
    assert_int_equal(c->listeners[0].rule_count, RULES);
    for (unsigned i = 0; i < RULES; i++)
        assert_int_equal(c->listeners[0].rules[i].priority, i * 7 + 1);
    config_free(&c);
    problems_done(&p);
    buf_done(&text);
}

/* --- files ---------------------------------------------------------------------------------- */

/* What check_file() prints, both streams in one; free() it. */
static char *checked(const char *path, int *status)
{
    char why[256];
    size_t len;

    fflush(stdout);
    fflush(stderr);
    int old_out = dup(1), old_err = dup(2);
    int fd = open("printed.body", O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0600);
    assert_true(old_out >= 0 && old_err >= 0 && fd >= 0);
    dup2(fd, 1);
    dup2(fd, 2);
    *status = check_file(path, &(struct check_options){ .as_aws = false });
    fflush(stdout);
    dup2(old_out, 1);
    dup2(old_err, 2);
    close(old_out);
    close(old_err);
    close(fd);
    char *text = text_read_file("printed.body", 1 << 20, &len, why, sizeof(why));
    assert_non_null(text);
    return text;
}

static void test_check(void **state)
{
    static const struct {
        const char *text;
        int status;
        const char *want;
    } cases[] = {
        { whole, 0,
          "c.ini:23: warning: certificate: a CDN edge refuses both.pem: it is self-signed; get one "
          "of a public authority, or have the edge speak HTTP to a plain listener\n"
          "c.ini: ok: 2 listeners, 2 target groups (3 targets), 3 rules, edge set of 7 ranges\n" },
        { ALB "[edge]\nallow = any\n" LISTENER GROUP, 0,
          "c.ini:4: warning: allow = any: whoever reaches a listener may connect; name the "
          "addresses "
          "of the edge instead\n"
          "c.ini: ok: 1 listener, 1 target group (1 target), 0 rules, edge open to all\n" },
        { ALB EDGE LISTENER "[target_group chat]\n", 0,
          "c.ini:8: warning: [target_group chat] has no target: it answers 503\n"
          "c.ini: ok: 1 listener, 1 target group (0 targets), 0 rules, edge set of 1 range\n" },
        { ALB LISTENER GROUP, 1,
          "c.ini: there is no [edge] section: say who may connect; open to all must be said: "
          "allow = any\n" },
    };
    int status;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        write_text("c.ini", cases[i].text);
        char *got = checked("c.ini", &status);
        assert_string_equal(got, cases[i].want);
        assert_int_equal(status, cases[i].status);
        free(got);
    }
    char *got = checked("none.ini", &status);
    assert_string_equal(got, "none.ini: cannot open none.ini: No such file or directory\n");
    assert_int_equal(status, 1);
    free(got);
}

/* conf/alb.ini as it is installed, with /etc/postern/ taken for our conf/: it admits nobody. */
static void test_sample(void **state)
{
    static const char etc[] = "/etc/postern/";
    struct problems p;
    struct buf text;
    char why[256];
    size_t len;

    (void)state;
    assert_int_equal(fchdir(home_fd), 0);
    char *sample = text_read_file("conf/alb.ini", 65536, &len, why, sizeof(why));
    assert_non_null(sample);
    buf_init(&text, 65536);
    char *at = sample, *next;
    for (; (next = strstr(at, etc)) != NULL; at = next + sizeof(etc) - 1)
        assert_true(buf_print(&text, "%.*sconf/", (int)(next - at), at));
    assert_true(buf_print(&text, "%s", at));

    problems_init(&p, "conf/alb.ini");
    struct config *c = config_read_text(buf_data(&text), &p);
    assert_int_equal(chdir(folder), 0);
    expect("sample", &p, false, "");
    expect(
        "sample", &p, true,
        "conf/alb.ini:32: warning: allow = none: nobody may connect; name the addresses of the "
        "edge here, then `alb reload`, or let one in for a while: alb edge add CIDR --for 10m\n");
    assert_false(admits(c, "10.0.1.37"));
    config_free(&c);
    problems_done(&p);
    buf_done(&text);
    free(sample);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_alb),
        cmocka_unit_test(test_whole_groups),
        cmocka_unit_test(test_whole_listeners),
        cmocka_unit_test(test_whole_edge),
        cmocka_unit_test(test_any_and_none),
        cmocka_unit_test(test_every_prefix),
        cmocka_unit_test(test_every_missing_byte),
        cmocka_unit_test(test_rules_by_priority),
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_sample),
    };

    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
