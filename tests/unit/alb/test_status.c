/* test_status.c -- the tables of `alb status`. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "alb/status.h"

#define HEAD "alb 1.2  serving for 59s  pid 7  workers 2  connections 3  reloads 0\n/etc/alb.ini\n"

static char *print(const char *text)
{
    json_t *json = json_loads(text, 0, NULL);
    char *out = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&out, &size);

    assert_non_null(json);
    status_print(json, to);
    fclose(to);
    json_decref(json);
    return out;
}

#define DAEMON                                                                                     \
    "'version':'1.2','pid':7,'state':'serving','uptime_s':59,'workers':2,'connections':3,"         \
    "'reloads':0,'config':'/etc/alb.ini'"
static const struct {
    const char *json; /* with ' for " */
    const char *shown;
} cases[] = {
    { "{" DAEMON "}", HEAD },
    { "{" DAEMON ",'listeners':[{'name':'http','protocol':'HTTP','bind':'127.0.0.1:80'},"
      "{'name':'s','protocol':'HTTPS','bind':'[::]:443'}]}",
      HEAD "\n"
           "LISTENER  PROTOCOL  ADDRESS\n"
           "http      HTTP      127.0.0.1:80\n"
           "s         HTTPS     [::]:443\n" },
    { "{" DAEMON ",'edge_filter':{'mode':'ebpf','reason':'','dropped_syns':12}}",
      HEAD "strangers get no answer; SYNs dropped: 12\n" },
    { "{" DAEMON ",'edge_filter':{'mode':'classic','reason':'no CAP_BPF','dropped_syns':0}}",
      HEAD "strangers get no answer, but are not counted: no CAP_BPF\n" },
    { "{" DAEMON ",'edge_filter':{'mode':'accept','reason':'no CAP_BPF','dropped_syns':0}}",
      HEAD "strangers are closed when they have connected: no CAP_BPF\n" },
    { "{" DAEMON ",'old_processes':[{'pid':6,'left':'2026-11-22T14:20:00.123456Z','connections':4,"
      "'tunnels':3},{'pid':5,'left':'2026-11-21T14:20:00.000000Z','connections':1,'tunnels':1},"
      "{'pid':4,'left':'2026-11-20T14:20:00.000000Z','connections':0,'tunnels':0}]}",
      HEAD "process 6, left by an upgrade at 2026-11-22T14:20:00Z, still has 3 WebSockets and 1 "
           "other connection\n"
           "process 5, left by an upgrade at 2026-11-21T14:20:00Z, still has 1 WebSocket and 0 "
           "other connections\n"
           "process 4, left by an upgrade at 2026-11-20T14:20:00Z, waits for the one before it\n" },
    { "{" DAEMON ",'target_groups':[{'name':'app','targets':["
      "{'target':'10.0.0.1:80','state':'healthy','reason':'','weight':100,'outstanding':12,"
      "'origin':'file','AnomalyDetection':{'Result':'normal','MitigationInEffect':'no'}},"
      "{'target':'unix:/run/app','state':'unhealthy','reason':'Target.Timeout',"
      "'description':'Request timed out','weight':0,'outstanding':0,'origin':'registered'}]},"
      "{'name':'b','targets':[]}]}",
      HEAD "\n"
           "GROUP  TARGET         STATE      WEIGHT  OPEN  ORIGIN      REASON\n"
           "app    10.0.0.1:80    healthy    100     12    file\n"
           "app    unix:/run/app  unhealthy  0       0     registered  Target.Timeout: Request "
           "timed out\n"
           "b      (none)\n" },
    { "{" DAEMON ",'target_groups':[{'name':'a','targets':[],'sticky_cookies':null},"
      "{'name':'b','targets':[],'sticky_cookies':{'reason':'none comes back','cure':'do so'}}]}",
      HEAD "\n"
           "GROUP  TARGET  STATE  WEIGHT  OPEN  ORIGIN  REASON\n"
           "a      (none)\n"
           "b      (none)\n"
           "\n"
           "b: none comes back; do so\n" },
    { "{" DAEMON ",'target_groups':[{'name':'a','fails_open':true,'targets':["
      "{'target':'t','state':'healthy','weight':1,'outstanding':0,'origin':'file',"
      "'AnomalyDetection':{'Result':'anomalous','MitigationInEffect':'yes'}},"
      "{'target':'u','state':'healthy','weight':1,'outstanding':0,'origin':'file',"
      "'AnomalyDetection':{'Result':'normal','MitigationInEffect':'yes'}},"
      "{'target':'v','state':'unhealthy','reason':'R','description':'\\u001b[2J','weight':1,"
      "'outstanding':0,'origin':'file'}]}]}",
      HEAD "\n"
           "GROUP  TARGET  STATE      WEIGHT  OPEN  ORIGIN  REASON\n"
           "a      t       healthy    1       0     file    anomalous, mitigated\n"
           "a      u       healthy    1       0     file    mitigated\n"
           "a      v       unhealthy  1       0     file    R: ?[2J\n"
           "\na fails open: too few of its targets are healthy, so that all get requests\n" },
};

static void test_tables(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *json = strdup(cases[i].json);
        for (char *at = json; *at != '\0'; at++)
            *at = *at == '\'' ? '"' : *at;
        char *shown = print(json);
        assert_string_equal(shown, cases[i].shown);
        free(shown);
        free(json);
    }
}

static void test_uptime(void **state)
{
    static const struct {
        const char *json, *shown;
    } times[] = {
        { "{\"uptime_s\":0}", " for 0s " },
        { "{\"uptime_s\":60}", " for 1m 0s " },
        { "{\"uptime_s\":3601}", " for 1h 0m 1s " },
        { "{\"uptime_s\":180061}", " for 2d 2h 1m 1s " },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        char *shown = print(times[i].json);
        assert_non_null(strstr(shown, times[i].shown));
        free(shown);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_uptime),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
