/* upgrade_obey.c -- see upgrade_obey.h. */
#include "alb/upgrade_obey.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/record.h"

#include "alb/balancer_private.h"
#include "alb/config.h"
#include "alb/group_health.h"
#include "alb/handing.h"

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

/* NULL when nothing is known of it here. */
static struct target *find_subject(const struct balancer *b, struct span bytes)
{
    struct span group = SPAN(""), text = SPAN(""), value;
    uint16_t type;

    while (record_next(&bytes, &type, &value)) {
        if (type == SUBJECT_GROUP)
            group = value;
        else if (type == SUBJECT_TEXT)
            text = value;
    }
    return registry_find(&b->registry, group, text);
}

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

static void add_target(struct balancer *b, struct order *o, struct span bytes)
{
    struct target *t = find_subject(b, bytes);

    if (t == NULL)
        return;
    o->targets = mem_resize(o->targets, (o->count + 1) * sizeof(struct target *));
    o->targets[o->count++] = t;
}

static void read_drain(struct balancer *b, struct order *o, struct span bytes)
{
    struct span value;
    uint16_t type;

    while (record_next(&bytes, &type, &value)) {
        const uint64_t number = record_number(value);
        if (type == DRAIN_CAUSE_SAID)
            o->plan.cause = (enum drain_cause)number;
        else if (type == DRAIN_DELAY_MS)
            o->plan.delay_ms = (uint32_t)number;
        else if (type == DRAIN_RATE)
            o->options.drain_rate = (uint32_t)number;
        else if (type == DRAIN_ORDER_SAID)
            o->options.drain_order = number == DRAIN_IDLEST ? DRAIN_IDLEST : DRAIN_OLDEST;
        else if (type == DRAIN_IS_CUT)
            o->options.drain_close = number != 0 ? FAREWELL_CUT : FAREWELL_FRAME;
        else if (type == DRAIN_TARGET)
            add_target(b, o, value);
    }
}

static bool makes_sense(const struct order *o)
{
    return o->count > 0 && o->plan.cause < DRAIN_SHUTDOWN && o->options.drain_rate <= PACE_RATE_MAX;
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

    read_drain(b, &o, value);
    if (b->state == RUN_LEAVING && makes_sense(&o)) /* else all are drained already */
        begin(b, &o, page);
    free(o.targets);
}

static void undrain(struct balancer *b, struct span value, int page)
{
    struct target *t = find_subject(b, value);
    (void)page;

    if (t == NULL || b->state != RUN_LEAVING)
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
