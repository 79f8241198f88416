/* inherit_past.c -- what the old process tells of what has been (past.h is its part). */
#include "base/mem.h"
#include "base/record.h"

#include "alb/balancer_private.h"
#include "alb/handing.h"
#include "alb/inherit_private.h"
#include "alb/past_record.h"

const struct listener *inherit_listener_of(struct balancer *b, const struct past_names *names)
{
    if (names->listener.len == 0 || names->bind.len == 0 || names->bound.len == 0)
        return listener_of_number(0);
    char *name = record_text(names->listener), *bind = record_text(names->bind);
    const struct inherited_from from = { name, bind, names->protocol, names->bound };
    const struct listener *l = inherit_origin(b, &from);
    free(name);
    free(bind);
    return l;
}

struct target_key *inherit_key_of(struct balancer *b, const struct past_names *names)
{
    if (names->target.len == 0)
        return NULL;
    char *group = record_text(names->group), *text = record_text(names->target);
    struct target_key *key = registry_key(&b->registry, group, text);
    free(group);
    free(text);
    return key;
}

typedef void add_view(struct tunnel_ring *ring, const struct tunnel_view *v);
typedef void add_case(struct upgrade_ring *ring, struct upgrade_case **c);

static void take_closed(struct balancer *b, struct span bytes, add_view *add)
{
    struct past_names names;
    struct tunnel_view v;

    if (!past_read_view(bytes, &v, &names))
        return;
    v.facts.listener = inherit_listener_of(b, &names);
    v.target = inherit_key_of(b, &names);
    add(&b->closed, &v);
    tunnel_view_done(&v); /* the ring holds its own */
}

static void take_failed(struct balancer *b, struct span bytes, add_case *add)
{
    struct past_names names;
    struct upgrade_case *c = past_read_case(bytes, &names);

    if (c == NULL)
        return;
    c->listener = inherit_listener_of(b, &names);
    c->target = inherit_key_of(b, &names);
    add(&b->failed_upgrades, &c);
}

/* What makes no sense is left out: nobody is hurt by a gap in what has been. */
void inherit_past(struct inherit *in, struct span bytes)
{
    struct balancer *b = in->balancer;
    struct span value;
    uint16_t type;

    while (record_next(&bytes, &type, &value)) {
        if (type == PAST_CLOSED)
            take_closed(b, value, tunnel_ring_add);
        else if (type == PAST_CLOSED_BEFORE)
            take_closed(b, value, tunnel_ring_add_older);
        else if (type == PAST_FAILED)
            take_failed(b, value, upgrade_ring_add);
        else if (type == PAST_FAILED_BEFORE)
            take_failed(b, value, upgrade_ring_add_older);
    }
}
