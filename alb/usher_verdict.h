/*
 * usher_verdict.h -- what becomes of a connection that an usher (usher.h) is done with.
 */
#ifndef ALB_USHER_VERDICT_H
#define ALB_USHER_VERDICT_H

#include <stdbool.h>

struct balancer;
struct config;
struct counters;
struct edge_view;
struct log_buffer;
struct usher_result;

/* Who asks: a thread, with what it goes by now and where it counts and writes. */
struct usher_judge {
    struct balancer *balancer;
    const struct config *config;
    const struct edge_view *edge;
    struct counters *counters;
    struct log_buffer *connection_log;
};

/* May it go on? Its tag is its listener. If not its `why` is set, it is counted (and out of the
 * balancer's connections), and its reason is in the log, and in the connection log when that was
 * no head. With `check_announced` in [edge] who was announced must be in the edge set too. */
bool usher_verdict(const struct usher_judge *judge, struct usher_result *result);

#endif
