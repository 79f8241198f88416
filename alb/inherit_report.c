/* inherit_report.c -- what the processes before this one still have, as the old one reports
 * (upgrade_report.h is its part). */
#include "base/record.h"

#include "alb/balancer_private.h"
#include "alb/handing.h"
#include "alb/handing_record.h"
#include "alb/inherit_private.h"

size_t inherit_elders(const struct inherit *in, const struct elder **out)
{
    *out = in == NULL ? NULL : in->elders;
    return in == NULL ? 0 : in->elder_count;
}

void inherit_forget_report(struct inherit *in)
{
    in->elder_count = 0;
    list_each (at, &in->balancer->registry.targets) {
        struct target_elsewhere *e = &list_entry(at, struct target, in_registry)->elsewhere;
        atomic_store(&e->outstanding, 0);
        atomic_store(&e->tunnels, 0);
        atomic_store(&e->untold, 0);
        metric_set(&e->counters.connections_open, 0);
    }
}

static void take_process(struct inherit *in, struct span bytes)
{
    struct handing_process p;

    if (handing_read_process(bytes, &p) && in->elder_count < ELDERS_MAX)
        in->elders[in->elder_count++] =
            (struct elder){ (int)p.pid, p.left_us, p.connections, p.tunnels };
}

static void take_target(struct inherit *in, struct span bytes)
{
    struct handing_elsewhere told;

    if (!handing_read_elsewhere(bytes, &told))
        return;
    struct target *t = registry_find(&in->balancer->registry, told.group, told.text);
    if (t == NULL)
        return;
    atomic_store(&t->elsewhere.outstanding, told.outstanding);
    atomic_store(&t->elsewhere.tunnels, told.tunnels);
    atomic_store(&t->elsewhere.untold, told.untold);
    metric_set(&t->elsewhere.counters.connections_open, told.connections);
}

void inherit_report(struct inherit *in, struct span bytes)
{
    struct span value;
    uint16_t type;

    inherit_forget_report(in);
    while (record_next(&bytes, &type, &value)) {
        if (type == REPORT_PROCESS)
            take_process(in, value);
        else if (type == REPORT_TARGET)
            take_target(in, value);
    }
    if (!in->has_left) {
        in->has_left = true;
        balancer_order_drains(in->balancer);
        balancer_settle_filters(in->balancer);
    }
}
