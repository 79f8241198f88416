/* test_tunnel_table.c -- the tables of `alb tunnels` and `alb closed`, and what they ask for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "alb/tunnel_table.h"

#define ROW                                                                                        \
    "'id':'TID_1','listener':'web','rule':0,'group':'app','target':'10.0.0.1:80',"                 \
    "'client':'[::1]:4711','state':'open','started':'2026-11-26T17:29:58.252890Z'"
#define SIDES                                                                                      \
    "'from_client':{'bytes':1023,'frames':{'text':3,'ping':1},'idle_ms':61000,'close_code':1000}," \
    "'from_target':{'bytes':1536,'frames':{'text':70},'idle_ms':59940,'close_code':null}"

static const struct {
    const char *json; /* with ' for " */
    void (*print)(const json_t *answer, FILE *to);
    const char *shown;
} cases[] = {
    { "{'all':0,'matched':0,'shown':0,'tunnels':[]}", tunnel_table_print_live,
      "live tunnels: 0\n" },
    { "{'all':9000,'matched':1001,'shown':1,'tunnels':[{" ROW ",'age_ms':90061001," SIDES "}]}",
      tunnel_table_print_live,
      "live tunnels: 9000, 1001 of them match, the first 1 are shown: limit=N shows more\n"
      "\n"
      "CLIENT      LISTENER  GROUP  TARGET       STATE  AGE   IDLE   FRAMES  BYTES      ID\n"
      "[::1]:4711  web       app    10.0.0.1:80  open   1d1h  59.9s  4/70    1023/1.5k  TID_1\n" },
    { "{'all':5,'matched':0,'shown':0,'missing':2,'old_processes':[{'pid':4711,'tunnels':2},"
      "{'pid':4710,'tunnels':0}],'tunnels':[]}",
      tunnel_table_print_live,
      "live tunnels: 5, 0 of them match\n"
      "2 with process 4711, which an upgrade has left: pid=4711 shows those\n"
      "2 of these are not in the list: their process has not answered\n" },
    { "{'all':1,'matched':1,'shown':1,'closed':[{" ROW ",'ended':'2026-11-26T17:30:01.000001Z',"
      "'end':'target reset','by':'target','age_ms':3601000," SIDES "}]}",
      tunnel_table_print_closed,
      "tunnels that ended last: 1\n"
      "\n"
      "ENDED                 CLIENT      GROUP  TARGET       LASTED  FRAMES  BYTES      CODES   BY "
      "   "
      "  END           ID\n"
      "2026-11-26T17:30:01Z  [::1]:4711  app    10.0.0.1:80  1h0m    4/70    1023/1.5k  1000/-  "
      "target  target reset  TID_1\n" },
    { "{}", tunnel_table_print_closed, "tunnels that ended last: 0\n" },
};

static void test_tables(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *text = strdup(cases[i].json), *out = NULL;
        size_t size = 0;
        for (char *at = text; *at != '\0'; at++)
            *at = *at == '\'' ? '"' : *at;
        json_t *json = json_loads(text, 0, NULL);
        FILE *to = open_memstream(&out, &size);
        assert_non_null(json);
        cases[i].print(json, to);
        fclose(to);
        assert_string_equal(out, cases[i].shown);
        json_decref(json);
        free(out);
        free(text);
    }
}

/* Every size and time that there is, within its cell. */
static void test_sizes_and_times(void **state)
{
    static const struct {
        const char *bytes, *age, *shown;
    } rows[] = {
        { "0", "0", "0.0s" },
        { "1024", "59999", "1.0k" },
        { "10240", "60000", "10k" },
        { "1048576", "86400000", "1.0M" },
        { "9223372036854775807", "1", "E/" },
        { "999", "119000", "1m59s" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[256], *out = NULL;
        size_t size = 0;
        snprintf(text, sizeof(text),
                 "{\"tunnels\":[{\"age_ms\":%s,\"from_client\":{\"bytes\":%s}}]}", rows[i].age,
                 rows[i].bytes);
        json_t *json = json_loads(text, 0, NULL);
        FILE *to = open_memstream(&out, &size);
        tunnel_table_print_live(json, to);
        fclose(to);
        assert_non_null(strstr(out, rows[i].shown));
        json_decref(json);
        free(out);
    }
}

static void test_the_path(void **state)
{
    static const char *const words[] = { "end=idle: client silent longer", "client=10.0.0.0/8",
                                         "target=unix:/a&b=\xc3\xa9%" };
    char *path = tunnel_table_path("/closed", words, 3);

    (void)state;
    assert_string_equal(path, "/closed?end=idle%3A%20client%20silent%20longer&client=10.0.0.0%2F8"
                              "&target=unix%3A%2Fa%26b%3D%C3%A9%25");
    free(path);
    path = tunnel_table_path("/closed", words, 0);
    assert_string_equal(path, "/closed");
    free(path);
    assert_null(tunnel_table_path("/tunnels", (const char *const[]){ "group=a", "b" }, 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_sizes_and_times),
        cmocka_unit_test(test_the_path),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
