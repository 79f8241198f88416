/* report.c -- what the balancer says of itself: /status and /metrics. */
#include "alb/report.h"

#include <jansson.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/mem.h"
#include "net/edge_filter.h"

#include "alb/balance.h"
#include "alb/balancer.h"
#include "alb/certificates.h"
#include "alb/config.h"
#include "alb/group_health.h"
#include "alb/health.h"
#include "alb/inherit.h"
#include "alb/members.h"
#include "alb/worker.h"

static const char *state_name(enum run_state state)
{
    switch (state) {
    case RUN_SERVING:
        return "serving";
    case RUN_WAITING:
        return "waiting";
    case RUN_LEAVING:
        return "leaving";
    case RUN_DRAINING:
        return "draining";
    case RUN_CUTTING:
        return "cutting";
    }
    bug("unknown run state");
}

static uint64_t uptime_s(const struct balancer *b)
{
    return (clock_mono_ms() - b->started_ms) / 1000;
}

/* --- /status ----------------------------------------------------------------------- */

static json_t *text_or_null(const char *text)
{
    json_t *json = json_string(text); /* NULL for what is no UTF-8 */

    return json != NULL ? json : json_null();
}

static json_t *listeners_json(const struct balancer *b)
{
    json_t *list = json_array();
    char bound[ADDR_TEXT_MAX];

    list_each (at, &b->listeners) {
        const struct listener *l = list_entry(at, struct listener, link);
        if (l->is_open)
            json_array_append_new(list, json_pack("{s:s,s:s,s:s}", "name", l->name, "protocol",
                                                  l->protocol == PROTOCOL_HTTPS ? "HTTPS" : "HTTP",
                                                  "bind", addr_format(&l->bound, bound)));
    }
    return list;
}

static bool is_mitigated(const struct target *t)
{
    return atomic_load_explicit(&t->share, memory_order_relaxed) < SHARE_WHOLE;
}

static json_t *target_json(const struct target *t, uint32_t weight)
{
    return json_pack("{s:s,s:s,s:s,s:s,s:s,s:i,s:I,s:I,s:{s:s,s:s}}", "target", t->text, "state",
                     target_state_name(target_state_of(t)), "reason", health_reason(t),
                     "description", health_description(t), "origin", t->origin, "weight",
                     (int)weight, "outstanding", (json_int_t)target_outstanding(t), "tunnels",
                     (json_int_t)target_tunnels(t), "AnomalyDetection", "Result",
                     t->is_anomalous ? "anomalous" : "normal", "MitigationInEffect",
                     is_mitigated(t) ? "yes" : "no");
}

/* Those that have been taken out are shown until their delay is over. */
static void append_draining(json_t *targets, const struct registry *registry, const char *group)
{
    list_each (at, &registry->targets) {
        const struct target *t = list_entry(at, struct target, in_registry);
        if (target_health_of(t) == TARGET_DRAINING && strcmp(t->group, group) == 0)
            json_array_append_new(targets, target_json(t, 0));
    }
}

/* What is wrong with the way of its cookies, or null. */
static json_t *sticky_json(const struct group *g)
{
    const struct group_options *o = &g->config->options;
    const enum sticky_sign sign = sticky_signs_now(&g->state->sticky);

    if ((!o->stickiness && !g->config->is_kept_to) || sign == STICKY_FINE)
        return json_null();
    return json_pack("{s:s,s:s}", "reason", sticky_sign_reason(sign), "cure",
                     sticky_sign_cure(sign, sticky_kind_of(o)));
}

static json_t *group_json(const struct group *g, const struct registry *registry)
{
    json_t *targets = json_array();

    for (size_t i = 0; i < g->count; i++)
        json_array_append_new(targets, target_json(g->targets[i], g->weights[i]));
    append_draining(targets, registry, g->config->name);
    return json_pack("{s:s,s:s,s:b,s:o,s:o}", "name", g->config->name, "algorithm",
                     algorithm_names[g->config->options.algorithm], "fails_open",
                     atomic_load(&g->state->fails_open), "sticky_cookies", sticky_json(g),
                     "targets", targets);
}

static json_t *groups_json(const struct balancer *b)
{
    json_t *list = json_array();

    for (size_t i = 0; i < b->members->group_count; i++)
        json_array_append_new(list, group_json(&b->members->groups[i], &b->registry));
    return list;
}

static json_t *elders_json(const struct balancer *b)
{
    const struct elder *elders;
    const size_t count = inherit_elders(b->inherit, &elders);
    json_t *list = json_array();
    char left[CLOCK_TEXT_MAX];

    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_pack("{s:i,s:s,s:I,s:I}", "pid", elders[i].pid, "left",
                                              clock_iso_us(elders[i].left_us, left), "connections",
                                              (json_int_t)elders[i].connections, "tunnels",
                                              (json_int_t)elders[i].tunnels));
    return list;
}

static json_t *edge_filter_json(const struct balancer *b)
{
    const struct edge_filter *f = b->filters[FILTER_EDGE];
    struct edge_filter_counts counts;

    edge_filter_counts(f, &counts);
    const uint64_t dropped = counts.dropped[0] + counts.dropped[1];
    return json_pack("{s:s,s:s,s:I}", "mode", edge_filter_mode_names[edge_filter_mode(f)], "reason",
                     edge_filter_lack(f), "dropped_syns", (json_int_t)dropped);
}

void balancer_status(struct balancer *b, struct buf *to)
{
    json_t *json = json_pack(
        "{s:s,s:i,s:s,s:I,s:o,s:i,s:I,s:I,s:o,s:o,s:o,s:o,s:o}", "version", POSTERN_VERSION, "pid",
        (int)getpid(), "state", state_name(b->state), "uptime_s", (json_int_t)uptime_s(b), "config",
        text_or_null(b->path), "workers", b->worker_count, "connections",
        (json_int_t)atomic_load_explicit(&b->connections, memory_order_relaxed), "reloads",
        (json_int_t)b->reloads, "listeners", listeners_json(b), "target_groups", groups_json(b),
        "old_processes", elders_json(b), "edge_filter", edge_filter_json(b), "certificates",
        certificates_json(b->config));
    char *text = json_dumps(json, JSON_COMPACT);

    if (text != NULL)
        buf_print(to, "%s\n", text);
    free(text);
    json_decref(json);
}

/* --- /metrics: the gauges that are made on the spot -------------------------------- */

struct process_values {
    metric_value build, uptime, reloads, reloads_failed;
    metric_value old_processes, old_connections, old_tunnels;
    metric_value edge_modes[3]; /* by enum edge_filter_mode */
    metric_value edge_dropped[2], edge_observed[2], door_dropped[DOOR_KINDS][2];
};

#define ROW(type, name, labels, field, help)                                                       \
    {                                                                                              \
        name, METRIC_##type, offsetof(struct process_values, field), labels, help                  \
    }

static const struct metric process_metrics[] = {
    ROW(GAUGE, "build_info", "version=\"" POSTERN_VERSION "\"", build,
        "Always 1; the version is in the label."),
    ROW(GAUGE, "uptime_seconds", NULL, uptime, "Time since the start."),
    ROW(COUNTER, "reloads_total", "outcome=\"accepted\"", reloads,
        "Configurations read again, by outcome."),
    ROW(COUNTER, "reloads_total", "outcome=\"refused\"", reloads_failed, NULL),
    ROW(GAUGE, "old_processes", NULL, old_processes,
        "Processes that an upgrade has left and that have not ended yet."),
    ROW(GAUGE, "old_process_connections", NULL, old_connections,
        "Client connections that are open with these; the other gauges have them, too."),
    ROW(GAUGE, "old_process_tunnels", NULL, old_tunnels, "Of those, WebSocket tunnels."),
    ROW(GAUGE, "edge_filter", "mode=\"ebpf\"", edge_modes[EDGE_FILTER_EBPF],
        "1 for the way in which listening sockets keep strangers out, else 0 (docs/edge.md)."),
    ROW(GAUGE, "edge_filter", "mode=\"classic\"", edge_modes[EDGE_FILTER_CLASSIC], NULL),
    ROW(GAUGE, "edge_filter", "mode=\"accept\"", edge_modes[EDGE_FILTER_ACCEPT], NULL),
    ROW(COUNTER, "edge_dropped_syns_total", "family=\"ipv4\"", edge_dropped[0],
        "SYNs of strangers that the kernel has dropped unanswered (mode ebpf only), also for "
        "the processes before this one."),
    ROW(COUNTER, "edge_dropped_syns_total", "family=\"ipv6\"", edge_dropped[1], NULL),
    ROW(COUNTER, "edge_observed_syns_total", "family=\"ipv4\"", edge_observed[0],
        "The same, but let in since strangers are only observed."),
    ROW(COUNTER, "edge_observed_syns_total", "family=\"ipv6\"", edge_observed[1], NULL),
    ROW(COUNTER, "health_dropped_syns_total", "family=\"ipv4\"", door_dropped[DOOR_HEALTH][0],
        "SYNs to [health] that the kernel has dropped unanswered, as their sender may not ask "
        "there; as edge_dropped_syns_total."),
    ROW(COUNTER, "health_dropped_syns_total", "family=\"ipv6\"", door_dropped[DOOR_HEALTH][1],
        NULL),
    ROW(COUNTER, "management_dropped_syns_total", "family=\"ipv4\"",
        door_dropped[DOOR_MANAGEMENT][0], "The same at [management]."),
    ROW(COUNTER, "management_dropped_syns_total", "family=\"ipv6\"",
        door_dropped[DOOR_MANAGEMENT][1], NULL),
    { .name = NULL },
};

#undef ROW

struct target_values {
    metric_value healthy, outstanding;
    metric_value tunnels_open, tunnels_draining;
};

static const struct metric target_gauges[] = {
    { "target_healthy", METRIC_GAUGE, offsetof(struct target_values, healthy), NULL,
      "1 while this target is healthy or not checked, else 0." },
    { "target_outstanding", METRIC_GAUGE, offsetof(struct target_values, outstanding), NULL,
      "Requests and tunnels that this target has now." },
    { "target_tunnels_open", METRIC_GAUGE, offsetof(struct target_values, tunnels_open), NULL,
      "WebSockets that this target has now." },
    { "target_tunnels_draining", METRIC_GAUGE, offsetof(struct target_values, tunnels_draining),
      NULL, "Of those, while a drain runs: not told to come again yet." },
    { .name = NULL },
};

struct group_values {
    metric_value healthy, unhealthy;
    metric_value routing_healthy, routing_unhealthy;
    metric_value anomalous, mitigated;
};

static const struct metric group_gauges[] = {
    { "healthy_hosts", METRIC_GAUGE, offsetof(struct group_values, healthy), NULL,
      "Targets of this group that get requests (HealthyHostCount)." },
    { "unhealthy_hosts", METRIC_GAUGE, offsetof(struct group_values, unhealthy), NULL,
      "Targets of this group that get none (UnHealthyHostCount); initial ones count here." },
    { "routing_healthy", METRIC_GAUGE, offsetof(struct group_values, routing_healthy), NULL,
      "1 while this group has enough healthy targets to route to them only "
      "(HealthyStateRouting)." },
    { "routing_unhealthy", METRIC_GAUGE, offsetof(struct group_values, routing_unhealthy), NULL,
      "1 while it fails open: requests go to all of its targets (UnhealthyStateRouting)." },
    { "anomalous_hosts", METRIC_GAUGE, offsetof(struct group_values, anomalous), NULL,
      "Targets of this group that fail more than their peers (AnomalousHostCount)." },
    { "mitigated_hosts", METRIC_GAUGE, offsetof(struct group_values, mitigated), NULL,
      "Targets that get less than their share for it (MitigatedHostCount)." },
    { .name = NULL },
};

/* --- /metrics: printing -------------------------------------------------------------- */

enum { LABELS_MAX = 256 };

/* One labelled instance of each table that has it. */
struct row {
    char labels[LABELS_MAX];
    const void *counters[2], *values; /* the second of the counters may be NULL */
};

static bool print_rows(struct buf *to, const struct metric *table, const struct row *rows,
                       size_t count, bool counters)
{
    struct metric_instance *instances = mem_array(struct metric_instance, count);

    for (size_t i = 0; i < count; i++)
        instances[i] = (struct metric_instance){
            .labels = rows[i].labels,
            .structs = counters ? rows[i].counters : &rows[i].values,
            .count = counters && rows[i].counters[1] != NULL ? 2 : 1,
        };
    const bool ok = metrics_print(to, "alb_", table, instances, count);
    free(instances);
    return ok;
}

static void count_elders(const struct balancer *b, struct process_values *v)
{
    const struct elder *elders;
    const size_t count = inherit_elders(b->inherit, &elders);

    metric_set(&v->old_processes, count);
    for (size_t i = 0; i < count; i++) {
        metric_add(&v->old_connections, elders[i].connections);
        metric_add(&v->old_tunnels, elders[i].tunnels);
    }
}

static void count_edge(const struct balancer *b, struct process_values *v)
{
    const struct edge_filter *f = b->filters[FILTER_EDGE];
    struct edge_filter_counts edge;

    edge_filter_counts(f, &edge);
    metric_set(&v->edge_modes[edge_filter_mode(f)], 1);
    for (int family = 0; family < 2; family++) {
        metric_set(&v->edge_dropped[family], edge.dropped[family]);
        metric_set(&v->edge_observed[family], edge.observed[family]);
    }
}

static void count_doors(const struct balancer *b, struct process_values *v)
{
    struct edge_filter_counts n;

    for (int kind = 0; kind < DOOR_KINDS; kind++) {
        edge_filter_counts(b->filters[FILTER_DOORS + kind], &n);
        for (int family = 0; family < 2; family++)
            metric_set(&v->door_dropped[kind][family], n.dropped[family]);
    }
}

static bool print_process(struct balancer *b, struct buf *to)
{
    struct process_values v = { 0 };
    const void *at = &v;
    const struct metric_instance one = { .structs = &at, .count = 1 };

    metric_set(&v.build, 1);
    metric_set(&v.uptime, uptime_s(b));
    metric_set(&v.reloads, b->reloads);
    metric_set(&v.reloads_failed, b->reloads_failed);
    count_elders(b, &v);
    count_edge(b, &v);
    count_doors(b, &v);
    return metrics_print(to, "alb_", process_metrics, &one, 1);
}

/* What is open with old processes is open. */
static void add_elders(const struct balancer *b, struct counters *to)
{
    const struct elder *elders;
    const size_t count = inherit_elders(b->inherit, &elders);

    for (size_t i = 0; i < count; i++) {
        metric_add(&to->connections_open, elders[i].connections);
        metric_add(&to->tunnels_open, elders[i].tunnels);
    }
}

static bool print_counters(struct balancer *b, struct buf *to)
{
    const size_t count = (size_t)b->worker_count + 2;
    const void **structs = mem_array(const void *, count);
    const struct metric_instance all = { .structs = structs, .count = count };
    struct counters *elsewhere = mem_new(struct counters);

    add_elders(b, elsewhere);
    structs[0] = &b->counters;
    structs[1] = elsewhere;
    for (size_t i = 2; i < count; i++)
        structs[i] = &b->workers[i - 2].counters;
    const bool ok = metrics_print(to, "alb_", counter_metrics, &all, 1);
    free(elsewhere);
    free(structs);
    return ok;
}

static void fill_group(const struct group *g, struct group_values *v)
{
    const size_t healthy = group_healthy_count(g);
    const bool fails_open = atomic_load(&g->state->fails_open);

    metric_set(&v->healthy, healthy);
    metric_set(&v->unhealthy, g->count - healthy - group_drained_count(g));
    for (size_t i = 0; i < g->count; i++) {
        metric_add(&v->anomalous, g->targets[i]->is_anomalous);
        metric_add(&v->mitigated, is_mitigated(g->targets[i]));
    }
    metric_set(&v->routing_healthy, !fails_open);
    metric_set(&v->routing_unhealthy, fails_open);
}

/* Those of a group's targets that are known, and of those that are not any more. */
static size_t list_counters(const struct registry *registry, const struct group_state *s,
                            const void **out)
{
    size_t n = 0;

    out[n++] = &s->departed;
    list_each (at, &registry->targets) {
        const struct target *t = list_entry(at, struct target, in_registry);
        if (strcmp(t->group, s->name) != 0)
            continue;
        out[n++] = &t->counters;
        out[n++] = &t->elsewhere.counters;
    }
    return n;
}

static bool print_group_sums(const struct balancer *b, const struct row *rows, struct buf *to)
{
    const struct members *members = b->members;
    const size_t count = members->group_count;
    struct metric_instance *instances = mem_array(struct metric_instance, count);
    size_t targets = 0, used = 0;

    list_each (at, &b->registry.targets)
        targets++;
    const void **structs = mem_array(const void *, 2 * targets + count);
    for (size_t i = 0; i < count; i++) {
        const size_t n = list_counters(&b->registry, members->groups[i].state, structs + used);
        instances[i] = (struct metric_instance){ rows[i].labels, structs + used, n };
        used += n;
    }
    const bool ok = metrics_print(to, "alb_", group_sum_metrics, instances, count);
    free(structs);
    free(instances);
    return ok;
}

static bool print_groups(const struct balancer *b, struct buf *to)
{
    const struct members *members = b->members;
    const size_t count = members->group_count;
    struct row *rows = mem_array(struct row, count);
    struct group_values *values = mem_array(struct group_values, count);

    for (size_t i = 0; i < count; i++) {
        fill_group(&members->groups[i], &values[i]);
        rows[i].values = &values[i];
        rows[i].counters[0] = &members->groups[i].state->counters;
        metrics_label("target_group", span_text(members->groups[i].config->name), rows[i].labels,
                      LABELS_MAX);
    }
    const bool ok = print_rows(to, group_gauges, rows, count, false) &&
                    print_rows(to, group_metrics, rows, count, true) &&
                    print_group_sums(b, rows, to);
    free(values);
    free(rows);
    return ok;
}

static void fill_target(const struct target *t, struct target_values *v, struct row *row)
{
    char group[LABELS_MAX / 2], target[LABELS_MAX / 2 - 1];

    metric_set(&v->healthy, target_is_usable(t));
    metric_set(&v->outstanding, target_outstanding(t));
    metric_set(&v->tunnels_open, target_tunnels(t));
    metric_set(&v->tunnels_draining, t->drain == NULL ? 0 : target_untold(t));
    row->values = v;
    row->counters[0] = &t->counters;
    row->counters[1] = &t->elsewhere.counters;
    metrics_label("target_group", span_text(t->group), group, sizeof(group));
    metrics_label("target", span_text(t->text), target, sizeof(target));
    snprintf(row->labels, sizeof(row->labels), "%s,%s", group, target);
}

static bool print_targets(const struct registry *registry, struct buf *to)
{
    size_t count = 0, i = 0;

    list_each (at, &registry->targets)
        count++;
    struct row *rows = mem_array(struct row, count);
    struct target_values *values = mem_array(struct target_values, count);
    list_each (at, &registry->targets) {
        fill_target(list_entry(at, struct target, in_registry), &values[i], &rows[i]);
        i++;
    }
    const bool ok = print_rows(to, target_gauges, rows, count, false) &&
                    print_rows(to, target_metrics, rows, count, true);
    free(values);
    free(rows);
    return ok;
}

void balancer_metrics(struct balancer *b, struct buf *to)
{
    if (!print_process(b, to) || !print_counters(b, to) || !print_groups(b, to) ||
        !print_targets(&b->registry, to) || !certificates_print_metrics(b->config, to))
        buf_drop(to, buf_len(to)); /* a part would be taken for the whole */
}

void report_describe_metrics(FILE *to)
{
    const struct metric *const tables[] = { process_metrics, counter_metrics,    group_gauges,
                                            group_metrics,   group_sum_metrics,  target_gauges,
                                            target_metrics,  certificate_gauges, authority_gauges };

    fprintf(to,
            "# Metrics of alb\n\nPrinted by `alb metrics`; the admin port serves them at "
            "/metrics. Counters begin at 0 with each process, after `alb upgrade` too, as rate() "
            "and\nincrease() expect of a restart. Gauges of what is open have in them what old "
            "processes still have.\n\n| Metric | Type | Labels | What it counts "
            "|\n|---|---|---|---|\n");
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
        metrics_describe(tables[i], "alb_", to);
}
