/*
 * closer.h -- the one routine that paces every close that we start.
 *
 * Closing all tunnels at once brings all clients back at once. A closer spreads
 * them evenly over a window, in no order, beginning at no set moment (the other
 * loops have one too), and gives each client another moment to come back in.
 */
#ifndef ALB_CLOSER_H
#define ALB_CLOSER_H

#include <stdint.h>

#include "net/wheel.h"

struct worker;

struct closer {
    struct wheel_timer timer;
    uint32_t began_ms, window_ms; /* 0.9 of what was asked for */
    uint32_t head_start_ms;       /* by chance; of the first tunnel's share of the window */
    uint32_t total;               /* tunnels when it began */
    uint32_t done;                /* asked to close so far */
};

void closer_init(struct closer *c);

/* Close all tunnels of this worker within 0.9 of `window_ms`. */
void closer_start(struct worker *w, uint32_t window_ms);
void closer_stop(struct worker *w);

#endif
