/* anomaly.c -- see anomaly.h. */
#include "alb/anomaly.h"

#include "alb/balance.h"

enum { REQUESTS_LEAST = 20, ERRORS_LEAST = 5, SHARE_LEAST = SHARE_WHOLE / 16 };

static const double BEYOND_CHANCE = 4.0; /* standard deviations */
static const double PLAINLY_MORE = 0.05; /* of the requests, above twice the others' part */

void anomaly_look(struct anomaly_window *w, uint64_t requests, uint64_t errors)
{
    const unsigned at = w->looks++ % (ANOMALY_SLOTS + 1);

    w->requests[at] = requests;
    w->errors[at] = errors;
}

struct anomaly_sample anomaly_sample_of(const struct anomaly_window *w)
{
    const unsigned held = w->looks < ANOMALY_SLOTS + 1 ? w->looks : ANOMALY_SLOTS + 1;

    if (held < 2)
        return (struct anomaly_sample){ 0, 0 };
    const unsigned newest = (w->looks - 1) % (ANOMALY_SLOTS + 1);
    const unsigned oldest = (w->looks - held) % (ANOMALY_SLOTS + 1);
    return (struct anomaly_sample){ w->requests[newest] - w->requests[oldest],
                                    w->errors[newest] - w->errors[oldest] };
}

/* Two parts, compared by the squares of both sides: no root is needed. */
static bool is_beyond_chance(double part, double n, double others, double m)
{
    const double all = (part * n + others * m) / (n + m);
    const double variance = all * (1 - all) * (1 / n + 1 / m);
    const double difference = part - others;

    return difference > 0 && difference * difference > BEYOND_CHANCE * BEYOND_CHANCE * variance;
}

bool anomaly_is_outlier(const struct anomaly_sample *samples, size_t count, size_t index)
{
    const struct anomaly_sample mine = samples[index];
    struct anomaly_sample others = { 0, 0 };

    for (size_t i = 0; i < count; i++) {
        others.requests += i == index ? 0 : samples[i].requests;
        others.errors += i == index ? 0 : samples[i].errors;
    }
    if (count < ANOMALY_PEERS_LEAST || mine.requests < REQUESTS_LEAST ||
        mine.errors < ERRORS_LEAST || others.requests < REQUESTS_LEAST)
        return false;
    const double n = (double)mine.requests, m = (double)others.requests;
    const double part = (double)mine.errors / n, theirs = (double)others.errors / m;
    return part > 2 * theirs + PLAINLY_MORE && is_beyond_chance(part, n, theirs, m);
}

uint32_t anomaly_next_share(uint32_t share, bool is_outlier)
{
    if (is_outlier)
        return share / 2 > SHARE_LEAST ? share / 2 : SHARE_LEAST;
    return share + SHARE_LEAST < SHARE_WHOLE ? share + SHARE_LEAST : SHARE_WHOLE;
}
