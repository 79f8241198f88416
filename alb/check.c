/* check.c -- see check.h. */
#include "alb/check.h"

#include <stdio.h>

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

int check_file(const char *path)
{
    struct problems problems;

    problems_init(&problems, path);
    struct config *config = config_read_file(path, &problems);
    problems_print(&problems, stderr);
    problems_done(&problems);
    if (config == NULL)
        return 1;
    print_summary(path, config);
    config_free(&config);
    return 0;
}
