/* inherit_sockets.c -- see inherit_sockets.h. */
#include "alb/inherit_sockets.h"

#include <unistd.h>

#include "base/mem.h"
#include "base/record.h"
#include "net/handover.h"

#include "alb/config.h"
#include "alb/handing.h"
#include "alb/handing_record.h"
#include "alb/inherit_private.h"

/* --- read ------------------------------------------------------------------------------------ */

/* Take the next descriptors of the message. */
static bool take_fds(struct handover_message *m, size_t *at, size_t count, int *into)
{
    if (count > m->fd_count - *at)
        return false;
    for (size_t i = 0; i < count; i++, ++*at) {
        into[i] = m->fds[*at];
        m->fds[*at] = -1;
    }
    return true;
}

static bool add_listener(struct inherited_sockets *s, struct span bytes, struct handover_message *m,
                         size_t *at)
{
    struct handing_listener told;

    if (!handing_read_listener(bytes, &told) || told.sockets > m->fd_count - *at)
        return false;
    s->listeners = mem_resize(s->listeners, (s->listener_count + 1) * sizeof(s->listeners[0]));
    struct inherited_listener *l = &s->listeners[s->listener_count++];
    *l = (struct inherited_listener){ .name = record_text(told.name),
                                      .bind = record_text(told.bind),
                                      .protocol = (int)told.protocol,
                                      .bound = told.bound,
                                      .fds = mem_array(int, (size_t)told.sockets),
                                      .count = (size_t)told.sockets };
    return take_fds(m, at, l->count, l->fds);
}

static bool add_door(struct inherited_door *door, struct span bytes, struct handover_message *m,
                     size_t *at)
{
    return door->fd == -1 && handing_read_door(bytes, &door->bound) &&
           take_fds(m, at, 1, &door->fd);
}

static bool add_other_door(struct inherited_sockets *s, int kind, struct span bytes,
                           struct handover_message *m, size_t *at)
{
    if (s->other_counts[kind] == DOOR_BINDS_MAX)
        return false;
    struct inherited_door *door = &s->others[kind][s->other_counts[kind]++];
    *door = (struct inherited_door){ .fd = -1 };
    return add_door(door, bytes, m, at);
}

void inherited_sockets_init(struct inherited_sockets *s)
{
    *s = (struct inherited_sockets){ .doors = { { .fd = -1 }, { .fd = -1 } } };
}

bool inherited_sockets_read(struct inherited_sockets *s, struct handover_message *m)
{
    struct span left = m->bytes, value;
    bool ok = true;
    size_t at = 0;
    uint16_t type;

    while (ok && record_next(&left, &type, &value)) {
        if (type == SOCKETS_LISTENER)
            ok = add_listener(s, value, m, &at);
        else if (type == SOCKETS_ADMIN || type == SOCKETS_CONTROL)
            ok = add_door(&s->doors[type == SOCKETS_CONTROL], value, m, &at);
        else if (type >= SOCKETS_DOORS && type < SOCKETS_DOORS + DOOR_KINDS)
            ok = add_other_door(s, type - SOCKETS_DOORS, value, m, &at);
    }
    return ok && left.len == 0;
}

/* --- taken ----------------------------------------------------------------------------------- */

/* As listener_config_of(): by address, or by name where the port is a free one. */
size_t inherit_listener(struct inherit *in, const struct listener_config *c, struct addr *bound,
                        int **fds)
{
    for (size_t i = 0; in != NULL && i < in->sockets.listener_count; i++) {
        struct inherited_listener *l = &in->sockets.listeners[i];
        if (strcmp(l->bind, c->options.bind) != 0 || l->protocol != (int)c->options.protocol ||
            (addr_port(&c->bind) == 0 && strcmp(l->name, c->name) != 0))
            continue;
        *bound = l->bound;
        *fds = l->fds;
        return l->count;
    }
    return 0;
}

/* Port 0 is any port: the one that is there. */
static bool is_wanted(const struct addr *bound, const struct addr *wanted)
{
    struct addr same = *bound;

    if (addr_port(wanted) == 0)
        addr_set_port(&same, 0);
    return addr_equal(&same, wanted);
}

int inherit_door(struct inherit *in, bool is_control, const struct addr *wanted, struct addr *bound)
{
    struct inherited_door *door = in == NULL ? NULL : &in->sockets.doors[is_control];

    if (door == NULL || door->fd == -1 || !is_wanted(&door->bound, wanted))
        return -1;
    const int fd = door->fd;
    *bound = door->bound;
    door->fd = -1;
    return fd;
}

int inherit_other_door(struct inherit *in, enum door_kind kind, const struct addr *wanted)
{
    for (size_t i = 0; in != NULL && i < in->sockets.other_counts[kind]; i++) {
        struct inherited_door *door = &in->sockets.others[kind][i];
        const int fd = door->fd;
        if (fd == -1 || !is_wanted(&door->bound, wanted))
            continue;
        door->fd = -1;
        return fd;
    }
    return -1;
}

/* --- closed ---------------------------------------------------------------------------------- */

void inherited_sockets_put_unwanted(const struct inherited_sockets *s, struct buf *to)
{
    for (size_t i = 0; i < s->listener_count; i++) {
        const struct inherited_listener *l = &s->listeners[i];
        if (l->count == 0 || l->fds[0] == -1)
            continue;
        handing_put_unwanted(to, &(struct handing_unwanted){ l->bound, (uint32_t)l->protocol });
    }
}

static void close_listener(struct inherited_listener *l)
{
    for (size_t i = 0; i < l->count; i++) {
        if (l->fds[i] != -1)
            close(l->fds[i]);
    }
    free(l->fds);
    free(l->name);
    free(l->bind);
}

static void close_doors(struct inherited_door *doors, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (doors[i].fd != -1)
            close(doors[i].fd);
        doors[i].fd = -1;
    }
}

void inherited_sockets_close(struct inherited_sockets *s)
{
    for (size_t i = 0; i < s->listener_count; i++)
        close_listener(&s->listeners[i]);
    close_doors(s->doors, 2);
    for (int kind = 0; kind < DOOR_KINDS; kind++)
        close_doors(s->others[kind], s->other_counts[kind]);
    mem_free(s->listeners);
    s->listener_count = 0;
}
