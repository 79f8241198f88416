/* inherit_report.c -- what the processes before this one still have, as the old one reports
 * (upgrade_report.h is its part). */
#include "base/record.h"

#include "alb/balancer_private.h"
#include "alb/handing.h"
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
    struct elder e = { 0 };
    struct span value;
    uint16_t type;

    while (record_next(&bytes, &type, &value)) {
        const uint64_t number = record_number(value);
        if (type == PROCESS_PID)
            e.pid = (int32_t)number;
        else if (type == PROCESS_LEFT_US)
            e.left_us = number;
        else if (type == PROCESS_CONNECTIONS)
            e.connections = (uint32_t)number;
        else if (type == PROCESS_TUNNELS)
            e.tunnels = (uint32_t)number;
    }
    if (in->elder_count < ELDERS_MAX)
        in->elders[in->elder_count++] = e;
}

struct told {
    struct span group, text;
    uint64_t outstanding, tunnels, untold, connections;
};

static void read_told(struct told *told, struct span bytes)
{
    struct span value;
    uint16_t type;

    *told = (struct told){ .outstanding = 0 };
    while (record_next(&bytes, &type, &value)) {
        if (type == ELSEWHERE_GROUP)
            told->group = value;
        else if (type == ELSEWHERE_TEXT)
            told->text = value;
        else if (type == ELSEWHERE_OUTSTANDING)
            told->outstanding = record_number(value);
        else if (type == ELSEWHERE_TUNNELS)
            told->tunnels = record_number(value);
        else if (type == ELSEWHERE_UNTOLD)
            told->untold = record_number(value);
        else if (type == ELSEWHERE_CONNECTIONS)
            told->connections = record_number(value);
    }
}

static void take_target(struct inherit *in, struct span bytes)
{
    struct told told;

    read_told(&told, bytes);
    struct target *t = registry_find(&in->balancer->registry, told.group, told.text);
    if (t == NULL)
        return;
    atomic_store(&t->elsewhere.outstanding, (unsigned)told.outstanding);
    atomic_store(&t->elsewhere.tunnels, (unsigned)told.tunnels);
    atomic_store(&t->elsewhere.untold, (unsigned)told.untold);
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
    }
}
