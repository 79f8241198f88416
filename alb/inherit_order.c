/* inherit_order.c -- orders to the process before this one, which still has connections
 * (upgrade_obey.h is its part). */
#include "base/record.h"

#include "alb/drain.h"
#include "alb/handing.h"
#include "alb/handing_record.h"
#include "alb/inherit_private.h"
#include "alb/target.h"

enum { ORDER_MAX = 64, ONE_MAX = 1024, DRAIN_MAX = 16 * 1024 * 1024 };

bool inherit_obeys(const struct inherit *in)
{
    return inherit_goes_on(in) && (in->takes & TAKES_ORDERS) != 0;
}

bool inherit_is_taking_over(const struct inherit *in)
{
    return inherit_obeys(in) && !in->has_left;
}

/* --- all of it ------------------------------------------------------------------------------ */

static void order(struct inherit *in, uint16_t type, uint64_t number)
{
    struct buf bytes;

    if (!inherit_obeys(in))
        return;
    buf_init(&bytes, ORDER_MAX);
    record_put_number(&bytes, type, number);
    handover_send(in->link, HANDING_ORDER, buf_data(&bytes), NULL, 0);
    buf_done(&bytes);
}

void inherit_order_stop(struct inherit *in, uint32_t window_ms)
{
    order(in, ORDER_STOP, window_ms);
}

void inherit_order_cut(struct inherit *in)
{
    order(in, ORDER_CUT, 0);
}

/* --- targets -------------------------------------------------------------------------------- */

static void put_subject(struct buf *to, uint16_t type, const struct target *t)
{
    handing_put_subject(to, type,
                        &(struct handing_subject){ span_text(t->group), span_text(t->text) });
}

static void put_drain(struct buf *to, const struct drain *d)
{
    const struct handing_drain said = { .cause = d->cause,
                                        .delay_ms = drain_left_ms(d),
                                        .rate = d->rate,
                                        .order = d->order,
                                        .is_cut = d->is_cut };
    struct buf one;

    buf_init(&one, DRAIN_MAX);
    handing_put_drain(&one, &said);
    for (size_t i = 0; i < d->target_count; i++) {
        if (d->targets[i]->drain == d)
            put_subject(&one, DRAIN_TARGET, d->targets[i]);
    }
    record_put(to, ORDER_DRAIN, buf_data(&one));
    buf_done(&one);
}

static bool takes_drains(const struct inherit *in)
{
    return inherit_obeys(in) && in->has_left;
}

/* A stop is an order of its own; each process has a set of its own for leavers. */
void inherit_order_drain(struct inherit *in, const struct drain *d)
{
    const int page = d->pace->page;
    struct buf bytes;

    if (!takes_drains(in) || d->cause >= DRAIN_SHUTDOWN)
        return;
    buf_init(&bytes, DRAIN_MAX);
    put_drain(&bytes, d);
    handover_send(in->link, HANDING_ORDER, buf_data(&bytes), &page, page == -1 ? 0 : 1);
    buf_done(&bytes);
}

void inherit_order_undrain(struct inherit *in, const struct target *t)
{
    struct buf bytes;

    if (!takes_drains(in))
        return;
    buf_init(&bytes, 2 * ONE_MAX);
    put_subject(&bytes, ORDER_UNDRAIN, t);
    handover_send(in->link, HANDING_ORDER, buf_data(&bytes), NULL, 0);
    buf_done(&bytes);
}
