/* upgrade_obey.c -- see upgrade_obey.h. */
#include "alb/upgrade_obey.h"

#include "base/record.h"

#include "alb/balancer_private.h"
#include "alb/handing.h"

static void stop(struct balancer *b, struct span value)
{
    balancer_stop_with(b, (uint32_t)record_number(value));
}

static void cut(struct balancer *b, struct span value)
{
    (void)value;
    balancer_cut_with(b);
}

static const struct {
    uint16_t type;
    void (*run)(struct balancer *b, struct span value);
} orders[] = {
    { ORDER_STOP, stop },
    { ORDER_CUT, cut },
};

void upgrade_obey(struct balancer *b, struct span left)
{
    struct span value;
    uint16_t type;

    while (record_next(&left, &type, &value)) {
        for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
            if (orders[i].type == type)
                orders[i].run(b, value);
        }
    }
}
