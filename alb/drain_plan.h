/* drain_plan.h -- what a drain is to be, and what is to be expected of it. */
#ifndef ALB_DRAIN_PLAN_H
#define ALB_DRAIN_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "alb/drain.h"

struct tunnel_options;

struct drain_plan {
    enum drain_cause cause;
    uint32_t delay_ms; /* until its end, when the rest is cut */
    const struct tunnel_options *options;
    struct pace *shared; /* borrowed; NULL, or for a rate that is `shared_rate` */
    uint32_t shared_rate;
    uint32_t leavers; /* of DRAIN_LEAVERS: how many */
    bool stays; /* to its end, even with nobody left: tunnels are to come from another process */
};

struct drain_outlook {
    uint32_t targets, tunnels;
    uint32_t rate; /* a second; 0: spread over window_ms */
    uint32_t window_ms, delay_ms;
    uint32_t cut_at_end; /* if nobody goes before */
    bool is_cut;         /* nobody is told (websocket.drain_close) */
    uint32_t wait_ms;    /* until it begins; then there are only `targets` and `tunnels` of now */
};

#endif
