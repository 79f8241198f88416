/* A row of the health check log, byte for byte, for each way in which a check can end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/clock.h"
#include "net/loop.h"

#include "alb/health_check.h"
#include "alb/health_log.h"
#include "alb/log_buffer.h"
#include "alb/options.h"
#include "alb/target.h"

/* 2023-11-14T22:13:20Z */
enum { NOW = 1700000000 };

static const struct row {
    const char *probed;
    bool is_https, passed;
    struct health_result result;
    const char *want;
} rows[] = {
    { "10.0.0.1:80",
      false,
      true,
      { HEALTH_ANSWERED, 200, NULL, true, 1000001 },
      "http 2023-11-14T22:13:18.999999Z 1.000001 10.0.0.1:80 chat PASS 200 -\n" },
    { "[::1]:443",
      true,
      false,
      { HEALTH_ANSWERED, 499, NULL, true, 0 },
      "https 2023-11-14T22:13:20.000000Z 0.000000 [::1]:443 chat FAIL 499 ResponseCodeMismatch\n" },
    { "10.0.0.1:80",
      false,
      false,
      { HEALTH_ANSWERED, 500, NULL, true, 1234 },
      "http 2023-11-14T22:13:19.998766Z 0.001234 10.0.0.1:80 chat FAIL 500 TargetError\n" },
    { "10.0.0.1:80",
      false,
      false,
      { HEALTH_TIMED_OUT, 0, "Request timed out", true, 5000000 },
      "http 2023-11-14T22:13:15.000000Z 5.000000 10.0.0.1:80 chat FAIL - RequestTimedOut\n" },
    { "10.0.0.1:80",
      false,
      false,
      { HEALTH_TIMED_OUT, 0, "Request timed out", false, 5000000 },
      "http 2023-11-14T22:13:15.000000Z 5.000000 10.0.0.1:80 chat FAIL - ConnectionTimedOut\n" },
    { "10.0.0.1:80",
      false,
      false,
      { HEALTH_CUT, 0, "Connection refused", true, 9 },
      "http 2023-11-14T22:13:19.999991Z 0.000009 10.0.0.1:80 chat FAIL - ConnectionReset\n" },
    { "10.0.0.1:80",
      false,
      false,
      { HEALTH_FAILED, 0, "garbage", true, 9 },
      "http 2023-11-14T22:13:19.999991Z 0.000009 10.0.0.1:80 chat FAIL - TargetError\n" },
    { "unix:/run/a b\".sock",
      false,
      false,
      { HEALTH_NOT_MADE, 0, "no descriptor", false, 9 },
      "http 2023-11-14T22:13:19.999991Z 0.000009 unix:/run/a b\\x22.sock:0 chat FAIL - "
      "InternalError\n" },
    { "10.0.0.1:80",
      false,
      true,
      { HEALTH_PONGED, 101, NULL, true, 1234 },
      "http 2023-11-14T22:13:19.998766Z 0.001234 10.0.0.1:80 chat PASS 101 -\n" },
};

static const char json[] =
    "{\"type\":\"https\",\"time\":\"2023-11-14T22:13:20.000000Z\",\"latency\":0.000000,"
    "\"target_addr\":\"[::1]:443\",\"target_group_id\":\"chat\",\"status\":\"FAIL\","
    "\"status_code\":499,\"reason_code\":\"ResponseCodeMismatch\"}\n"
    "{\"type\":\"http\",\"time\":\"2023-11-14T22:13:15.000000Z\",\"latency\":5.000000,"
    "\"target_addr\":\"10.0.0.1:80\",\"target_group_id\":\"chat\",\"status\":\"FAIL\","
    "\"status_code\":null,\"reason_code\":\"RequestTimedOut\"}\n";

static struct loop loop;
static struct log_buffer buffer;
static const struct target target = { .group = "chat" };

static void log_it(const struct row *row, const struct alb_options *o)
{
    struct addr probed;
    char why[256];
    const struct health_record record = { .target = &target,
                                          .probed = &probed,
                                          .is_https = row->is_https,
                                          .passed = row->passed,
                                          .result = &row->result };

    if (strncmp(row->probed, "unix:", 5) == 0)
        assert_true(addr_unix(row->probed + 5, &probed));
    else
        assert_true(addr_parse(span_text(row->probed), true, &probed, why, sizeof(why)));
    health_log_row(&buffer, o, &record);
}

static void assert_logged(const char *want)
{
    const struct span got = buf_data(&buffer.rows);
    char text[4096];

    assert_true(got.len < sizeof(text));
    memcpy(text, got.ptr, got.len);
    text[got.len] = '\0';
    assert_string_equal(text, want);
    buf_drop(&buffer.rows, got.len);
}

static void test_each_end(void **state)
{
    const struct alb_options on = { .health_check_logs = true };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        log_it(&rows[i], &on);
        assert_logged(rows[i].want);
    }
}

static void test_json(void **state)
{
    const struct alb_options on = { .health_check_logs = true,
                                    .access_logs_format = LOG_FORMAT_JSON };

    (void)state;
    log_it(&rows[1], &on);
    log_it(&rows[3], &on);
    assert_logged(json);
}

static void test_off(void **state)
{
    const struct alb_options off = { .health_check_logs = false };

    (void)state;
    log_it(&rows[0], &off);
    assert_logged("");
}

static int set_up(void **state)
{
    (void)state;
    loop_init(&loop, 0, 8, NULL);
    log_buffer_init(&buffer, &loop, NULL);
    clock_fix(0, NOW * 1000000UL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    clock_run();
    wheel_stop(&loop.wheel, &buffer.timer);
    buf_done(&buffer.rows);
    loop_done(&loop);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_end),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_off),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
