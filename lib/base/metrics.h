/*
 * metrics.h -- counters, gauges and histograms from tables, as Prometheus text.
 *
 * A program declares a struct of `metric_value`s and a table of rows; each loop
 * owns one struct and is the only one to add to it (relaxed atomics, so that
 * another thread may read at any time). Printing adds the structs up.
 *
 * Names follow the Prometheus conventions, and a table that breaks them is a
 * bug: a counter ends in _total, a histogram in _seconds (it is kept in
 * microseconds and printed in seconds).
 */
#ifndef BASE_METRICS_H
#define BASE_METRICS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/span.h"

typedef _Atomic uint64_t metric_value;

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

enum { METRIC_BUCKETS = 14 };

/* Upper bounds in microseconds, one set for all: 0.5 ms to 60 s. */
extern const uint64_t metric_bounds_us[METRIC_BUCKETS];

struct metric_histogram {
    metric_value buckets[METRIC_BUCKETS + 1]; /* not cumulative; the last is +Inf */
    metric_value sum_us;
};

struct metric {
    const char *name; /* without the program's prefix */
    enum metric_type type;
    size_t offset;      /* of a metric_value, or of a struct metric_histogram */
    const char *labels; /* NULL, or e.g. "code=\"2xx\"": rows of one name follow each other
                           and are of one type */
    const char *help;   /* of the first row of that name */
};

static inline void metric_add(metric_value *v, uint64_t n)
{
    atomic_fetch_add_explicit(v, n, memory_order_relaxed);
}

static inline void metric_sub(metric_value *v, uint64_t n)
{
    atomic_fetch_sub_explicit(v, n, memory_order_relaxed);
}

static inline void metric_set(metric_value *v, uint64_t n)
{
    atomic_store_explicit(v, n, memory_order_relaxed);
}

static inline uint64_t metric_get(const metric_value *v)
{
    return atomic_load_explicit(v, memory_order_relaxed);
}

void metric_observe_us(struct metric_histogram *h, uint64_t us);

/* One labelled instance: `labels` such as "target_group=\"chat\"" or NULL, and
 * the structs (one a loop) that are added up for it. */
struct metric_instance {
    const char *labels;
    const void *const *structs;
    size_t count;
};

/* Write name="value", escaped (the value is UTF-8), for `labels` above. A value
 * too long for `size` is cut, never inside an escape. Returns `out`. */
const char *metrics_label(const char *name, struct span value, char *out, size_t size);

/* Print every row of the table (ends with a row without a name) for every
 * instance: one HELP and TYPE for each name, then its samples. A sample has the
 * labels of its instance, then of its row. `prefix` goes in front of each name
 * as it is: "alb_". False when the buffer's bound was reached: what is in it
 * then is a part, not to be served. */
bool metrics_print(struct buf *to, const char *prefix, const struct metric *table,
                   const struct metric_instance *instances, size_t count);

/* Print the table as Markdown rows, one a name: name, type, labels, help. */
void metrics_describe(const struct metric *table, const char *prefix, FILE *to);

#endif
