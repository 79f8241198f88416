/* status.c -- see status.h. */
#include "alb/status.h"

#include <inttypes.h>
#include <string.h>

#include "alb/table.h"

enum { CELL_MAX = 320 };

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text != NULL ? text : "";
}

static json_int_t number_of(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

/* With an empty line before it. */
static void print_table(json_t *table, FILE *to)
{
    if (json_array_size(table) > 1)
        fputc('\n', to);
    table_print(table, to);
}

/* --- what is in them ------------------------------------------------------------------ */

static void print_listeners(const json_t *status, FILE *to)
{
    static const char *const heads[] = { "LISTENER", "PROTOCOL", "ADDRESS", NULL };
    json_t *table = table_new(heads);
    size_t i;
    const json_t *l;

    json_array_foreach(json_object_get(status, "listeners"), i, l)
        json_array_append_new(table, json_pack("[s,s,s]", text_of(l, "name"),
                                               text_of(l, "protocol"), text_of(l, "bind")));
    print_table(table, to);
}

/* "Target.Timeout: Request timed out"; of a healthy one that it is an anomaly, if it is. */
static const char *why(const json_t *target, char out[CELL_MAX])
{
    const json_t *anomaly = json_object_get(target, "AnomalyDetection");
    const char *reason = text_of(target, "reason");

    if (reason[0] != '\0')
        snprintf(out, CELL_MAX, "%s: %s", reason, text_of(target, "description"));
    else
        snprintf(out, CELL_MAX, "%s%s",
                 strcmp(text_of(anomaly, "Result"), "anomalous") == 0 ? "anomalous" : "",
                 strcmp(text_of(anomaly, "MitigationInEffect"), "yes") == 0 ? ", mitigated" : "");
    return strncmp(out, ", ", 2) == 0 ? out + 2 : out;
}

static void append_left(const json_t *target, char out[CELL_MAX + 40])
{
    const size_t len = strlen(out);
    const json_int_t n = number_of(target, "tunnels");

    if (strcmp(text_of(target, "state"), "draining") == 0 && n > 0)
        snprintf(out + len, CELL_MAX + 40 - len, "; %" JSON_INTEGER_FORMAT " WebSocket%s left", n,
                 n == 1 ? "" : "s");
}

static void add_target(json_t *table, const char *group, const json_t *target)
{
    char weight[24], open[24], reason[CELL_MAX], shown[CELL_MAX + 40];

    snprintf(weight, sizeof(weight), "%" JSON_INTEGER_FORMAT, number_of(target, "weight"));
    snprintf(open, sizeof(open), "%" JSON_INTEGER_FORMAT, number_of(target, "outstanding"));
    snprintf(shown, sizeof(shown), "%s", why(target, reason));
    append_left(target, shown);
    json_array_append_new(table, json_pack("[s,s,s,s,s,s,s]", group, text_of(target, "target"),
                                           text_of(target, "state"), weight, open,
                                           text_of(target, "origin"), shown));
}

static void print_targets(const json_t *status, FILE *to)
{
    static const char *const heads[] = { "GROUP", "TARGET", "STATE",  "WEIGHT",
                                         "OPEN",  "ORIGIN", "REASON", NULL };
    json_t *table = table_new(heads);
    size_t i, j;
    const json_t *group, *target;

    json_array_foreach(json_object_get(status, "target_groups"), i, group)
    {
        const json_t *targets = json_object_get(group, "targets");
        if (json_array_size(targets) == 0)
            json_array_append_new(table, json_pack("[s,s]", text_of(group, "name"), "(none)"));
        json_array_foreach(targets, j, target) add_target(table, text_of(group, "name"), target);
    }
    print_table(table, to);
}

static void add_certificate(json_t *table, const json_t *c)
{
    enum { TO_THE_DAY = 10 };
    const json_int_t days = number_of(c, "days_left");
    char end[TO_THE_DAY + 1], left[40];

    snprintf(end, sizeof(end), "%s", text_of(c, "not_after"));
    if (days < 0)
        snprintf(left, sizeof(left), "ended");
    else
        snprintf(left, sizeof(left), "%" JSON_INTEGER_FORMAT " day%s", days, days == 1 ? "" : "s");
    json_array_append_new(table, json_pack("[s,s,s,s,s]", text_of(c, "section"),
                                           json_is_true(json_object_get(c, "trusted"))
                                               ? "(authorities)"
                                               : text_of(c, "name"),
                                           end, left, text_of(c, "file")));
}

static void print_certificates(const json_t *status, FILE *to)
{
    static const char *const heads[] = { "SECTION", "CERTIFICATE", "ENDS", "LEFT", "FILE", NULL };
    json_t *table = table_new(heads);
    size_t i;
    const json_t *c;

    json_array_foreach(json_object_get(status, "certificates"), i, c) add_certificate(table, c);
    print_table(table, to);
}

static void print_failing_open(const json_t *status, FILE *to)
{
    size_t i;
    const json_t *group;

    json_array_foreach(json_object_get(status, "target_groups"), i, group)
    {
        if (json_is_true(json_object_get(group, "fails_open")))
            fprintf(to,
                    "\n%s fails open: too few of its targets are healthy, so that all get "
                    "requests\n",
                    text_of(group, "name"));
    }
}

static void print_sticky(const json_t *status, FILE *to)
{
    size_t i;
    const json_t *group;

    json_array_foreach(json_object_get(status, "target_groups"), i, group)
    {
        const json_t *wrong = json_object_get(group, "sticky_cookies");
        if (json_is_object(wrong))
            fprintf(to, "\n%s: %s; %s\n", text_of(group, "name"), text_of(wrong, "reason"),
                    text_of(wrong, "cure"));
    }
}

static void print_uptime(json_int_t s, FILE *to)
{
    const long long all = s;

    if (all >= 86400)
        fprintf(to, "%lldd ", all / 86400);
    if (all >= 3600)
        fprintf(to, "%lldh ", all / 3600 % 24);
    if (all >= 60)
        fprintf(to, "%lldm ", all / 60 % 60);
    fprintf(to, "%llds", all % 60);
}

static void print_count(json_int_t n, const char *what, FILE *to)
{
    fprintf(to, "%" JSON_INTEGER_FORMAT " %s%s", n, what, n == 1 ? "" : "s");
}

/* "process 4711, left by an upgrade at 2026-11-22T14:20:00Z, still has 3 WebSockets and 1 other
 * connection" */
static void print_old_process(const json_t *p, FILE *to)
{
    enum { TO_THE_SECOND = 19 };
    const json_int_t connections = number_of(p, "connections"), tunnels = number_of(p, "tunnels");

    fprintf(to, "process %" JSON_INTEGER_FORMAT ", left by an upgrade at %.*sZ, ",
            number_of(p, "pid"), TO_THE_SECOND, text_of(p, "left"));
    if (connections == 0) {
        fprintf(to, "waits for the one before it\n");
        return;
    }
    fprintf(to, "still has ");
    print_count(tunnels, "WebSocket", to);
    fprintf(to, " and ");
    print_count(connections - tunnels, "other connection", to);
    fputc('\n', to);
}

static void print_old_processes(const json_t *status, FILE *to)
{
    size_t i;
    const json_t *p;

    json_array_foreach(json_object_get(status, "old_processes"), i, p) print_old_process(p, to);
}

/* Which of the ways of net/edge_filter.h it is. */
static void print_edge_filter(const json_t *status, FILE *to)
{
    const json_t *filter = json_object_get(status, "edge_filter");
    const char *mode = text_of(filter, "mode");

    if (strcmp(mode, "ebpf") == 0)
        fprintf(to, "strangers get no answer; SYNs dropped: %" JSON_INTEGER_FORMAT "\n",
                number_of(filter, "dropped_syns"));
    else if (mode[0] != '\0')
        fprintf(to, "strangers %s: %s\n",
                strcmp(mode, "classic") == 0 ? "get no answer, but are not counted"
                                             : "are closed when they have connected",
                text_of(filter, "reason"));
}

void status_print(const json_t *status, FILE *to)
{
    fprintf(to, "alb %s  %s for ", text_of(status, "version"), text_of(status, "state"));
    print_uptime(number_of(status, "uptime_s"), to);
    fprintf(to,
            "  pid %" JSON_INTEGER_FORMAT "  workers %" JSON_INTEGER_FORMAT
            "  connections %" JSON_INTEGER_FORMAT "  reloads %" JSON_INTEGER_FORMAT "\n",
            number_of(status, "pid"), number_of(status, "workers"),
            number_of(status, "connections"), number_of(status, "reloads"));
    table_print_text(text_of(status, "config"), to);
    fputc('\n', to);
    print_edge_filter(status, to);
    print_old_processes(status, to);
    print_listeners(status, to);
    print_targets(status, to);
    print_certificates(status, to);
    print_failing_open(status, to);
    print_sticky(status, to);
}
