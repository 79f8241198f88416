/* The settings table: every type, and every sentence a refusal may print. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/settings.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct options {
    bool enabled;
    uint32_t workers, idle_ms, ping_ms, interval_ms, bytes, any;
    int mode;
    char *name;
    struct setting_list allow, ports;
};

static const char *const modes[] = { "monitor", "defensive", "strictest", NULL };

static bool explain_mode(struct span value, char *text, size_t size)
{
    snprintf(text, size, "is of old; say monitor");
    return span_equal(value, SPAN("lax"));
}

#define FIELD(name) offsetof(struct options, name)
static const struct setting table[] = {
    { "access_logs.enabled", SETTING_BOOL, FIELD(enabled), "false", 0, 0, NULL, APPLIES_RELOAD,
      "Write one line for each request." },
    { "workers", SETTING_COUNT, FIELD(workers), "auto", 1, 256, NULL, APPLIES_RESTART,
      "Loop threads; auto is one for each core." },
    { "idle_timeout.timeout_seconds", SETTING_DURATION, FIELD(idle_ms), "60", 1000, 4000000, NULL,
      APPLIES_NEW_CONNECTIONS, "Silence that ends a connection." },
    { "ping_interval", SETTING_DURATION, FIELD(ping_ms), "0", 0, 3600000, NULL, APPLIES_RELOAD,
      "Time between pings." },
    { "interval", SETTING_DURATION, FIELD(interval_ms), "30s", 5000, 300000, NULL, APPLIES_RELOAD,
      "Time between probes." },
    { "max_bytes", SETTING_BYTES, FIELD(bytes), "64k", 1024, 1048576, NULL, APPLIES_RELOAD,
      "The largest message." },
    { "any", SETTING_COUNT, FIELD(any), "7", 0, 0, NULL, APPLIES_RELOAD, "Any number." },
    { "mode", SETTING_CHOICE, FIELD(mode), "defensive", 0, 0, modes, APPLIES_RELOAD, "How strict.",
      .aws = "monitor", .explain = explain_mode },
    { "name", SETTING_TEXT, FIELD(name), "", 0, 0, NULL, APPLIES_RELOAD, "A name." },
    { "allow", SETTING_LIST, FIELD(allow), NULL, 0, 0, NULL, APPLIES_RELOAD, "Who may connect." },
    { "port", SETTING_LIST, FIELD(ports), "80", 0, 0, NULL, APPLIES_RELOAD, "Ports." },
    { .key = NULL },
};
#undef FIELD

static struct options o;
static uint64_t seen;
static char why[256];

static int set_up(void **state)
{
    (void)state;
    memset(&o, 0xa5, sizeof(o)); /* settings_init() must not read it */
    settings_init(table, &o);
    seen = 0;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    settings_done(table, &o);
    assert_null(o.name);
    assert_null(o.allow.items);
    return 0;
}

static bool set(const char *key, const char *value, int line)
{
    why[0] = '\0';
    return settings_set(table, &o, &seen, span_text(key), span_text(value), line, why, sizeof(why));
}

static void test_fallbacks(void **state)
{
    (void)state;

    assert_false(o.enabled);
    assert_int_equal(o.workers, 0);
    assert_int_equal(o.idle_ms, 60000);
    assert_int_equal(o.ping_ms, 0);
    assert_int_equal(o.interval_ms, 30000);
    assert_int_equal(o.bytes, 65536);
    assert_int_equal(o.any, 7);
    assert_int_equal(o.mode, 1);
    assert_string_equal(o.name, "");
    assert_int_equal(o.allow.count, 0);
    assert_int_equal(o.ports.count, 1);
    assert_string_equal(o.ports.items[0].text, "80");
}

static void test_every_type(void **state)
{
    (void)state;

    assert_true(set("access_logs.enabled", "on", 1) && o.enabled);
    assert_true(set("workers", "4", 2) && o.workers == 4);
    assert_true(set("idle_timeout.timeout_seconds", "4000", 3) && o.idle_ms == 4000000);
    assert_true(set("ping_interval", "250ms", 4) && o.ping_ms == 250);
    assert_true(set("max_bytes", "1m", 5) && o.bytes == 1048576);
    assert_true(set("any", "4294967295", 6) && o.any == UINT32_MAX);
    assert_true(set("mode", "Strictest", 7) && o.mode == 2);
    assert_true(set("name", "a \"b\" c", 8));
    assert_string_equal(o.name, "a \"b\" c");
    assert_true(settings_was_set(table, seen, "name"));
    assert_false(settings_was_set(table, seen, "interval"));
    assert_non_null(settings_find(table, SPAN("mode")));
    assert_null(settings_find(table, SPAN("mod")));
}

static void test_auto(void **state)
{
    (void)state;

    o.workers = 9;
    assert_true(set("workers", "AUTO", 1) && o.workers == 0);
    assert_false(set("any", "auto", 2));
    assert_string_equal(why, "any: \"auto\" is not a whole number");
}

static void test_lists_add_up(void **state)
{
    (void)state;

    assert_true(set("allow", "10.0.0.0/8", 3) && set("allow", "::1", 9));
    assert_int_equal(o.allow.count, 2);
    assert_string_equal(o.allow.items[0].text, "10.0.0.0/8");
    assert_int_equal(o.allow.items[1].line, 9);
    /* The first one in a file takes the fallback's place. */
    assert_true(set("port", "8080", 4) && set("port", "8081", 5));
    assert_int_equal(o.ports.count, 2);
    assert_string_equal(o.ports.items[0].text, "8080");
}

/* A list of thousands is not copied for each line. */
static void test_a_long_list_seldom_moves(void **state)
{
    enum { LINES = 5000, MOVES_MAX = 13 }; /* 2^13 > 5000 */
    uintptr_t place = 0;
    int moves = 0;

    (void)state;
    for (int line = 1; line <= LINES; line++) {
        assert_true(set("allow", "10.0.0.0/8", line));
        moves += (uintptr_t)o.allow.items != place && place != 0;
        place = (uintptr_t)o.allow.items;
    }
    assert_in_range(moves, 0, MOVES_MAX);
    for (int i = 0; i < LINES; i++)
        assert_int_equal(o.allow.items[i].line, i + 1);
}

static void test_refusals(void **state)
{
    static const struct {
        const char *key, *value, *why;
    } cases[] = {
        { "idle_timeout.timeout_seconds", "5000",
          "idle_timeout.timeout_seconds: 5000 is outside 1..4000 seconds" },
        { "idle_timeout.timeout_seconds", "0",
          "idle_timeout.timeout_seconds: 0 is outside 1..4000 seconds" },
        { "idle_timeout.timeout_seconds", "2h",
          "idle_timeout.timeout_seconds: 2h is outside 1..4000 seconds" },
        { "idle_timeout.timeout_seconds", "99999999999",
          "idle_timeout.timeout_seconds: 99999999999 is outside 1..4000 seconds" },
        { "idle_timeout.timeout_seconds", "1 min",
          "idle_timeout.timeout_seconds: \"1 min\" is not a number of seconds, nor a duration such "
          "as 250ms, 30s or 5m" },
        { "interval", "1s", "interval: 1s is outside 5s..5m" },
        { "interval", "30", "interval: \"30\" is not a duration such as 250ms, 30s or 5m" },
        { "ping_interval", "2d", "ping_interval: 2d is outside 0..1h" },
        { "max_bytes", "2m", "max_bytes: 2m is outside 1k..1m" },
        { "max_bytes", "big", "max_bytes: \"big\" is not a size such as 65536, 64k or 1m" },
        { "workers", "257", "workers: 257 is outside 1..256" },
        { "workers", "0", "workers: 0 is outside 1..256" },
        { "workers", "many", "workers: \"many\" is not a whole number or auto" },
        { "any", "-1", "any: \"-1\" is not a whole number" },
        { "any", "", "any: \"\" is not a whole number" },
        { "any", "4294967296", "any: 4294967296 is outside 0..4294967295" },
        { "access_logs.enabled", "1", "access_logs.enabled: \"1\" is not yes or no" },
        { "mode", "lax", "mode: \"lax\" is of old; say monitor" },
        { "mode", "strict", "mode: \"strict\" is not one of monitor, defensive, strictest" },
        { "intervall", "30s", "unknown setting \"intervall\"; did you mean \"interval\"?" },
        { "Worker", "1", "unknown setting \"Worker\"; did you mean \"workers\"?" },
        { "nmae", "x", "unknown setting \"nmae\"; did you mean \"name\"?" },
        { "idle_timeout", "5",
          "unknown setting \"idle_timeout\"; did you mean \"idle_timeout.timeout_seconds\"?" },
        { "idle", "5", "unknown setting \"idle\"" },
        { "colour", "red", "unknown setting \"colour\"" },
    };
    (void)state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct options before = o;
        assert_false(set(cases[i].key, cases[i].value, 1));
        assert_string_equal(why, cases[i].why);
        assert_memory_equal(&before, &o, sizeof(o));
        assert_int_equal(seen, 0);
    }
}

static void test_set_twice(void **state)
{
    (void)state;

    assert_true(set("interval", "10s", 1));
    assert_false(set("interval", "20s", 2));
    assert_string_equal(why, "interval: set twice in one section; keep one of the two");
    assert_int_equal(o.interval_ms, 10000);
    seen = 0; /* the next section */
    assert_true(set("interval", "20s", 3));
}

static void test_long_text_in_a_sentence(void **state)
{
    char value[9000];
    (void)state;

    memset(value, 'x', sizeof(value));
    value[sizeof(value) - 1] = '\0';
    assert_false(set("any", value, 1));
    assert_true(strlen(why) < 100);
    assert_non_null(strstr(why, "x\" is not a whole number"));
    assert_false(set(value, "1", 1));
    assert_true(strlen(why) < 100);
}

static void test_reference_page(void **state)
{
    char *text = NULL;
    size_t len;
    (void)state;

    FILE *to = open_memstream(&text, &len);
    settings_describe(table, to);
    fclose(to);
    static const char *const lines[] = {
        "| Setting | Default | Range | Takes effect | What it does |\n|---|---|---|---|---|\n",
        "| `workers` | `auto` | 1..256 | restart | Loop threads; auto is one for each core. |\n",
        "| `idle_timeout.timeout_seconds` | `60` | 1..4000 seconds | new connections | Silence "
        "that "
        "ends a connection. |\n",
        "| `max_bytes` | `64k` | 1k..1m | reload | The largest message. |\n",
        "| `any` | `7` | any | reload | Any number. |\n",
        ("| `mode` | `defensive` (profile aws: `monitor`) | monitor, defensive, strictest | reload "
         "| How strict. |\n"),
        "| `name` | (none) | text | reload | A name. |\n",
        "| `allow` | (none) | text, repeatable | reload | Who may connect. |\n",
    };
    for (size_t i = 0; i < COUNT(lines); i++)
        assert_non_null(strstr(text, lines[i]));
    free(text);
}

static void test_what_another_section_says(void **state)
{
    static const struct setting heirs[] = {
        { "any", SETTING_COUNT, offsetof(struct options, any), "7", 0, 0, NULL, APPLIES_RELOAD,
          "Any number.", .inherits = "as above" },
        { "interval", SETTING_DURATION, offsetof(struct options, interval_ms), "30s", 5000, 300000,
          NULL, APPLIES_RELOAD, "Not an heir." },
        { .key = NULL },
    };
    struct options own;
    uint64_t own_seen = 0;
    char *text = NULL;
    size_t len;
    (void)state;

    settings_init(heirs, &own);
    assert_true(set("any", "9", 1) && set("interval", "10s", 1));
    settings_inherit(heirs, &own, own_seen, table, &o);
    assert_int_equal(own.any, 9);
    assert_int_equal(own.interval_ms, 30000);
    assert_true(settings_set(heirs, &own, &own_seen, SPAN("any"), SPAN("1"), 1, why, 256));
    settings_inherit(heirs, &own, own_seen, table, &o);
    assert_int_equal(own.any, 1);

    FILE *to = open_memstream(&text, &len);
    settings_describe(heirs, to);
    fclose(to);
    assert_non_null(strstr(text, "| `any` | as above | any | reload | Any number. |\n"));
    free(text);
}

static void test_managed_defaults(void **state)
{
    char shown[SETTING_SHOWN_MAX];
    const struct setting *mode = settings_find(table, SPAN("mode"));
    (void)state;

    assert_true(settings_differs_from_aws(mode, &o));
    assert_string_equal(settings_show(mode, &o, shown), "defensive");
    settings_use_aws(table, &o, 0);
    assert_int_equal(o.mode, 0);
    assert_int_equal(o.any, 7);
    assert_false(settings_differs_from_aws(mode, &o));
    assert_true(settings_set(table, &o, &seen, SPAN("mode"), SPAN("strictest"), 1, why, 256));
    settings_use_aws(table, &o, seen);
    assert_int_equal(o.mode, 2);
    assert_false(settings_differs_from_aws(settings_find(table, SPAN("any")), &o));
}

static void test_values_are_shown_as_written(void **state)
{
    static const char *const rows[][2] = {
        { "access_logs.enabled", "yes" },
        { "workers", "auto" },
        { "idle_timeout.timeout_seconds", "61" },
        { "interval", "30s" },
        { "max_bytes", "64k" },
        { "mode", "strictest" },
        { "name", "x y" },
    };
    char shown[SETTING_SHOWN_MAX];
    (void)state;

    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_true(settings_set(table, &o, &seen, span_text(rows[i][0]), span_text(rows[i][1]), 1,
                                 why, sizeof(why)));
        assert_string_equal(settings_show(settings_find(table, span_text(rows[i][0])), &o, shown),
                            rows[i][1]);
    }
}

int main(void)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(test_fallbacks),
        CASE(test_every_type),
        CASE(test_auto),
        CASE(test_lists_add_up),
        CASE(test_a_long_list_seldom_moves),
        CASE(test_refusals),
        CASE(test_set_twice),
        CASE(test_long_text_in_a_sentence),
        CASE(test_reference_page),
        CASE(test_what_another_section_says),
        CASE(test_managed_defaults),
        CASE(test_values_are_shown_as_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
