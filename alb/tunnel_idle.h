/*
 * tunnel_idle.h -- when a tunnel is idle, and which of its sides is named for it.
 *
 * A tunnel is idle when neither side delivered a byte for the limit. Pure: it is told what time it
 * is. Whoever asks looks again when what is left has passed, and at once when the policy changes:
 * bytes only set a stamp.
 */
#ifndef ALB_TUNNEL_IDLE_H
#define ALB_TUNNEL_IDLE_H

#include <stdbool.h>
#include <stdint.h>

#include "alb/tunnel_ends.h"

struct tunnel_policy;

/* All by loop_now_ms(), which wraps. */
struct tunnel_clock {
    uint32_t now_ms;
    uint32_t client_ms, target_ms; /* when each side last delivered a byte, or its end */
    bool is_half;                  /* one side has finished sending */
};

/* How long it may be silent: shorter when one side has finished. */
uint32_t tunnel_idle_limit(const struct tunnel_policy *p, bool is_half);

/* Milliseconds until it is idle if nothing comes; 0: it is. */
uint32_t tunnel_idle_left(const struct tunnel_policy *p, const struct tunnel_clock *c);

/* The side that was silent for longer. */
enum tunnel_end tunnel_idle_end(const struct tunnel_clock *c);

#endif
