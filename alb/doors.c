/* doors.c -- see doors.h. */
#include "alb/doors.h"

#include <ev.h>
#include <inttypes.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/edge_filter.h"
#include "net/listener.h"

#include "alb/balancer.h"
#include "alb/inherit_sockets.h"
#include "alb/manage.h"
#include "alb/ready_visit.h"

enum { HEALTH_VISITS_MAX = 128 /* on each door */ };

struct door {
    struct list link;
    struct doors *owner;
    enum door_kind kind;
    struct acceptor acceptor;
    struct addr wanted, bound; /* as configured; port 0 resolved */
    unsigned visits;
    bool is_closed; /* freed when the last visit has ended */
};

struct doors {
    struct balancer *balancer;
    struct list doors;
    struct ready_visits visits;
    struct manage *manage;
};

/* --- what the kinds are ------------------------------------------------------------------ */

/* Who asks at once is answered, however many are there that say nothing. */
static bool visit_health(struct door *d, int fd, const struct addr *peer)
{
    (void)peer;
    if (d->visits == HEALTH_VISITS_MAX)
        ready_visit_end_oldest(&d->owner->visits, d);
    ready_visit_begin(&d->owner->visits, fd, d);
    return true;
}

static bool visit_management(struct door *d, int fd, const struct addr *peer)
{
    return manage_begin(d->owner->manage, fd, peer, d);
}

static const struct {
    const char *purpose;
    /* Takes the descriptor; false when it was closed. */
    bool (*visit)(struct door *d, int fd, const struct addr *peer);
} kinds[DOOR_KINDS] = {
    [DOOR_HEALTH] = { "health checks are answered", visit_health },
    [DOOR_MANAGEMENT] = { "management is answered", visit_management },
};

static struct edge_filter *filter_of(const struct door *d)
{
    return d->owner->balancer->filters[FILTER_DOORS + d->kind];
}

/* --- visits ------------------------------------------------------------------------------ */

static void free_door(struct door *d)
{
    list_remove(&d->link);
    free(d);
}

static void on_visit_end(void *door)
{
    struct door *d = door;

    d->visits--;
    if (d->is_closed && d->visits == 0)
        free_door(d);
}

static bool admits(const struct door_config *c, const struct addr *peer)
{
    struct ip ip;

    return c->any || (addr_ip(peer, &ip) && edge_set_contains(c->allow, &ip));
}

void doors_log_stranger(enum door_kind kind, const struct ip *ip, const struct stranger_line *line)
{
    char address[IP_TEXT_MAX], prefix[CIDR_TEXT_MAX];

    log_warn("%s refused address=%s prefix=%s listener=%s count=%" PRIu64 " other_lines=%" PRIu64
             " cure=\"allow in %s of the configuration\"",
             door_names[kind], ip_format(ip, address), cidr_format(&line->prefix, prefix),
             door_labels[kind], line->count, line->others, door_labels[kind]);
}

static void refuse_stranger(struct balancer *b, enum door_kind kind, const struct addr *peer)
{
    struct stranger_line line;
    struct ip ip;

    metric_add(&b->counters.refused_doors[kind], 1);
    if (addr_ip(peer, &ip) &&
        strangers_note(&b->strangers, &ip, door_labels[kind], 1, clock_wall_us(), &line))
        doors_log_stranger(kind, &ip, &line);
}

static void on_accept(struct acceptor *acceptor, int fd, const struct addr *peer)
{
    struct door *d = acceptor->user;
    struct balancer *b = d->owner->balancer;

    if (admits(&b->config->doors[d->kind], peer)) {
        d->visits += kinds[d->kind].visit(d, fd, peer);
    } else {
        refuse_stranger(b, d->kind, peer);
        close(fd);
    }
}

/* --- the doors -------------------------------------------------------------------------- */

/* Port 0 is any port, and one line of it one door. */
static struct door *find(struct doors *doors, enum door_kind kind, const struct addr *wanted)
{
    list_each (at, &doors->doors) {
        struct door *d = list_entry(at, struct door, link);
        if (!d->is_closed && d->kind == kind && addr_equal(&d->wanted, wanted))
            return d;
    }
    return NULL;
}

static void add_door(struct doors *doors, enum door_kind kind, const struct addr *wanted, int fd)
{
    struct door *d = mem_new(struct door);
    char text[ADDR_TEXT_MAX];

    d->owner = doors;
    d->kind = kind;
    d->wanted = *wanted;
    if (!addr_local(fd, &d->bound))
        d->bound = *wanted;
    list_append(&doors->doors, &d->link);
    acceptor_start(&d->acceptor, doors->balancer->control.ev, fd, on_accept, d);
    d->acceptor.filter = filter_of(d);
    log_info("%s at address=%s", kinds[kind].purpose, addr_format(&d->bound, text));
}

static bool open_one(struct doors *doors, enum door_kind kind, const struct addr *wanted, char *why,
                     size_t size)
{
    struct balancer *b = doors->balancer;
    struct edge_filter *filter = b->filters[FILTER_DOORS + kind];
    int fd = inherit_other_door(b->inherit, kind, wanted);

    if (fd != -1)
        edge_filter_attach(filter, fd);
    else
        fd = listener_open_behind(filter, wanted, false, why, size);
    if (fd != -1)
        add_door(doors, kind, wanted, fd);
    return fd != -1;
}

static bool may_open_one(struct doors *doors, enum door_kind kind, const struct addr *wanted,
                         char *why, size_t size)
{
    struct addr addr = *wanted;

    (void)doors;
    (void)kind;
    return listener_probe(&addr, why, size);
}

/* Those that are not open yet. */
static bool each_new(struct doors *doors, const struct config *config, struct problems *problems,
                     bool (*try)(struct doors *, enum door_kind, const struct addr *, char *,
                                 size_t))
{
    char why[256];
    bool ok = true;

    for (int kind = 0; kind < DOOR_KINDS; kind++) {
        const struct door_config *c = &config->doors[kind];
        for (size_t i = 0; i < c->bind_count; i++) {
            if (find(doors, (enum door_kind)kind, &c->binds[i]) != NULL ||
                try(doors, (enum door_kind)kind, &c->binds[i], why, sizeof(why)))
                continue;
            problems_error(problems, c->lines[i], "[%s] bind: %s", door_names[kind], why);
            ok = false;
        }
    }
    return ok;
}

bool doors_open(struct doors *doors, const struct config *config, struct problems *problems)
{
    return each_new(doors, config, problems, open_one);
}

bool doors_may_open(struct doors *doors, const struct config *config, struct problems *problems)
{
    return each_new(doors, config, problems, may_open_one);
}

static bool is_named(const struct config *config, const struct door *d)
{
    for (size_t i = 0; config != NULL && i < config->doors[d->kind].bind_count; i++) {
        if (addr_equal(&config->doors[d->kind].binds[i], &d->wanted))
            return true;
    }
    return false;
}

static void close_door(struct door *d)
{
    acceptor_stop(&d->acceptor);
    close(d->acceptor.fd);
    d->is_closed = true;
    if (d->visits == 0)
        free_door(d);
}

void doors_close(struct doors *doors, const struct config *config)
{
    list_each_safe (at, after, &doors->doors) {
        struct door *d = list_entry(at, struct door, link);
        if (d->is_closed || is_named(config, d))
            continue;
        if (config != NULL)
            acceptor_empty(&d->acceptor);
        close_door(d);
    }
}

void doors_accept(struct doors *doors, bool on)
{
    list_each (at, &doors->doors) {
        struct door *d = list_entry(at, struct door, link);
        if (!on)
            acceptor_hold(&d->acceptor);
        else if (!d->is_closed)
            acceptor_resume(&d->acceptor);
    }
}

void doors_attach_again(struct doors *doors, const struct edge_filter *filter)
{
    list_each (at, &doors->doors) {
        struct door *d = list_entry(at, struct door, link);
        if (!d->is_closed && filter_of(d) == filter)
            edge_filter_attach(filter_of(d), d->acceptor.fd);
    }
}

int doors_next(const struct doors *doors, enum door_kind kind, size_t *at, struct addr *bound)
{
    size_t i = 0;

    list_each (link, &doors->doors) {
        const struct door *d = list_entry(link, struct door, link);
        if (d->is_closed || d->kind != kind || i++ < *at)
            continue;
        *at = i;
        *bound = d->bound;
        return d->acceptor.fd;
    }
    return -1;
}

bool doors_are_idle(const struct doors *doors)
{
    return list_is_empty(&doors->visits.all) && manage_is_idle(doors->manage);
}

struct doors *doors_new(struct balancer *b)
{
    struct doors *doors = mem_new(struct doors);

    doors->balancer = b;
    list_init(&doors->doors);
    ready_visits_init(&doors->visits, b, on_visit_end);
    doors->manage = manage_new(b, on_visit_end);
    return doors;
}

void doors_free(struct doors **doors)
{
    struct doors *d = *doors;

    *doors = NULL;
    if (d == NULL)
        return;
    doors_close(d, NULL);
    ready_visits_end(&d->visits);
    manage_free(&d->manage);
    free(d);
}
