/* check.c -- see check.h. */
#include "alb/check.h"

#include <stdio.h>

#include "alb/check_certificates.h"
#include "alb/config.h"

struct count {
    size_t n;
    const char *one, *many;
};

/* "2 listeners" */
static void print_count(struct count c)
{
    printf("%zu %s", c.n, c.n == 1 ? c.one : c.many);
}

static void print_edge(const struct config *c)
{
    if (c->edge_any) {
        printf("edge open to all");
        return;
    }
    printf("edge set of ");
    print_count((struct count){ edge_set_ranges(c->edge), "range", "ranges" });
}

static void print_summary(const char *path, const struct config *c)
{
    size_t targets = 0, rules = 0;

    for (size_t i = 0; i < c->group_count; i++)
        targets += c->groups[i].target_count;
    for (size_t i = 0; i < c->listener_count; i++)
        rules += c->listeners[i].rule_count;

    printf("%s: ok: ", path);
    print_count((struct count){ c->listener_count, "listener", "listeners" });
    printf(", ");
    print_count((struct count){ c->group_count, "target group", "target groups" });
    printf(" (");
    print_count((struct count){ targets, "target", "targets" });
    printf("), ");
    print_count((struct count){ rules, "rule", "rules" });
    printf(", ");
    print_edge(c);
    printf("\n");
}

/* --- profile aws -------------------------------------------------------------------- */

struct section {
    const char *kind, *name; /* name NULL: it has none */
    const struct setting *table;
    const void *options;
    const struct section_lines *lines;
};

static size_t print_differences(const char *path, const struct section *s)
{
    size_t count = 0;

    for (const struct setting *row = s->table; row->key != NULL; row++) {
        char value[SETTING_SHOWN_MAX];
        const int line = s->lines->rows[row - s->table];
        if (!settings_differs_from_aws(row, s->options) || (row->inherits != NULL && line == 0))
            continue;
        printf("%s:%d: [%s%s%s] %s = %s%s; the managed balancer: %s\n", path,
               line != 0 ? line : s->lines->header, s->kind, s->name != NULL ? " " : "",
               s->name != NULL ? s->name : "", row->key, settings_show(row, s->options, value),
               line != 0 ? "" : " (our default)", row->aws);
        count++;
    }
    return count;
}

static void compare_with_aws(const char *path, const struct config *c)
{
    size_t count = print_differences(
        path, &(struct section){ "alb", NULL, alb_settings, &c->alb, &c->alb_lines });

    count += print_differences(
        path, &(struct section){ "edge", NULL, edge_settings, &c->edge_options, &c->edge_lines });
    for (size_t i = 0; i < c->listener_count; i++) {
        const struct listener_config *l = &c->listeners[i];
        count += print_differences(path, &(struct section){ "listener", l->name, listener_settings,
                                                            &l->options, &l->lines });
    }
    for (size_t i = 0; i < c->group_count; i++) {
        const struct group_config *g = &c->groups[i];
        count += print_differences(path, &(struct section){ "target_group", g->name, group_settings,
                                                            &g->options, &g->lines });
    }
    if (count == 0)
        printf("%s: no setting differs from the managed balancer\n", path);
}

/* --- the command ---------------------------------------------------------------------- */

int check_file(const char *path, const struct check_options *o)
{
    struct problems problems;

    problems_init(&problems, path);
    struct config *config = config_read_file(path, &problems);
    if (config != NULL)
        check_certificates(config, o->name, o->ca_file, &problems);
    problems_print(&problems, stderr);
    problems_done(&problems);
    if (config == NULL)
        return 1;
    print_summary(path, config);
    if (o->as_aws)
        compare_with_aws(path, config);
    config_free(&config);
    return 0;
}
