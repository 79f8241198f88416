/*
 * admission.h -- how many a second are let in, by all loops together; and when the others
 * should come again.
 *
 * A token bucket in one word: the moment at which it will be full again (GCRA). The others are
 * given places in a queue of moments behind it, one an interval, so that those who do as
 * they are told come back at the rate that there is room for.
 */
#ifndef ALB_ADMISSION_H
#define ALB_ADMISSION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Nanoseconds of a clock that only grows; all zero: full. Any thread. */
struct admission {
    _Atomic uint64_t full_ns;  /* when the bucket will be full */
    _Atomic uint64_t queue_ns; /* the last place that was given */
};

enum { ADMISSION_WAIT_MAX_S = 60 };

/* One token. `interval_ns` is the time for a new one (0: there is no limit), `depth_ns` how long
 * an empty bucket takes to be full, at least the interval. */
bool admission_take(struct admission *a, uint64_t interval_ns, uint64_t depth_ns, uint64_t now_ns);

/* For one that was not let in: in how many seconds to come again, 1..ADMISSION_WAIT_MAX_S and a
 * quarter of that more at most. `random` is any number: no two that are refused at once should
 * come at once. */
uint32_t admission_wait_s(struct admission *a, uint64_t interval_ns, uint64_t now_ns,
                          uint64_t random);

#endif
