/* inherit_order.c -- orders to the process before this one, which still has connections
 * (upgrade_obey.h is its part). */
#include "base/record.h"

#include "alb/handing.h"
#include "alb/inherit_private.h"

enum { ORDER_MAX = 64 };

bool inherit_obeys(const struct inherit *in)
{
    return inherit_goes_on(in) && (in->takes & TAKES_ORDERS) != 0;
}

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
