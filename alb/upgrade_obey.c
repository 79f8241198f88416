/* upgrade_obey.c -- see upgrade_obey.h. */
#include "alb/upgrade_obey.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/record.h"

#include "alb/balancer_private.h"
#include "alb/config.h"
#include "alb/group_health.h"
#include "alb/handing.h"
#include "alb/handing_record.h"

/* --- all of it ------------------------------------------------------------------------------ */

static void stop(struct balancer *b, struct span value, int page)
{
    (void)page;
    balancer_stop_with(b, (uint32_t)record_number(value));
}

static void cut(struct balancer *b, struct span value, int page)
{
    (void)value;
    (void)page;
    balancer_cut_with(b);
}

/* --- targets -------------------------------------------------------------------------------- */

/* Requests on connections that are still here go elsewhere. */
static void set_drained(struct balancer *b, struct target *t, bool is_drained)
{
    const struct group_config *config = config_group(b->config, span_text(t->group));

    if (t->is_registered && config != NULL)
        group_set_drained(members_of(b->members, config), t, is_drained, clock_mono_ms());
}

struct order {
    struct drain_plan plan;
    struct tunnel_options options;
    struct target **targets; /* owned, of borrowed ones */
    size_t count;
};

/* Those of which something is known here. */
static void add_targets(const struct balancer *b, struct order *o, struct span left)
{
    struct handing_subject s;

    while (handing_next_drained(&left, &s)) {
        struct target *t = registry_find(&b->registry, s.group, s.text);
        if (t == NULL)
            continue;
        o->targets = mem_resize(o->targets, (o->count + 1) * sizeof(struct target *));
        o->targets[o->count++] = t;
    }
}

/* False: nobody is to be drained by it. */
static bool read_drain(const struct balancer *b, struct order *o, struct span bytes)
{
    struct handing_drain said;

    if (!handing_read_drain(bytes, &said))
        return false;
    o->plan.cause = (enum drain_cause)said.cause;
    o->plan.delay_ms = said.delay_ms;
    o->options.drain_rate = said.rate;
    o->options.drain_order = (int)said.order;
    o->options.drain_close = said.is_cut ? FAREWELL_CUT : FAREWELL_FRAME;
    add_targets(b, o, bytes);
    return o->count > 0;
}

static void begin(struct balancer *b, struct order *o, int page)
{
    const uint32_t rate = o->options.drain_rate;

    for (size_t i = 0; o->plan.cause != DRAIN_UNHEALTHY && i < o->count; i++)
        set_drained(b, o->targets[i], true);
    o->plan.options = &o->options;
    o->plan.shared_rate = rate;
    o->plan.shared = rate == 0 ? NULL : pace_new_rate(page, clock_mono_us(), rate);
    balancer_drain_begin(b, o->targets, o->count, &o->plan);
    pace_unref(&o->plan.shared);
}

static void drain(struct balancer *b, struct span value, int page)
{
    struct order o = { .options = b->config->alb.tunnel };

    if (b->state == RUN_LEAVING && read_drain(b, &o, value)) /* else all are drained already */
        begin(b, &o, page);
    free(o.targets);
}

static void undrain(struct balancer *b, struct span value, int page)
{
    struct handing_subject s;
    (void)page;

    if (b->state != RUN_LEAVING || !handing_read_subject(value, &s))
        return;
    struct target *t = registry_find(&b->registry, s.group, s.text);
    if (t == NULL)
        return;
    set_drained(b, t, false);
    balancer_drain_leave(b, t);
}

/* --- which order ------------------------------------------------------------------------------ */

static const struct {
    uint16_t type;
    void (*run)(struct balancer *b, struct span value, int page);
} orders[] = {
    { ORDER_STOP, stop },
    { ORDER_CUT, cut },
    { ORDER_DRAIN, drain },
    { ORDER_UNDRAIN, undrain },
};

void upgrade_obey(struct balancer *b, struct span left, int page)
{
    struct span value;
    uint16_t type;

    while (record_next(&left, &type, &value)) {
        for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
            if (orders[i].type == type)
                orders[i].run(b, value, page);
        }
    }
}
