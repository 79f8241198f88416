/* What a scrape gets, to the byte, and the sums behind it. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/metrics.h"

struct counters {
    metric_value open, refused, code_2xx, code_5xx;
    struct metric_histogram wait;
};

#define AT(field) offsetof(struct counters, field)

static const struct metric table[] = {
    { "responses_total", METRIC_COUNTER, AT(code_2xx), "code=\"2xx\"", "Responses \\ by\nclass." },
    { "responses_total", METRIC_COUNTER, AT(code_5xx), "code=\"5xx\"", NULL },
    { "connections_open", METRIC_GAUGE, AT(open), NULL, "Connections now." },
    { .name = NULL },
};

static const struct metric histogram_table[] = {
    { "wait_seconds", METRIC_HISTOGRAM, AT(wait), "to=\"target\"", "Time to connect." },
    { .name = NULL },
};

static void check_text(const struct metric *rows, const struct metric_instance *instances,
                       size_t count, const char *want)
{
    struct buf out;

    buf_init(&out, 65536);
    assert_true(metrics_print(&out, "alb_", rows, instances, count));
    assert_true(buf_put(&out, span_of("", 1)));
    assert_string_equal(buf_data(&out).ptr, want);
    buf_done(&out);
}

static void test_one_help_for_all_rows_and_instances(void **state)
{
    struct counters web[2] = { 0 }, chat = { 0 };
    const void *const web_loops[] = { &web[0], &web[1] };
    const void *const chat_loops[] = { &chat };
    const struct metric_instance instances[] = { { "target_group=\"web\"", web_loops, 2 },
                                                 { "target_group=\"chat\"", chat_loops, 1 } };
    (void)state;

    metric_add(&web[0].code_2xx, 3);
    metric_add(&web[1].code_2xx, 4);
    metric_add(&chat.code_5xx, 1);
    metric_set(&chat.open, 9);
    check_text(table, instances, 2,
               "# HELP alb_responses_total Responses \\\\ by\\nclass.\n"
               "# TYPE alb_responses_total counter\n"
               "alb_responses_total{target_group=\"web\",code=\"2xx\"} 7\n"
               "alb_responses_total{target_group=\"web\",code=\"5xx\"} 0\n"
               "alb_responses_total{target_group=\"chat\",code=\"2xx\"} 0\n"
               "alb_responses_total{target_group=\"chat\",code=\"5xx\"} 1\n"
               "# HELP alb_connections_open Connections now.\n"
               "# TYPE alb_connections_open gauge\n"
               "alb_connections_open{target_group=\"web\"} 0\n"
               "alb_connections_open{target_group=\"chat\"} 9\n");
}

static void test_instance_without_labels(void **state)
{
    struct counters c = { 0 };
    const void *const loops[] = { &c };
    const struct metric_instance all = { NULL, loops, 1 };
    (void)state;

    metric_set(&c.code_2xx, UINT64_MAX);
    check_text(table, &all, 1,
               "# HELP alb_responses_total Responses \\\\ by\\nclass.\n"
               "# TYPE alb_responses_total counter\n"
               "alb_responses_total{code=\"2xx\"} 18446744073709551615\n"
               "alb_responses_total{code=\"5xx\"} 0\n"
               "# HELP alb_connections_open Connections now.\n"
               "# TYPE alb_connections_open gauge\n"
               "alb_connections_open 0\n");
}

/* Opened on one loop, handed over, closed on the other. */
static void test_gauge_across_loops(void **state)
{
    struct counters c[2] = { 0 };
    const void *const loops[] = { &c[0], &c[1] };
    const struct metric_instance all = { "", loops, 2 };
    (void)state;

    metric_add(&c[0].open, 3);
    metric_sub(&c[1].open, 1);
    check_text(&table[2], &all, 1,
               "# HELP alb_connections_open Connections now.\n"
               "# TYPE alb_connections_open gauge\n"
               "alb_connections_open 2\n");
    metric_sub(&c[1].open, 3);
    check_text(&table[2], &all, 1,
               "# HELP alb_connections_open Connections now.\n"
               "# TYPE alb_connections_open gauge\n"
               "alb_connections_open -1\n");
}

static void test_histogram(void **state)
{
    struct counters c = { 0 };
    const void *const loops[] = { &c };
    const struct metric_instance all = { "g=\"a\"", loops, 1 };
    (void)state;

    metric_observe_us(&c.wait, 0);
    metric_observe_us(&c.wait, 500); /* bounds are inclusive */
    metric_observe_us(&c.wait, 501);
    metric_observe_us(&c.wait, 60000000);
    metric_observe_us(&c.wait, 60000001);
    check_text(histogram_table, &all, 1,
               "# HELP alb_wait_seconds Time to connect.\n"
               "# TYPE alb_wait_seconds histogram\n"
               "alb_wait_seconds_bucket{g=\"a\",to=\"target\",le=\"0.0005\"} 2\n"
               "alb_wait_seconds_bucket{g=\"a\",to=\"target\",le=\"0.001\"} 3\n"
               "alb_wait_seconds_bucket{g=\"a\",to=\"target\",le=\"0.0025\"} 3\n"
               "alb_wait_seconds_bucket{g=\"a\",to=\"target\",le=\"0.005\"} 3\n"
               "alb_wait_seconds_bucket{g=\"a\",to=\"target\",le=\"0.01\"} 3\n"
               "alb_wait_seconds_bucket{g=\"a\",to=\"target\",le=\"0.025\"} 3\n"
               "alb_wait_seconds_bucket{g=\"a\",to=\"target\",le=\"0.05\"} 3\n"
               "alb_wait_seconds_bucket{g=\"a\",to=\"target\",le=\"0.1\"} 3\n"
               "alb_wait_seconds_bucket{g=\"a\",to=\"target\",le=\"0.25\"} 3\n"
               "alb_wait_seconds_bucket{g=\"a\",to=\"target\",le=\"0.5\"} 3\n"
               "alb_wait_seconds_bucket{g=\"a\",to=\"target\",le=\"1\"} 3\n"
               "alb_wait_seconds_bucket{g=\"a\",to=\"target\",le=\"5\"} 3\n"
               "alb_wait_seconds_bucket{g=\"a\",to=\"target\",le=\"15\"} 3\n"
               "alb_wait_seconds_bucket{g=\"a\",to=\"target\",le=\"60\"} 4\n"
               "alb_wait_seconds_bucket{g=\"a\",to=\"target\",le=\"+Inf\"} 5\n"
               "alb_wait_seconds_sum{g=\"a\",to=\"target\"} 120.001002\n"
               "alb_wait_seconds_count{g=\"a\",to=\"target\"} 5\n");
}

/* Every duration falls in exactly one bucket, the first that may hold it. */
static void test_every_bound_has_its_bucket(void **state)
{
    (void)state;
    for (size_t i = 0; i < METRIC_BUCKETS; i++) {
        struct metric_histogram h = { 0 };
        metric_observe_us(&h, metric_bounds_us[i]);
        metric_observe_us(&h, metric_bounds_us[i] + 1);
        assert_int_equal(metric_get(&h.buckets[i]), 1);
        assert_int_equal(metric_get(&h.buckets[i + 1]), 1);
        assert_true(i == 0 || metric_bounds_us[i - 1] < metric_bounds_us[i]);
    }
}

static void test_labels_are_escaped_and_cut_whole(void **state)
{
    char out[32];
    (void)state;

    assert_string_equal(metrics_label("g", SPAN("chat"), out, sizeof(out)), "g=\"chat\"");
    assert_string_equal(metrics_label("g", SPAN(""), out, sizeof(out)), "g=\"\"");
    assert_string_equal(metrics_label("g", SPAN("a\\b\"c\nd"), out, sizeof(out)),
                        "g=\"a\\\\b\\\"c\\nd\"");
    assert_string_equal(metrics_label("g", SPAN("ab\"cd"), out, 8), "g=\"ab\"");
    assert_string_equal(metrics_label("g", SPAN("ab\"cd"), out, 9), "g=\"ab\\\"\"");
    assert_string_equal(metrics_label("g", SPAN("a"), out, 5), "g=\"\"");
}

static void test_full_buffer_is_said(void **state)
{
    struct counters c = { 0 };
    const void *const loops[] = { &c };
    const struct metric_instance all = { NULL, loops, 1 };
    bool fitted = false;
    (void)state;

    for (size_t bound = 0; bound < 300; bound++) {
        struct buf out;
        buf_init(&out, bound);
        bool ok = metrics_print(&out, "alb_", table, &all, 1);
        assert_true(ok || !fitted);
        fitted = ok;
        buf_done(&out);
    }
    assert_true(fitted);
}

static void *add_many(void *counter)
{
    for (int i = 0; i < 20000; i++)
        metric_add(counter, 1);
    return NULL;
}

static void test_reading_while_a_loop_adds(void **state)
{
    metric_value v = 0;
    pthread_t loop;
    uint64_t seen = 0;
    (void)state;

    pthread_create(&loop, NULL, add_many, &v);
    while (seen < 20000) {
        uint64_t now = metric_get(&v);
        assert_true(now >= seen);
        seen = now;
    }
    pthread_join(loop, NULL);
}

static void test_describe(void **state)
{
    static const struct metric rows[] = {
        { "responses_total", METRIC_COUNTER, 0, "code=\"2xx\"", "Responses by class." },
        { "responses_total", METRIC_COUNTER, 8, "code=\"5xx\"", NULL },
        { "wait_seconds", METRIC_HISTOGRAM, 16, NULL, "Time to connect." },
        { .name = NULL },
    };
    char *text = NULL;
    size_t len = 0;
    FILE *to = open_memstream(&text, &len);
    (void)state;

    metrics_describe(rows, "alb_", to);
    fclose(to);
    assert_string_equal(text,
                        "| `alb_responses_total` | counter | `code=\"2xx\"`, `code=\"5xx\"` | "
                        "Responses by class. |\n"
                        "| `alb_wait_seconds` | histogram | | Time to connect. |\n");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_help_for_all_rows_and_instances),
        cmocka_unit_test(test_instance_without_labels),
        cmocka_unit_test(test_gauge_across_loops),
        cmocka_unit_test(test_histogram),
        cmocka_unit_test(test_every_bound_has_its_bucket),
        cmocka_unit_test(test_labels_are_escaped_and_cut_whole),
        cmocka_unit_test(test_full_buffer_is_said),
        cmocka_unit_test(test_reading_while_a_loop_adds),
        cmocka_unit_test(test_describe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
