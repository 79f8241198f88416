/* inherit_list.c -- the tunnels of the process before this one, for a list of all (upgrade_list.h
 * is its part). */
#include "base/record.h"

#include "alb/balancer_private.h"
#include "alb/handing.h"
#include "alb/handing_record.h"
#include "alb/inherit_private.h"
#include "alb/tunnel_listing.h"

enum { ASK_MAX = 64 * 1024 };

bool inherit_ask(struct inherit *in, uint64_t number, struct span query)
{
    const struct handing_ask ask = { number, query };
    struct buf bytes;

    if (!inherit_goes_on(in) || (in->takes & TAKES_ASKS) == 0 || !in->has_left)
        return false;
    buf_init(&bytes, ASK_MAX);
    const bool fits = handing_put_ask(&bytes, &ask);
    if (fits)
        handover_send(in->link, HANDING_ASK, buf_data(&bytes), NULL, 0);
    buf_done(&bytes);
    return fits;
}

/* What makes no sense is left out. */
static void take_row(struct balancer *b, struct tunnel_top *top, struct span bytes)
{
    struct past_names names;
    struct tunnel_view v;

    if (!past_read_view(bytes, &v, &names))
        return;
    v.facts.listener = inherit_listener_of(b, &names);
    v.target = inherit_key_of(b, &names);
    tunnel_top_add(top, &v);
    tunnel_view_done(&v); /* those that are kept hold it */
}

void inherit_listed(struct inherit *in, struct span bytes)
{
    struct handing_listed told;
    struct span value;
    uint16_t type;

    if (!handing_read_listed(bytes, &told))
        return;
    struct tunnel_listing *l = tunnel_listing_find(in->balancer, told.number);
    if (l == NULL) /* it came too late */
        return;
    const uint64_t seen = l->top.seen, matched = l->top.matched;
    while (record_next(&bytes, &type, &value)) {
        if (type == LISTED_ROW)
            take_row(in->balancer, &l->top, value);
    }
    l->top.seen = seen + told.seen; /* there may be more than were told */
    l->top.matched = matched + told.matched;
    l->missing = told.missing;
    tunnel_listing_answered(l);
}
