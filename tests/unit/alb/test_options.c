/*
 * The settings' tables: names, units, ranges and defaults of the managed
 * balancer's attributes, and the page that is printed from them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "http/message.h"

#include "alb/options.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define FAIL_OPEN "target_group_health.unhealthy_state_routing.minimum_healthy_targets."

union any_options {
    struct alb_options alb;
    struct edge_options edge;
    struct listener_options listener;
    struct group_options group;
    struct rule_options rule;
};

static void test_names_are_whole(void **state)
{
    (void)state;
    for (const struct section_kind *kind = alb_sections; kind->kind != NULL; kind++) {
        union any_options options;
        settings_init(kind->settings, &options);
        settings_done(kind->settings, &options);
        for (const struct setting *s = kind->settings; s->key != NULL; s++) {
            assert_ptr_equal(settings_find(kind->settings, span_text(s->key)), s);
            assert_true(strlen(s->help) > 10 && s->help[strlen(s->help) - 1] == '.');
            assert_null(strchr(s->help, '|')); /* it would end the table's cell */
        }
    }
}

static void test_defaults_of_alb(void **state)
{
    struct alb_options o;

    (void)state;
    settings_init(alb_settings, &o);
    assert_int_equal(o.workers, 0);
    assert_int_equal(o.max_connections, 0);
    assert_int_equal(o.idle_timeout_ms, 60000);
    assert_int_equal(o.client_keep_alive_ms, 3600000);
    assert_int_equal(o.desync_mode, HTTP_DEFENSIVE);
    assert_false(o.access_logs);
    assert_string_equal(o.access_logs_file, "-");
    assert_int_equal(o.shutdown_delay_ms, 0);
    assert_int_equal(o.shutdown_timeout_ms, 30000);
    assert_int_equal(o.tls_handshake_timeout_ms, 10000);
    settings_done(alb_settings, &o);
}

static void test_defaults_of_group(void **state)
{
    struct group_options o;

    (void)state;
    settings_init(group_settings, &o);
    assert_int_equal(o.deregistration_delay_ms, 300000);
    assert_int_equal(o.algorithm, ROUND_ROBIN);
    assert_int_equal(o.slow_start_ms, 0);
    assert_int_equal(o.fail_open_count, 1);
    assert_int_equal(o.fail_open_percent, 0);
    assert_int_equal(o.target_max_connections, 0);
    assert_int_equal(o.retry_max, 1);
    assert_string_equal(o.health_port, "traffic-port");
    assert_true(o.health_enabled);
    assert_string_equal(o.health_path, "/");
    assert_int_equal(o.health_interval_ms, 30000);
    assert_int_equal(o.health_timeout_ms, 5000);
    assert_int_equal(o.healthy_threshold, 5);
    assert_int_equal(o.unhealthy_threshold, 2);
    assert_string_equal(o.health_matcher, "200");
    assert_false(o.stickiness);
    assert_int_equal(o.stickiness_type, 0);
    assert_int_equal(o.lb_cookie_duration_ms, 86400000);
    assert_string_equal(o.lb_cookie_name, "AWSALB");
    assert_string_equal(o.lb_cookie_cors_name, "AWSALBCORS");
    settings_done(group_settings, &o);
}

/* Both ends of each range are taken, what lies beyond is not. */
static const struct {
    const struct setting *table;
    const char *key;
    const char *below, *low, *high, *above;
} ranges[] = {
    { alb_settings, "workers", "0", "1", "256", "257" },
    { alb_settings, "idle_timeout.timeout_seconds", "0", "1", "4000", "4001" },
    { alb_settings, "client_keep_alive.seconds", "59", "60", "604800", "604801" },
    { alb_settings, "tls.handshake_timeout", "999ms", "1s", "60s", "61s" },
    { alb_settings, "shutdown_delay", "-1", "0", "10m", "601s" },
    { alb_settings, "shutdown_timeout", "-1", "0", "1h", "3601s" },
    { alb_settings, "websocket.ping_interval", "-1", "0", "1h", "3601s" },
    { alb_settings, "websocket.pong_timeout", "99ms", "100ms", "1m", "61s" },
    { alb_settings, "websocket.close_timeout", "99ms", "100ms", "1m", "61s" },
    { alb_settings, "routing.http.desync_mitigation_mode", "off", "monitor", "strictest", "max" },
    { listener_settings, "protocol", "TCP", "HTTP", "HTTPS", "TLS" },
    { group_settings, "deregistration_delay.timeout_seconds", "-1", "0", "3600", "3601" },
    { group_settings, "load_balancing.algorithm.type", "", "round_robin", "weighted_random",
      "random" },
    { group_settings, "slow_start.duration_seconds", "-1", "0", "900", "901" },
    { group_settings, FAIL_OPEN "count", "0", "1", "1000", "1001" },
    { group_settings, FAIL_OPEN "percentage", "0", "1", "100", "101" },
    { group_settings, FAIL_OPEN "percentage", "", "off", "100", "auto" },
    { group_settings, "target.max_connections", "0", "1", "off", "1000001" },
    { group_settings, "retry.max", "", "0", "3", "4" },
    { alb_settings, "profile", "", "postern", "aws", "elb" },
    { group_settings, "health_check.interval_seconds", "99ms", "100ms", "300", "301" },
    { group_settings, "health_check.timeout_seconds", "99ms", "100ms", "120", "121" },
    { group_settings, "health_check.healthy_threshold_count", "1", "2", "10", "11" },
    { group_settings, "health_check.unhealthy_threshold_count", "1", "2", "10", "11" },
    { group_settings, "stickiness.lb_cookie.duration_seconds", "0", "1", "604800", "604801" },
    { group_settings, "stickiness.app_cookie.duration_seconds", "0", "1", "604800", "604801" },
    { group_settings, "stickiness.type", "", "lb_cookie", "APP_COOKIE", "source_ip" },
    { rule_settings, "priority", "0", "1", "50000", "50001" },
};

static bool takes(const struct setting *table, const char *key, const char *value)
{
    union any_options options;
    uint64_t seen = 0;
    char why[256];

    settings_init(table, &options);
    bool taken =
        settings_set(table, &options, &seen, span_text(key), span_text(value), 1, why, sizeof(why));
    settings_done(table, &options);
    if (!taken)
        assert_int_equal(strncmp(why, key, strlen(key)), 0);
    return taken;
}

static void test_ranges(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(ranges); i++) {
        if (takes(ranges[i].table, ranges[i].key, ranges[i].below) ||
            !takes(ranges[i].table, ranges[i].key, ranges[i].low) ||
            !takes(ranges[i].table, ranges[i].key, ranges[i].high) ||
            takes(ranges[i].table, ranges[i].key, ranges[i].above))
            fail_msg("%s", ranges[i].key);
    }
}

/* What a group may say in place of [alb] is the same setting there. */
static void test_what_groups_inherit(void **state)
{
    size_t count = 0;

    (void)state;
    for (const struct setting *s = group_settings; s->key != NULL; s++) {
        if (s->inherits == NULL)
            continue;
        const struct setting *of_alb = settings_find(alb_settings, span_text(s->key));
        assert_non_null(of_alb);
        assert_int_equal(s->type, of_alb->type);
        assert_string_equal(s->fallback, of_alb->fallback);
        assert_int_equal(s->min, of_alb->min);
        assert_int_equal(s->max, of_alb->max);
        assert_ptr_equal(s->choices, of_alb->choices);
        assert_int_equal(s->applies, of_alb->applies);
        assert_int_equal(s->aws == NULL, of_alb->aws == NULL);
        count++;
    }
    for (const struct setting *s = alb_settings; s->key != NULL; s++)
        count -= strncmp(s->key, "websocket.", 10) == 0;
    assert_int_equal(count, 0);
}

/* docs/settings.md is what `alb settings` prints. */
static void test_page_is_printed(void **state)
{
    char *printed, *kept, why[256];
    size_t printed_len, kept_len;
    FILE *to = open_memstream(&printed, &printed_len);

    (void)state;
    options_describe(to);
    assert_int_equal(fclose(to), 0);
    kept = text_read_file("docs/settings.md", 1 << 20, &kept_len, why, sizeof(why));
    assert_non_null(kept);
    assert_string_equal(printed, kept);
    free(printed);
    free(kept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_are_whole),   cmocka_unit_test(test_defaults_of_alb),
        cmocka_unit_test(test_defaults_of_group), cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_page_is_printed),   cmocka_unit_test(test_what_groups_inherit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
