/*
 * balancer_filter.c -- the filters in front of listening sockets (net/edge_filter.h), and what the
 * process may do beyond others (net/privileges.h).
 *
 * At the start the filters are made, or those of the process before this one taken; then all
 * privileges go but what binds a port below 1024. Only then is the configuration read: what it
 * names is read as after a reload, with the same rights. (A kernel that does not let us have a
 * filter's trie may want CAP_NET_ADMIN for its substitute: then that one goes when the listeners
 * are open, before there are threads.)
 *
 * A reload extends the sets first, and takes away from them when nothing can fail any more.
 *
 * After an upgrade the new process extends the sets, and takes away when the old one has left; the
 * old one has its own again should the new one fail.
 */
#include "base/log.h"
#include "net/privileges.h"

#include "alb/balancer_private.h"
#include "alb/config.h"
#include "alb/doors.h"
#include "alb/edge.h"
#include "alb/inherit.h"
#include "alb/inherit_state.h"

/* --- privileges ---------------------------------------------------------------------- */

static bool keep(uint64_t kept, struct problems *problems)
{
    char why[128];

    if (privileges_keep(kept, why, sizeof(why)))
        return true;
    problems_error(problems, 0, "%s", why);
    return false;
}

static bool has_tries(const struct balancer *b)
{
    for (int i = 0; i < FILTERS; i++) {
        if (edge_filter_mode(b->filters[i]) != EDGE_FILTER_EBPF)
            return false;
    }
    return true;
}

bool balancer_drop_privileges(struct balancer *b, struct problems *problems)
{
    const uint64_t classic = has_tries(b) ? 0 : PRIVILEGE(CAP_NET_ADMIN);

    return keep(PRIVILEGE(CAP_NET_BIND_SERVICE) | classic, problems);
}

bool balancer_drop_last_privileges(struct problems *problems)
{
    return keep(PRIVILEGE(CAP_NET_BIND_SERVICE), problems);
}

/* --- the filters ------------------------------------------------------------------------ */

void balancer_make_filters(struct balancer *b)
{
    for (int i = 0; i < FILTERS; i++) {
        b->filters[i] = inherit_filter(b->inherit, (uint32_t)i);
        if (b->filters[i] == NULL)
            b->filters[i] = edge_filter_new();
    }
}

void balancer_free_filters(struct balancer *b)
{
    for (int i = 0; i < FILTERS; i++)
        edge_filter_free(&b->filters[i]);
}

static struct edge_rule rule_of(const struct edge_view *view)
{
    const enum edge_doing with_strangers = view->observes ? EDGE_OBSERVES : EDGE_DROPS;

    return (struct edge_rule){ view->set, view->is_any ? EDGE_ADMITS_ALL : with_strangers };
}

static struct edge_rule door_rule(const struct door_config *d)
{
    return (struct edge_rule){ d->allow, d->any ? EDGE_ADMITS_ALL : EDGE_DROPS };
}

static bool extend_door(struct edge_filter *filter, const struct door_config *d, const char *name,
                        struct problems *problems)
{
    const struct edge_rule rule = door_rule(d);
    char why[512];

    if (edge_filter_extend(filter, &rule, why, sizeof(why)))
        return true;
    problems_error(problems, d->header, "[%s] %s", name, why);
    return false;
}

bool balancer_may_filter(const struct balancer *b, const struct config *config,
                         struct problems *problems)
{
    struct edge_view *view = edge_view_new(config, &b->said.edge);
    const struct edge_rule rule = rule_of(view);
    char why[512];
    const bool ok = edge_filter_has_room(b->filters[FILTER_EDGE], &rule, why, sizeof(why));

    edge_view_free(&view);
    if (!ok)
        problems_error(problems, config->edge_lines.header, "[edge] %s", why);
    return ok;
}

bool balancer_extend_edge_filter(struct balancer *b, const struct config *config,
                                 const struct edge_additions *additions, char *why, size_t size)
{
    struct edge_view *view = edge_view_new(config, additions);
    const struct edge_rule rule = rule_of(view);
    const bool ok = edge_filter_extend(b->filters[FILTER_EDGE], &rule, why, size);

    edge_view_free(&view);
    return ok;
}

bool balancer_extend_filters(struct balancer *b, const struct config *config,
                             struct problems *problems)
{
    char why[512];

    if (!balancer_extend_edge_filter(b, config, &b->said.edge, why, sizeof(why))) {
        problems_error(problems, config->edge_lines.header, "[edge] %s", why);
        return false;
    }
    for (int i = 0; i < DOOR_KINDS; i++) {
        if (!extend_door(b->filters[FILTER_DOORS + i], &config->doors[i], door_names[i], problems))
            return false;
    }
    return true;
}

/* A program with the set compiled into it takes no change: sockets get another one. */
static void attach_again(struct balancer *b, const struct edge_filter *filter)
{
    if (edge_filter_mode(filter) == EDGE_FILTER_EBPF)
        return;
    list_each (at, &b->listeners) {
        struct listener *l = list_entry(at, struct listener, link);
        for (size_t i = 0; l->is_open && l->filter == filter && i < l->socket_count; i++)
            edge_filter_attach(l->filter, l->sockets[i]);
    }
    if (b->doors != NULL)
        doors_attach_again(b->doors, filter);
}

void balancer_settle_filters(struct balancer *b)
{
    if (inherit_is_taking_over(b->inherit))
        return; /* the old process has the same ones, and may go on with them */
    for (int i = 0; i < FILTERS; i++) {
        edge_filter_settle(b->filters[i]);
        attach_again(b, b->filters[i]);
    }
}

void balancer_reclaim_filters(struct balancer *b)
{
    for (int i = 0; i < FILTERS; i++)
        edge_filter_reclaim(b->filters[i]);
}
