/* certificates.c -- see certificates.h. */
#include "alb/certificates.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/tls_client.h"

#include "alb/config.h"

enum { DAY_S = 86400 };

static uint64_t now_s(void)
{
    return clock_wall_ms() / 1000;
}

/* --- which there are ---------------------------------------------------------------------- */

static bool has(const struct certificate_list *list, const struct certificate_use *c)
{
    for (size_t i = list->count; i-- > 0;) {
        const struct certificate_use *o = &list->items[i];
        if (strcmp(o->section, c->section) != 0)
            return false; /* a section's stand together */
        if (o->is_trusted == c->is_trusted && strcmp(o->file, c->file) == 0)
            return true;
    }
    return false;
}

static void append(struct certificate_list *list, const struct certificate_use *c)
{
    if (has(list, c))
        return;
    list->items = mem_resize(list->items, (list->count + 1) * sizeof(list->items[0]));
    list->items[list->count++] = *c;
}

static void add_server(struct certificate_list *list, const char *section,
                       const struct tls_server *server, const char *trust_file)
{
    struct certificate_use c = { .file = NULL };
    struct tls_end end;
    size_t at = 0;

    snprintf(c.section, sizeof(c.section), "%s", section);
    while (tls_server_next_end(server, &at, &end)) {
        c.file = end.file;
        c.ends_s = end.ends_s;
        memcpy(c.name, end.name, sizeof(c.name));
        append(list, &c);
    }
    c.file = trust_file;
    c.name[0] = '\0';
    c.is_trusted = true;
    if (tls_server_trust_ends(server, &c.ends_s))
        append(list, &c);
}

static void add_group(struct certificate_list *list, const struct group_config *g)
{
    struct certificate_use c = { .file = g->options.tls_ca_file, .is_trusted = true };

    snprintf(c.section, sizeof(c.section), "target_group %s", g->name);
    if (config_demands(g) != NULL && tls_client_trust_ends(config_demands(g), &c.ends_s))
        append(list, &c);
}

struct certificate_list certificates_of(const struct config *config)
{
    struct certificate_list list = { .count = 0 };
    char section[CERTIFICATE_SECTION_MAX];

    for (size_t i = 0; i < config->listener_count; i++) {
        const struct listener_config *l = &config->listeners[i];
        snprintf(section, sizeof(section), "listener %s", l->name);
        if (l->tls != NULL)
            add_server(&list, section, l->tls, l->options.trust_store);
    }
    if (config->management.tls != NULL)
        add_server(&list, "management", config->management.tls,
                   config->management.options.client_ca_file);
    for (size_t i = 0; i < config->group_count; i++)
        add_group(&list, &config->groups[i]);
    return list;
}

void certificates_done(struct certificate_list *list)
{
    mem_free(list->items);
    list->count = 0;
}

long certificate_days_left(const struct certificate_use *c, uint64_t now)
{
    return c->ends_s >= now ? (long)((c->ends_s - now) / DAY_S)
                            : -(long)((now - c->ends_s + DAY_S - 1) / DAY_S);
}

/* --- /status ------------------------------------------------------------------------------ */

static json_t *text(const char *bytes)
{
    json_t *json = json_string(bytes); /* NULL for what is no UTF-8 */

    return json != NULL ? json : json_null();
}

static json_t *one_json(const struct certificate_use *c, uint64_t now)
{
    char end[CLOCK_TEXT_MAX];

    clock_iso_us(c->ends_s * 1000000, end);
    return json_pack("{s:o,s:o,s:s,s:b,s:s,s:I}", "section", text(c->section), "file",
                     text(c->file), "name", c->name, "trusted", c->is_trusted, "not_after", end,
                     "days_left", (json_int_t)certificate_days_left(c, now));
}

json_t *certificates_json(const struct config *config)
{
    struct certificate_list list = certificates_of(config);
    json_t *array = json_array();

    for (size_t i = 0; i < list.count; i++)
        json_array_append_new(array, one_json(&list.items[i], now_s()));
    certificates_done(&list);
    return array;
}

/* --- /metrics ----------------------------------------------------------------------------- */

struct end_values {
    metric_value ends;
};

const struct metric certificate_gauges[] = {
    { "certificate_not_after_timestamp_seconds", METRIC_GAUGE, offsetof(struct end_values, ends),
      NULL,
      "When this certificate ends that a listener or [management] shows, or the first of its "
      "chain: seconds since 1970. A renewed one counts from the reload on." },
    { .name = NULL },
};

const struct metric authority_gauges[] = {
    { "authority_not_after_timestamp_seconds", METRIC_GAUGE, offsetof(struct end_values, ends),
      NULL,
      "When the first certificate ends in this file of authorities: those that clients "
      "(trust_store, client_ca_file) or targets (tls.ca_file) are verified by." },
    { .name = NULL },
};

/* A path that is no UTF-8 must not spoil the page. */
static const char *shown(const char *file)
{
    json_t *json = json_string(file);
    const bool is_text = json != NULL;

    json_decref(json);
    return is_text ? file : "?";
}

static char *labels_of(const struct certificate_use *c)
{
    enum { FILE_LABEL_MAX = 4096 };
    char section[2 * CERTIFICATE_SECTION_MAX], name[2 * TLS_END_NAME_MAX], file[FILE_LABEL_MAX];
    char all[sizeof(section) + sizeof(name) + sizeof(file) + 2];

    metrics_label("section", span_text(shown(c->section)), section, sizeof(section));
    metrics_label("name", span_text(c->name), name, sizeof(name));
    metrics_label("file", span_text(shown(c->file)), file, sizeof(file));
    snprintf(all, sizeof(all), "%s,%s%s%s", section, file, c->is_trusted ? "" : ",",
             c->is_trusted ? "" : name);
    return mem_text(all);
}

static bool print_one_kind(const struct certificate_list *list, bool trusted, struct buf *to)
{
    const struct metric *table = trusted ? authority_gauges : certificate_gauges;
    struct metric_instance *instances = mem_array(struct metric_instance, list->count);
    struct end_values *values = mem_array(struct end_values, list->count);
    const void **structs = mem_array(const void *, list->count);
    size_t n = 0;

    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i].is_trusted != trusted)
            continue;
        metric_set(&values[n].ends, list->items[i].ends_s);
        structs[n] = &values[n];
        instances[n] = (struct metric_instance){ labels_of(&list->items[i]), &structs[n], 1 };
        n++;
    }
    const bool ok = n == 0 || metrics_print(to, "alb_", table, instances, n);
    while (n > 0)
        free((char *)instances[--n].labels);
    free(structs);
    free(values);
    free(instances);
    return ok;
}

bool certificates_print_metrics(const struct config *config, struct buf *to)
{
    struct certificate_list list = certificates_of(config);
    const bool ok = print_one_kind(&list, false, to) && print_one_kind(&list, true, to);

    certificates_done(&list);
    return ok;
}

/* --- the log ------------------------------------------------------------------------------ */

struct finding {
    const struct certificate_use *first;
    unsigned count;
};

static void find(struct finding *f, const struct certificate_use *c)
{
    f->count++;
    if (f->first == NULL || c->ends_s < f->first->ends_s)
        f->first = c;
}

static void say(const char *what, const struct finding *f)
{
    const struct certificate_use *c = f->first;
    char end[CLOCK_TEXT_MAX];

    if (f->count > 0)
        log_warn("certificate %s count=%u first=%s section=\"%s\" name=%s not_after=%s "
                 "cure=\"renew it, then alb reload; alb status lists all\"",
                 what, f->count, c->file, c->section, c->name[0] == '\0' ? "-" : c->name,
                 clock_iso_us(c->ends_s * 1000000, end));
}

void certificates_log(const struct config *config)
{
    struct certificate_list list = certificates_of(config);
    struct finding soon = { .count = 0 }, ended = { .count = 0 };
    const uint64_t now = now_s();

    for (size_t i = 0; i < list.count; i++) {
        const long days = certificate_days_left(&list.items[i], now);
        if (days < CERTIFICATE_SOON_DAYS)
            find(days < 0 ? &ended : &soon, &list.items[i]);
    }
    say("has ended", &ended);
    say("ends soon", &soon);
    certificates_done(&list);
}
