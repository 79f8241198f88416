/*
 * anomaly.h -- which targets fail more than their peers, and how much less they get.
 *
 * Pure: numbers in, verdicts out. Counted are the requests of the last ANOMALY_SLOTS looks and
 * their errors (5XX, connections and TLS handshakes that failed). A target is anomalous when its
 * part of errors is beyond chance above that of all others together. While mitigation is on, each
 * look halves the share of an anomalous target down to a sixteenth, and gives one that is not a
 * sixteenth back.
 */
#ifndef ALB_ANOMALY_H
#define ALB_ANOMALY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ANOMALY_SLOTS = 10, ANOMALY_PEERS_LEAST = 3 };

struct anomaly_window {
    uint64_t requests[ANOMALY_SLOTS + 1], errors[ANOMALY_SLOTS + 1]; /* totals at each look */
    unsigned looks;
};

/* Another look: the totals since the target was made. They never fall. */
void anomaly_look(struct anomaly_window *w, uint64_t requests, uint64_t errors);

/* What the window holds. */
struct anomaly_sample {
    uint64_t requests, errors;
};
struct anomaly_sample anomaly_sample_of(const struct anomaly_window *w);

/* Is the one at `index` an outlier? Never with fewer than ANOMALY_PEERS_LEAST samples. */
bool anomaly_is_outlier(const struct anomaly_sample *samples, size_t count, size_t index);

/* The next share, in parts of SHARE_WHOLE (balance.h). */
uint32_t anomaly_next_share(uint32_t share, bool is_outlier);

#endif
