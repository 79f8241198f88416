/* Files that are taken, with what they will be sorry for. */
#include "config_fixture.h"

#define HASHED(key)                                                                                \
    "load_balancing.algorithm.type = consistent_hash\n"                                            \
    "load_balancing.consistent_hash.key = " key "\n"
#define QUIET(seconds) "[alb]\nidle_timeout.timeout_seconds = " seconds "\n"

static const struct text_case advice_cases[] = {
    { "none", ALB EDGE LISTENER GROUP, "" },
    { "idle by default", EDGE LISTENER GROUP,
      "f: warning: idle_timeout.timeout_seconds: a WebSocket that is quiet for 1m is cut; if yours "
      "can be, set it above their longest silence, such as 300\n" },
    { "idle 60", QUIET("60") EDGE LISTENER GROUP,
      "f:2: warning: idle_timeout.timeout_seconds: a WebSocket that is quiet for 1m is cut; if "
      "yours can be, set it above their longest silence, such as 300\n" },
    { "idle 61", QUIET("61") EDGE LISTENER GROUP, "" },
    { "idle 5", QUIET("5") EDGE LISTENER GROUP,
      "f:2: warning: idle_timeout.timeout_seconds: 5s is not above the 5s that the edge keeps an "
      "idle connection: a request that crosses our close becomes a 502\n" },
    { "idle 600", QUIET("600") EDGE LISTENER GROUP, "" },
    { "idle 601", QUIET("601") EDGE LISTENER GROUP,
      "f:2: warning: idle_timeout.timeout_seconds: 601s is more than the 10m after which the edge "
      "closes a WebSocket that the target sends nothing on\n" },
    { "idle 60 with pings", QUIET("60") "websocket.ping_interval = 30s\n" EDGE LISTENER GROUP, "" },
    { "pings over half of it", QUIET("61") "websocket.ping_interval = 31s\n" EDGE LISTENER GROUP,
      "f:3: warning: websocket.ping_interval: 31s is over half of the idle_timeout.timeout_seconds "
      "of 61s: a WebSocket whose next pong comes late is cut as idle\n" },
    { "pings of a group over half of it",
      QUIET("61") EDGE LISTENER GROUP "websocket.ping_interval = 1m\n",
      "f:10: warning: websocket.ping_interval: 1m is over half of the idle_timeout.timeout_seconds "
      "of 61s: a WebSocket whose next pong comes late is cut as idle\n" },
    { "no pings", QUIET("61") "websocket.ping_interval = 0\n" EDGE LISTENER GROUP, "" },
    { "short keep-alive", ALB "client_keep_alive.seconds = 60\n" EDGE LISTENER GROUP,
      "f:3: warning: client_keep_alive.seconds: 1m is less than the 2m that the edge may keep a "
      "connection: it has to open new ones more often\n" },
    { "admin for all", ALB "admin = 0.0.0.0:9100\n" EDGE LISTENER GROUP,
      "f:3: warning: admin: 0.0.0.0:9100 is every address of this machine, and [edge] does not "
      "guard it; name a loopback or management address\n" },
    { "admin at home", ALB "admin = [::1]:9100\n" EDGE LISTENER GROUP, "" },
    { "the default time-out fits a short interval",
      ALB EDGE LISTENER GROUP "health_check.interval_seconds = 5\n", "" },
    { "probes overlap",
      ALB EDGE LISTENER GROUP "health_check.interval_seconds = 500ms\n"
                              "health_check.timeout_seconds = 1\n",
      "f:11: warning: health_check.timeout_seconds: 1s is not less than the interval of 500ms: "
      "probes would overlap; set it lower, or health_check.interval_seconds higher\n" },
    { "plain probes of TLS targets", ALB EDGE LISTENER GROUP "protocol = HTTPS\n",
      "f:10: warning: health_check.protocol: is HTTP, as it does not follow protocol = HTTPS; say "
      "which of the two the targets answer probes in\n" },
    { "plain probes, as said",
      ALB EDGE LISTENER GROUP "protocol = HTTPS\nhealth_check.protocol = HTTP\n", "" },
    { "a matcher of probes that open a WebSocket",
      ALB EDGE LISTENER GROUP "health_check.websocket = yes\nhealth_check.matcher = 200\n",
      "f:11: warning: health_check.matcher: means nothing with health_check.websocket: only a 101 "
      "passes, and a pong\n" },
    { "authorities for nothing",
      ALB EDGE LISTENER GROUP "health_check.protocol = HTTPS\ntls.ca_file = both.pem\n",
      "f:11: warning: tls.ca_file: nothing is verified; say tls.verify = true as well\n" },
    { "keys of viewers, as the edge says", ALB EDGE LISTENER GROUP HASHED("viewer"), "" },
    { "keys of viewers that nobody tells",
      ALB EDGE "trust = none\n" LISTENER GROUP HASHED("viewer"),
      "f:12: warning: load_balancing.consistent_hash.key: viewer with nobody in [edge] trust is "
      "the "
      "address of the edge's server, and all who come by that one have one target; write trust = "
      "edge\n" },
    { "keys of others", ALB EDGE "trust = none\n" LISTENER GROUP HASHED("path"), "" },
    { "keys of viewers, open to all", ALB "[edge]\nallow = any\n" LISTENER GROUP HASHED("viewer"),
      "f:4: warning: allow = any: whoever reaches a listener may connect; name the addresses of "
      "the "
      "edge instead\n" },
    { "no probes",
      ALB EDGE LISTENER GROUP "health_check.enabled = no\n"
                              "health_check.interval_seconds = 1\n",
      "" },
    { "sticky without keys", ALB EDGE LISTENER GROUP "stickiness.enabled = yes\n",
      "f:10: warning: stickiness.enabled: without seal_key_file in [alb], a restart forgets every "
      "cookie and other balancers cannot read them\n" },
    { "sticky with keys",
      ALB "seal_key_file = seal.keys\n" EDGE LISTENER GROUP "stickiness.enabled = yes\n", "" },
    { "a group without requests", ALB EDGE LISTENER GROUP "[target_group b]\ntarget = [::1]:1\n",
      "f:10: warning: [target_group b] gets no requests: no action forwards to it\n" },
    { "a group that a rule uses",
      ALB EDGE LISTENER GROUP "[target_group b]\ntarget = [::1]:1\n"
                              "[rule r]\nlistener = web\npriority = 1\npath-pattern = /b\n"
                              "action = forward b\n",
      "" },
    { "a group without targets", ALB EDGE LISTENER "[target_group chat]\n",
      "f:8: warning: [target_group chat] has no target: it answers 503\n" },
    { "all of a private range", ALB "[edge]\nallow = 10.0.0.0/8\n" LISTENER GROUP,
      "f:3: warning: [edge] 10.0.0.0/8 admits the whole of 10.0.0.0/8, not just the edge\n" },
    { "everything", ALB "[edge]\nallow = 0.0.0.0/0\n" LISTENER GROUP,
      "f:3: warning: [edge] 0.0.0.0/0 admits the whole of 10.0.0.0/8, not just the edge\n" },
    { "all of the private range of IPv6", ALB "[edge]\nallow = fc00::/7\n" LISTENER GROUP,
      "f:3: warning: [edge] fc00::/7 admits the whole of fc00::/7, not just the edge\n" },
    { "everything of IPv6", ALB "[edge]\nallow = ::/0\n" LISTENER GROUP,
      "f:3: warning: [edge] ::/0 admits the whole of fc00::/7, not just the edge\n" },
    { "a site of it", ALB "[edge]\nallow = fd12:3456:789a::/48\n" LISTENER GROUP, "" },
    { "half of a private range", ALB "[edge]\nallow = 172.16.0.0/13\n" LISTENER GROUP, "" },
    { "anybody announces anything",
      ALB "[edge]\nallow = any\n" LISTENER "proxy_protocol = on\n" GROUP,
      "f:4: warning: allow = any: whoever reaches a listener may connect; name the addresses of "
      "the edge instead\n"
      "f:8: warning: proxy_protocol: with allow = any in [edge] anybody may connect and announce "
      "any address; allow only the proxy's\n" },
    { "the proxy announces", ALB EDGE LISTENER "proxy_protocol = on\n" GROUP, "" },
    { "the announced is checked",
      ALB "[edge]\nallow = 10.0.0.1\ncheck_announced = on\n" LISTENER "proxy_protocol = on\n" GROUP,
      "" },
    { "nobody announces", ALB "[edge]\nallow = 10.0.0.1\ncheck_announced = on\n" LISTENER GROUP,
      "f:5: warning: check_announced: changes nothing: no listener has proxy_protocol = on\n" },
    { "pattern without files", ALB "[edge]\nallow_file = *.none one.txt\n" LISTENER GROUP,
      "f:4: warning: allow_file: no file is like *.none\n" },
};

static void test_advice(void **state)
{
    (void)state;
    run_cases(advice_cases, COUNT(advice_cases), true);
}

static void test_age_of_ranges(void **state)
{
    static const char text[] = ALB "[edge]\nallow_ip_ranges = ranges.json EDGE\n" LISTENER GROUP;
    static const struct text_case undated[] = {
        { "undated", ALB "[edge]\nallow_ip_ranges = undated.json EDGE\n" LISTENER GROUP,
          "f:4: warning: allow_ip_ranges: undated.json has no createDate\n" },
    };
    const uint64_t made_us = UINT64_C(1767225600) * 1000000, day_us = UINT64_C(86400) * 1000000;
    const struct text_case fresh[] = { { "30 days", text, "" } };
    const struct text_case old[] = {
        { "31 days", text,
          "f:4: warning: allow_ip_ranges: ranges.json is 31 days old; fetch it again, or new edge "
          "addresses are refused\n" },
    };

    (void)state;
    write_text("undated.json", "{\"prefixes\":[{\"ip_prefix\":\"192.0.2.0/24\","
                               "\"service\":\"EDGE\"}],\"ipv6_prefixes\":[]}");
    clock_fix(0, made_us + 30 * day_us);
    run_cases(fresh, 1, true);
    clock_fix(0, made_us + 31 * day_us);
    run_cases(old, 1, true);
    clock_fix(0, made_us);
    run_cases(undated, 1, true);
}

/* `before`, then `count` sections of two lines each, made by `format` of a number. */
static void expect_quota(const char *before, const char *format, int count, const char *want)
{
    struct problems p;
    struct buf file;

    buf_init(&file, 1 << 20);
    buf_print(&file, "%s", before);
    for (int i = 1; i <= count; i++) {
        char section[160];
        snprintf(section, sizeof(section), format, i, i);
        buf_print(&file, "%s", section);
    }
    problems_init(&p, "f");
    struct config *c = config_read_text(buf_data(&file), &p);
    assert_non_null(c);
    char *got = said(&p, true);
    const bool is_there = strstr(got, "unless its quota is raised") != NULL;
    if (is_there != (want != NULL) || (want != NULL && strstr(got, want) == NULL))
        fail_msg("%d: %s", count, got);
    free(got);
    problems_done(&p);
    config_free(&c);
    buf_done(&file);
}

static void test_quotas(void **state)
{
    static const char group[] = "[target_group g%d]\ntarget = 127.0.0.1:%d\n";
    static const char listener[] =
        "[listener l%d]\nbind = 127.0.0.1:%d\ndefault_action = forward chat\n";

    (void)state;
    expect_quota(EDGE LISTENER GROUP, group, 99, NULL);
    expect_quota(EDGE LISTENER GROUP, group, 100,
                 "f:206: warning: 101 target groups: the managed balancer takes 100 unless");
    expect_quota(EDGE LISTENER GROUP, listener, 49, NULL);
    expect_quota(EDGE LISTENER GROUP, listener, 50,
                 "f:155: warning: 51 listeners: the managed balancer takes 50 unless");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_advice),
        cmocka_unit_test(test_age_of_ranges),
        cmocka_unit_test(test_quotas),
    };

    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
